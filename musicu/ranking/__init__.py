"""Rankers: how well candidates fit a listener, a playlist or a seed, and what says so."""
