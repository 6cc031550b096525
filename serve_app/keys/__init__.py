"""API keys as they are stored: made, hashed, kept in a YAML file. Only `serving` checks them."""
