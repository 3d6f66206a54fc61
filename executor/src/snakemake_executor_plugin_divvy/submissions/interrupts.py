"""Ctrl-C while something is already being ended."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def note_interrupts(event: threading.Event) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM set `event` instead of ending what is in this context, and the program with it."""
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda *_: event.set()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
