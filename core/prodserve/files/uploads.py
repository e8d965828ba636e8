"""What is sent with files that strangers have uploaded, so that a browser runs nothing of them in the site's name."""

from __future__ import annotations


def upload_fields(name: str, content_type: str) -> tuple[tuple[str, str], ...]:
    """The fields for the upload ``name``, which is sent as ``content_type``."""
    return (("X-Content-Type-Options", "nosniff"), ("Content-Security-Policy", "default-src 'none'; sandbox"))
