"""Track encoders: metadata, sound and listening in one space, learned on one's own catalog."""
