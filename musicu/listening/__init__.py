"""Who heard what: listens, histories, listener profiles, and the logs that they come from."""
