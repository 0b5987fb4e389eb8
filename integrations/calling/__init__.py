"""Calling outside systems by their connections: rows on one side, `integrations.connectors` on the other."""
