"""Programs that made what the package ships: constants, scorers and training music."""
