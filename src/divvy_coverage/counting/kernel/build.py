"""Compile the loops for this machine's processor, by numba."""

from typing import Any

import numba
from numba import types

from divvy_coverage.counting.compiled.loops import run


def compile_run() -> tuple[bytes, str]:
    """Return the compiled `run` and what it calls, as an object file, and the name of its symbol."""
    # without numba's runtime, which an object file could not reach, and nothing here needs
    options: dict[str, Any] = {"nogil": True, "_nrt": False}
    dispatcher = numba.njit((types.int64,) * 4, **options)(run.py_func)
    compiled: Any = next(iter(dispatcher.overloads.values()))
    code: bytes = compiled.library._compiled_object
    return code, compiled.fndesc.llvm_func_name
