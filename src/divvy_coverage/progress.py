"""How far a job is: a bar on a terminal, a line every 30 seconds in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LOG_SECONDS = 30

Progress = Callable[[int], None]  # is told numbers of bytes as they are done


def show_nothing(done: int) -> None:
    """Show no progress."""


@contextmanager
def show_progress(paths: Sequence[Path]) -> Iterator[Progress]:
    """Give a function that takes numbers of bytes of the files as they are done, and shows on stderr how many are."""
    total = sum(os.path.getsize(path) for path in paths if path.exists())
    if sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=total, unit="B", unit_scale=True, desc=paths[0].name, file=sys.stderr) as bar:
            yield bar.update
    else:
        yield _log_progress(total)


def _log_progress(total: int) -> Progress:
    done, last = 0, time.monotonic()

    def update(number: int) -> None:
        nonlocal done, last
        done += number
        if time.monotonic() - last >= LOG_SECONDS:
            last = time.monotonic()
            print(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB done ({100 * done / total:.0f} %)", file=sys.stderr)

    return update
