"""Memory by address, for what numba compiles: fields of records, and arrays of int64 and of int32."""

# mypy: ignore-errors
# numba infers the types of these functions itself

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

INT64, INT32 = ir.IntType(64), ir.IntType(32)


def _make_reader(bits):
    """Return a function that reads a little-endian integer, aligned or not; what is there has to have been checked."""

    @intrinsic
    def read(typing, address, offset):
        def generate(context, builder, signature, arguments):
            pointer = builder.inttoptr(builder.add(*arguments), ir.IntType(bits).as_pointer())
            value = builder.load(pointer)
            value.align = 1
            return builder.sext(value, INT64) if bits < 64 else value

        return types.int64(types.int64, types.int64), generate

    return read


read_int32, read_int64 = _make_reader(32), _make_reader(64)


def _get_pointer(builder, array, index):
    return builder.gep(builder.inttoptr(array, INT64.as_pointer()), [index])


@intrinsic
def get(typing, array, index):
    """Return a value of the array at an address."""

    def generate(context, builder, signature, arguments):
        return builder.load(_get_pointer(builder, *arguments))

    return types.int64(types.int64, types.int64), generate


@intrinsic
def put(typing, array, index, value):
    """Set a value of the array at an address."""

    def generate(context, builder, signature, arguments):
        array, index, value = arguments
        builder.store(value, _get_pointer(builder, array, index))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@njit(forceinline=True)
def add(array, index, value):
    """Add to a value of the array at an address."""
    put(array, index, get(array, index) + value)


@intrinsic
def increment(typing, array, index):
    """Add 1 to a value of the array of int32 at an address."""

    def generate(context, builder, signature, arguments):
        array, index = arguments
        pointer = builder.gep(builder.inttoptr(array, INT32.as_pointer()), [index])
        builder.store(builder.add(builder.load(pointer), INT32(1)), pointer)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def divide(typing, number, divisor):
    """Return the quotient of two numbers above zero, which is not checked."""

    def generate(context, builder, signature, arguments):
        return builder.udiv(*arguments)

    return types.int64(types.int64, types.int64), generate
