"""The trainer, its data, its checkpoints, in one process and in two."""
