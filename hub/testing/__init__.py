"""pytest fixtures for automations: a hub in the test's own process, outside systems, a clock.

In the ``conftest.py`` of your package:

    from hub.testing.fixtures import clock, connections, hub
"""
