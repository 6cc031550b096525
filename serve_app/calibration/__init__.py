"""From measurements of an endpoint to the rates of the engine model; imports nothing of either."""
