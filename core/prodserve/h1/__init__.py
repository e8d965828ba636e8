"""HTTP/1.x on the wire (RFC 9112), without I/O: bytes in, requests and framed bytes out."""
