"""Files on disk: which one a URL names, where it may be, its codings and heads, and what is remembered of it."""
