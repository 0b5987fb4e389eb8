"""Telling people what is wrong: rules over what the hub knows, alerts that begin and end, messages that go out."""
