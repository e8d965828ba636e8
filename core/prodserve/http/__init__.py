"""HTTP semantics (RFC 9110) as pure functions and tables: no socket, no gevent, no clock but the one given."""
