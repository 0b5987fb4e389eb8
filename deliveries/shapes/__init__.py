"""What payloads of each event type look like: names of fields and types of values, never values, and what changes."""
