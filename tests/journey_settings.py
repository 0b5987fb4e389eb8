"""The hub's own settings for real processes; static files are served from the packages, nothing is collected."""

import sys

# What only tools of development bring is not there in production, and would cost each process a tenth of its start.
sys.modules.update(dict.fromkeys(("docutils", "jinja2", "trio")))  # type: ignore[arg-type]

from hub.settings import *  # noqa: E402, F403
from hub.settings import INSTALLED_APPS  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "tests.automations"]  # handlers that tests deliver to

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
