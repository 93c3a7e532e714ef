"""Tags of audio files: containers, fields, dates, and the content hash."""
