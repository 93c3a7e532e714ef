"""What lies in audio files besides the sound: where tags begin and end, and what they say.

Each module knows one container: how to walk through it, which is what the content hash needs, and
how to read its tags into `raw.Raw`. They read a few kilobytes and never a picture. A damaged field
costs that field and not the rest of the file's tags.
"""
