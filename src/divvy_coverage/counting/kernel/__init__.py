"""The loop over the records of BAM, compiled: bounds checks, selection, mates, overlaps and statistics.

`layout` names the cells of the block of memory that the loop works on; `counters` sets it up and reads it. `memory`,
`records`, `mates`, `spans` and `walk` are what numba compiles, `build` compiles them, and `load` gives the result to
Python; numba itself is imported only where nothing has been compiled yet.
"""
