"""The generation and worker processes: where the application lives."""
