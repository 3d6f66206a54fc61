"""What one count is, and the engine that counts: every number in `results/coverage/` depends on this folder."""
