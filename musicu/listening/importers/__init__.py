"""Readers of the logs that people export, one file a format."""
