"""What the server tells of itself: the shared board, the logs."""
