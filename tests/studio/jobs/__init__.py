"""Jobs: queue, workers, retention, and what a kill leaves behind."""
