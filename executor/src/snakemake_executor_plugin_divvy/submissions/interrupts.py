"""Ctrl-C while something is already being ended."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def note_interrupts() -> Iterator[threading.Event]:
    """Let Ctrl-C and SIGTERM set an event, which is returned, instead of ending what is in this context."""
    event = threading.Event()
    numbers = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda *_: event.set()) for number in numbers}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
