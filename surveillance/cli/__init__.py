"""The front door: `pms`. The only place where streams and api meet; nothing imports it."""
