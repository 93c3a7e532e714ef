"""Models of sound, and what runs them over a catalog."""
