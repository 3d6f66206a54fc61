"""The compiled loops, for Python.

`build` compiles them, and `load` gives the result to Python; numba itself is imported only where nothing has been
compiled yet. `decoder` makes batches of the records of a file, and `one_pass` gives them to all that counts.
"""
