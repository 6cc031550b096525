"""Serve DeepSeek-class models on your own GPUs."""
