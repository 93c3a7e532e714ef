"""What takes a source through the models into a catalog."""
