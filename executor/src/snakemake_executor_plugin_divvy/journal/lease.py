"""Whether the run that a file belongs to still lives, also where files cannot be locked.

A living run holds a lock on its file, has its process named in it, and touches it every ten seconds. Which of these
tells something depends: locks do nothing on many parallel file systems, and a process can be looked for on its own host
alone.
"""

import fcntl
import os
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from snakemake_executor_plugin_divvy.schedulers.here import get_birth, is_running

HEARTBEAT = 10.0  # seconds between touches
OVERDUE = 60.0  # seconds without a touch after which nobody lives

Owner = Mapping[str, str | int]


def describe_owner() -> Owner:
    """Return what tells this process from all others: host, its boot, process and the birth of that."""
    return {"host": socket.gethostname(), "boot": _get_boot(), "pid": os.getpid(), "birth": get_birth(os.getpid())}


def try_lock(descriptor: int) -> bool:
    """Lock an open file; return False if another process holds it. Where nothing can be locked this holds too."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def is_alive(owner: Owner, path: Path, now: float) -> bool:
    """Tell whether the owner of an unlocked file lives; `now` is the present time of the file's own server.

    May take a minute if the owner is on another host and was alive a minute ago.
    """
    here = describe_owner()
    if (owner.get("host"), owner.get("boot")) == (here["host"], here["boot"]):
        return is_running(int(owner["pid"]), str(owner["birth"]))
    last = os.stat(path).st_mtime
    end = time.monotonic() + OVERDUE - (now - last)
    while time.monotonic() < end:
        time.sleep(1)
        with path.open("rb"):  # asks the server anew, where attributes are cached
            if os.stat(path).st_mtime != last:
                return True
    return False


class Heartbeat(threading.Thread):
    """Touches files as long as this process lives."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__(daemon=True, name="divvy-heartbeat")
        self.paths = paths
        self.ended = threading.Event()

    def run(self) -> None:
        """Touch all of them until the end."""
        while not self.ended.wait(HEARTBEAT):
            for path in list(self.paths):
                with suppress(OSError):
                    os.utime(path)


def _get_boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
