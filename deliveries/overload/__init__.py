"""When there is more than the hub can take: what is refused first, and what stops so that events can be stored."""
