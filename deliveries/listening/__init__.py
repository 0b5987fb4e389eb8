"""Events of another hub on this machine: fetched through its API, delivered as they came. No database is needed."""
