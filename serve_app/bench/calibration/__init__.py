"""`serve-app bench --calibrate`: measures what the engine model of `serve-app simulate` needs."""
