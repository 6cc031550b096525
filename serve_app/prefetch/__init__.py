"""`serve-app models prefetch`: a model on every node of a Ray cluster, before an engine asks."""
