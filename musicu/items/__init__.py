"""The item table that every stage after the catalog reads, and the constraints on it."""
