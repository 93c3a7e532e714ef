"""Folders, lists and tables, as rows of tracks."""
