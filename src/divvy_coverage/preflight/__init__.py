"""All checks of the inputs before a job starts.

`checks` runs them in order and decides whether a run may start. Each check returns problems and has a file of its own:
`sheet` and `pep` check the sample sheet, `paths` the files that it names, `alignment_files` what these are and whether
they are whole, `genomes` whether they and the regions are of one genome, `region_sets` the regions and peaks.
"""
