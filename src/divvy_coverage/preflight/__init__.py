"""All checks of the inputs before a job starts.

`checks` runs them in order and decides whether a run may start. Each check returns problems and has a file of its own:
`sample_files` looks at what the files of the sheet are and whether they are whole, `genomes` whether they and the
regions are of one genome, `region_sets` at the regions and peaks. The sheet itself is checked where it is read.
"""
