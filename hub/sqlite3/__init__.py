"""SQLite as Django has it, with a queue before its only lock."""
