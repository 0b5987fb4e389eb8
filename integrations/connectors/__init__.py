"""Outbound clients: what handlers call outside systems with."""
