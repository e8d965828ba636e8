"""The settings of the server: one table, and everything that is derived from it."""
