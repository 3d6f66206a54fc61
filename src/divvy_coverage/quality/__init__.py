"""Metrics of samples, derived from the evidence of counting: changing one recounts nothing."""
