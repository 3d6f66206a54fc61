"""Fractions that may not be known."""


def divide(above: float | None, below: float) -> float | None:
    """Return a fraction; None if it cannot be known."""
    return above / below if above is not None and below else None
