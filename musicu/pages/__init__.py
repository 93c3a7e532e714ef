"""The pages that musicu writes: one renderer, one set of templates, one player."""
