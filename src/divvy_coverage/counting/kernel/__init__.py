"""The compiled loop, for Python.

`build` compiles it, and `load` gives the result to Python; numba itself is imported only where nothing has been
compiled yet. `counters` sets up the block of memory that the loop works on, and reads it.
"""
