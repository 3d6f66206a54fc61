"""The report on one page, its plots, and the content for MultiQC."""
