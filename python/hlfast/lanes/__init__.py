"""Ways out: WebSocket posts first, HTTP second."""
