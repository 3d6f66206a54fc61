"""A file for HDF5, which has to be able to close what it has written: a full disk would crash it."""

import io
from pathlib import Path
from typing import Any


class OverflowFile(io.FileIO):
    """A new file that keeps in memory what the disk does not take.

    HDF5 cannot abandon a file: if its last writes fail, too, the process ends in a segmentation fault. So it is not
    told; who writes has to call `check` now and then, and once the file is closed by HDF5.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self._failure: OSError | None = None
        self._kept: list[tuple[int, bytes]] = []  # position and content of what was not written, in this order

    def check(self) -> None:
        """Raise the error of the first write that failed."""
        if self._failure:
            raise self._failure

    def write(self, data: Any) -> int:
        """Write all data, to the file or to memory, and return its size in bytes."""
        content = memoryview(data).cast("B")
        first, done = self.tell(), 0
        try:
            self.check()
            while done < len(content):
                done += super().write(content[done:])
        except OSError as error:
            self._failure = error
            self._kept.append((first + done, bytes(content[done:])))
            self.seek(first + len(content))
        return len(content)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what was written, to the file or to memory, and return its size in bytes."""
        content = memoryview(buffer).cast("B")
        first, done = self.tell(), 0
        while number := super().readinto(content[done:]):
            done += number
        if not self._kept:
            return done
        content[done:] = bytes(len(content) - done)
        for position, kept in self._kept:
            start, end = max(first, position), min(first + len(content), position + len(kept))
            if start < end:
                content[start - first : end - first] = kept[start - position : end - position]
        self.seek(first + len(content))
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Set the size of the file, if that can be done."""
        size = self.tell() if size is None else size
        try:
            super().truncate(size)
        except OSError as error:
            self._failure = self._failure or error
        return size
