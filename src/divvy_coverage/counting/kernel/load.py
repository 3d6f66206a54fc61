"""The compiled loops, for Python: compiled once, kept, and loaded without numba, which takes a while.

They are kept beside the source or, if that is read-only, in the user's cache folder, for each kind of processor.
"""

import ctypes
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import llvmlite.binding as llvm

from divvy_coverage.counting import compiled
from divvy_coverage.errors import UserError
from divvy_coverage.files import replacing

# all that the compiled loops are made of
SOURCES = (*sorted(Path(compiled.__file__).parent.glob("*.py")), Path(__file__).with_name("build.py"))
DIGEST = 32  # bytes of a SHA-256

# a loop of `layout`, the address of its cells, and address and number of what it works on → what it returns
Run = Callable[[int, int, int, int], int]


@cache
def get_run() -> Run:
    """Return `loops.run`, compiled; in a process that is the first to ask for it, this takes some seconds."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    found = _read_kept() or _compile()
    return _link(*found)


def get_folders() -> Iterator[Path]:
    """Yield the folders where the compiled loops may be kept."""
    yield Path(__file__).parent / "__pycache__"
    with suppress(RuntimeError):  # no home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "divvy-coverage"


@cache
def get_name() -> str:
    """Return the name of the file for this source and this processor."""
    digest = hashlib.sha256(f"{llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}".encode())
    for path in SOURCES:
        digest.update(path.read_bytes())
    return f"loops.{digest.hexdigest()[:16]}.o"


def _read_kept() -> tuple[bytes, str] | None:
    """Return the object file and its symbol, if they are kept and whole."""
    for folder in get_folders():
        with suppress(OSError):
            content = (folder / get_name()).read_bytes()
            if hashlib.sha256(content[DIGEST:]).digest() == content[:DIGEST]:
                symbol, _, code = content[DIGEST:].partition(b"\n")
                return code, symbol.decode()
    return None


def _compile() -> tuple[bytes, str]:
    """Compile the loops, and keep them if a folder can be written."""
    from divvy_coverage.counting.kernel.build import compile_run

    code, symbol = compile_run()
    content = symbol.encode() + b"\n" + code
    for folder in get_folders():
        with suppress(OSError, UserError):
            with replacing(folder / get_name()) as temporary:
                temporary.write_bytes(hashlib.sha256(content).digest() + content)
            break
    return code, symbol


def _link(code: bytes, symbol: str) -> Run:
    """Return the function of that name; called through ctypes, it runs beside other threads."""
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    # numba's convention: where the result goes, where an exception would, and the arguments
    outputs = (ctypes.POINTER(ctypes.c_int64), ctypes.POINTER(ctypes.c_void_p))
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *outputs, *[ctypes.c_int64] * 4)
    function = prototype(engine.get_function_address(symbol))

    def run(loop: int, cells: int, address: int, number: int, _engine: llvm.ExecutionEngine = engine) -> int:
        result, exception = ctypes.c_int64(), ctypes.c_void_p()
        function(ctypes.byref(result), ctypes.byref(exception), loop, cells, address, number)
        return result.value

    return run
