"""The server: the API, the webhooks, and what guards them. Reads and writes through app; nothing imports this room."""
