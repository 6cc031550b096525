"""Measures endpoints that speak OpenAI's API, side by side: `serve-app bench`."""
