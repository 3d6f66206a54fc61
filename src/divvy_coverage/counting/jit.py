"""numba's decorator, imported past a trap: numba looks for the package `coverage`, and would find our script."""

import sys
from collections.abc import Callable
from typing import Any, cast

_ours = sys.modules.get("coverage")
sys.modules["coverage"] = None  # type: ignore[assignment]  # importing it fails, as if it were not installed
try:
    from llvmlite import ir
    from numba import njit, types
    from numba.extending import intrinsic
finally:
    del sys.modules["coverage"]
    if _ours:
        sys.modules["coverage"] = _ours

__all__ = ["compiled", "intrinsic", "ir", "njit", "types"]

Function = Callable[..., Any]


def compiled(function: Function) -> Function:
    """Compile a function that runs beside other threads, once for all processes where the result can be kept.

    numba keeps it beside the source or, if that is read-only, in the user's cache folder, for each kind of processor.
    """
    try:
        kept: Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # neither folder can be written
        return cast(Function, njit(nogil=True)(function))
    return kept
