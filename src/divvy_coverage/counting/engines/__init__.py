"""Counting one file from front to back: what is in BAM goes to the compiled loop, and so do records made of text."""
