"""What numba compiles: the loop over the records of BAM, with bounds checks, selection, mates, overlaps and statistics.

`layout` names the cells of the block of memory that the loop works on. Nothing here imports anything of the library
from elsewhere, so that compiled code is that of these files as long as they are the same.
"""
