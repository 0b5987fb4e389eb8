"""The hub's own settings for real processes, with the handlers of this package."""

from tests.journey_settings import *  # noqa: F403
from tests.journey_settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos"]
