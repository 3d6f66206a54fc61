"""numba's decorators, with compiled functions kept between processes wherever a folder can be written."""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

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
