"""`serve-app plan`: how a model would lie on GPUs, and how fast it would be, before it is there."""
