"""What a small machine carries: `make bench-sizing`."""
