"""Containers of audio files: where tags begin and end, and what they hold.

Each module knows one container: how to walk through it, as the content hash needs, and how to
read its tags into `raw_tags.RawTags`. They read a few kilobytes and never a picture. A damaged
field costs that field and leaves the file's other tags readable.
"""
