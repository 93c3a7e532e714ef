"""Track encoders: metadata, audio and listening in one space, trained on one catalog."""
