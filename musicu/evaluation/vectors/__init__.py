"""Evaluation of vectors: retrieval, probes, clustering, hubness, robustness and cost."""
