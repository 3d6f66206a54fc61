"""Errors that users can act on."""

from collections.abc import Sequence


class UserError(Exception):
    """Something a user can cause and fix; the message says what was expected, what was found and what to do."""


class OutputError(UserError):
    """A file that cannot be written: its disk is full, its folder read-only, or something else is in its place."""


def listing(items: Sequence[str], limit: int = 20) -> str:
    """Indent `items`, one per line, and count those beyond `limit`."""
    more = [f"… and {len(items) - limit} more"] if len(items) > limit else []
    return "".join(f"\n  {item}" for item in [*items[:limit], *more])
