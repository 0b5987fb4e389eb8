"""Processes are killed at random while events come in; afterwards every promise is checked from outside.

``python -m tests.chaos --rounds 200 --seed 1`` (or ``make chaos``); a short form is a part of the test suite.
"""
