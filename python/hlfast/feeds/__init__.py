"""Ways in: connections that carry leaders' fills and the public tape."""
