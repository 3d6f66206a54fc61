"""All checks of the inputs before a job starts: sample sheet, alignment files, genomes, peaks and region sets."""
