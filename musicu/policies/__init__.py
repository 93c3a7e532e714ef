"""Policies: what is tried, with which probability, so that it can be learned from."""
