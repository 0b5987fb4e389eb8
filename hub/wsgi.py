"""The web application for any WSGI server: `hub.wsgi:application`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
django.setup(set_prefix=False)

from hub.requests import Handler  # noqa: E402 - Django has to be set up first

application = Handler()
