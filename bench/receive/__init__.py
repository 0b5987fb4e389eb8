"""How fast the hub says yes: `make bench-receive`."""
