"""What the engine says of itself: a metrics and health endpoint, and logs written off the hot path."""
