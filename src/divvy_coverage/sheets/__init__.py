"""What users write: sample sheets (PEPs and plain tables), what is wrong with them, and YAML, read strictly."""
