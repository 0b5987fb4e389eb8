"""The settings that the hub offers to test automations with, and the automations of its own tests."""

from hub.testing.settings import *  # noqa: F403
from hub.testing.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.automations"]  # handlers that tests deliver to
