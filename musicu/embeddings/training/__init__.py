"""Training an audio encoder: material, pairs, augmentation, the loop, and the export (torch)."""
