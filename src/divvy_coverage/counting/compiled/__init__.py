"""What numba compiles: the loop that decodes records of BAM into batches, and one loop for each thing that counts them.

`layout` names the cells of the blocks of memory that these loops work on. Nothing here imports anything of the library
from elsewhere, so that compiled code is that of these files as long as they are the same.
"""
