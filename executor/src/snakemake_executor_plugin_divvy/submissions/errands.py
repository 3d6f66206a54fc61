"""Commands of the scheduler that take their time, so that they run beside everything else."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import TypeVar

from snakemake_executor_plugin_divvy.schedulers import SchedulerError

T = TypeVar("T")


class Errands:
    """Runs each command in a thread of its own; what follows is done by whoever collects the results."""

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called, from any thread, when there is something to collect."""
        self._wake = wake
        self.under_way = 0  # commands whose results were not collected yet
        self._done: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def send(self, command: Callable[[], T], then: Callable[[T | SchedulerError], None]) -> None:
        """Run `command`, and `then` with what it returned or how it failed when the results are collected."""

        def run() -> None:
            result: T | SchedulerError
            try:
                result = command()
            except SchedulerError as error:
                result = error
            except Exception as error:  # must not be lost, or its errand would never end
                result = SchedulerError(f"{type(error).__name__}: {error}")
            self._done.put(lambda: then(result))
            self._wake()

        self.under_way += 1
        threading.Thread(target=run, daemon=True, name="divvy-errand").start()

    def collect(self) -> bool:
        """Do what follows from the commands that have ended; return whether there were any."""
        found = False
        while not self._done.empty():
            self.under_way -= 1
            found = True
            self._done.get()()
        return found
