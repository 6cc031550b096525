"""Facts about the node that this runs on, for `core.preflight`. No Ray, no vLLM, no torch: a
probe is a task that takes milliseconds once its process is there."""
