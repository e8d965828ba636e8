"""The connection engine of a worker: one poller, many connections, slots that run the application."""
