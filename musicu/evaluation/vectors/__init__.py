"""How good vectors are: retrieval, probes, clusters, robustness."""
