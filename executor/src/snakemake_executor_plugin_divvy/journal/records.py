"""A file of records (JSON lines) that outlives full disks and killed writers."""

import errno
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from snakemake_executor_plugin_divvy.journal.lease import try_lock


class Records:
    """A file of records, one per line; what cannot be written now is written later, and none is written in part.

    `complaint` is the number and text of the error for which it could not, or None.
    """

    def __init__(self, path: Path, new: bool = True) -> None:
        """Open a file and lock it; `is_locked` says whether nobody else has."""
        how = os.O_CREAT | os.O_EXCL if new else 0
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | how, 0o600)
        self._waiting = "" if new else "\n"  # ends what a killed run may have written of a line
        self.is_locked = try_lock(self._file)
        self.complaint: tuple[int, str] | None = None

    def write(self, record: Mapping[str, Any]) -> None:
        """Write a record, now or later."""
        self._waiting += json.dumps(record) + "\n"
        self.flush()

    def flush(self) -> None:
        """Try to write what waits."""
        data = self._waiting.encode()
        if not data:
            return
        size = None
        try:
            size = os.fstat(self._file).st_size
            if os.write(self._file, data) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            self.complaint = (error.errno or errno.EIO, error.strerror or str(error))
            self._waiting = "\n" + self._waiting.lstrip()  # ends what may stand there of it
            if size is not None:
                with suppress(OSError):
                    os.ftruncate(self._file, size)
        else:
            self._waiting, self.complaint = "", None

    def sync(self) -> None:
        """Make sure that what was written outlives this machine; OSError if that is not possible."""
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file."""
        with suppress(OSError):
            os.close(self._file)


def read_records(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the records of a file that are whole."""
    for line in path.read_text().splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue  # of a run that was killed while writing it
