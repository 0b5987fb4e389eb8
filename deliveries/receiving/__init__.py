"""The inbound path: from bytes on a socket to an event with its deliveries, committed."""
