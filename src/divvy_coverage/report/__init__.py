"""The report on one page, its plots, pictures for papers, and content for MultiQC."""
