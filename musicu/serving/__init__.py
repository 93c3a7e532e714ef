"""The service: a catalog over HTTP that learns from what listeners do."""
