"""A small studio: theory, instruments, patterns, styles and mixing for made music."""
