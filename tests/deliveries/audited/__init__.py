"""That everything that changes something is in the audit log, whatever address it came through."""
