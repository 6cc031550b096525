"""How many replicas, replayed: traffic, a fleet that takes time to load, and who decides."""
