"""Schedules: events that nobody sends, made when their time has come."""
