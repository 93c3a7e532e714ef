"""Catalogs: what a source holds, and the folder that keeps it."""
