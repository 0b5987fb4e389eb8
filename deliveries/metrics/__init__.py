"""What the hub tells Prometheus: read from the database, so that every web process says the same."""
