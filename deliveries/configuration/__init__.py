"""Configuration as a file: exported, compared with what the hub has, and applied. See docs/reference/configuration.md.

A model joins by a module with its `Kind` and a line in ``kinds.KINDS``.
"""
