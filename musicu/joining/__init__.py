"""Other people's data beside a catalog: dumps and tables are read in a stream and matched."""
