"""The content of a file's blocks in file order, inflated by as many threads as asked for."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from divvy_coverage.alignments.bam import Data
from divvy_coverage.alignments.bgzf import Block, inflate, read_blocks
from divvy_coverage.progress import Progress

LOOK_AHEAD = 4  # batches of blocks per thread that are in memory

Take = Callable[[Data, int], None]  # is given the content of a block, and the block's offset in the file
Open = Callable[[], AbstractContextManager[BinaryIO]]


def read_in_order(path: Path, open_file: Open, take: Take, threads: int, progress: Progress) -> int:
    """Give the content of all blocks of a file to `take`: one at a time, in file order.

    `progress` is told numbers of compressed bytes as they are done. Returns the size of the file. Raises UserError for
    damaged files; `path` is the file's name in messages.
    """
    size = 0

    def note(done: int) -> None:
        nonlocal size
        size += done
        progress(done)

    with open_file() as file:
        batches = read_blocks(file, path)
        if threads == 1:  # each block is taken at once, while it is in the processor's cache
            for blocks in batches:
                _hand_over(blocks, (inflate(block, path) for block in blocks), take, note)
        else:
            Team(batches, path, take, note, threads).work()
    return size


def _hand_over(blocks: list[Block], contents: Iterable[Data], take: Take, progress: Progress) -> None:
    for block, data in zip(blocks, contents, strict=True):
        take(data, block.offset)
    progress(sum(len(block.raw) for block in blocks))


class Team:
    """Threads that each inflate batches of blocks; one of them at a time hands over what is ready, in file order."""

    def __init__(
        self, batches: Iterator[list[Block]], path: Path, take: Take, progress: Progress, threads: int
    ) -> None:
        self._batches = enumerate(batches)
        self._path = path
        self._take = take
        self._progress = progress
        self._threads = threads
        self._ahead = threading.Semaphore(LOOK_AHEAD * threads)  # batches in memory
        self._reading, self._handing = threading.Lock(), threading.Lock()
        self._ready: dict[int, tuple[list[Block], list[Data]]] = {}
        self._next = 0  # the batch to be handed over next
        self._busy = False  # whether a thread is handing over
        self._error: BaseException | None = None

    def work(self) -> None:
        """Do all the work; raises the first error of any thread."""
        others = [threading.Thread(target=self._help) for _ in range(self._threads - 1)]
        for thread in others:
            thread.start()
        self._help()
        for thread in others:
            thread.join()
        if self._error:
            raise self._error

    def _help(self) -> None:
        try:
            while self._inflate():
                self._hand_over()
        except BaseException as error:
            self._error = self._error or error
        finally:
            self._ahead.release()  # wake who waits for room, to find that there is nothing left to do

    def _inflate(self) -> bool:
        """Inflate the next batch; return whether there was one."""
        self._ahead.acquire()
        with self._reading:
            number, blocks = next(self._batches, (-1, []))
        if not blocks or self._error:
            return False
        contents = [inflate(block, self._path) for block in blocks]
        with self._handing:
            self._ready[number] = blocks, contents
        return True

    def _hand_over(self) -> None:
        """Hand over the batches whose turn it is, unless another thread is at it: it will take ours too."""
        while True:
            with self._handing:
                if self._busy or self._next not in self._ready:
                    return
                self._busy = True
                batch = self._ready.pop(self._next)
            _hand_over(*batch, self._take, self._progress)
            with self._handing:
                self._next += 1
                self._busy = False
            self._ahead.release()
