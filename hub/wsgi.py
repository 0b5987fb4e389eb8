"""The web application for any WSGI server: `hub.wsgi:application`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
django.setup(set_prefix=False)

from django.conf import settings  # noqa: E402 - Django has to be set up first
from django.urls import get_resolver  # noqa: E402

# Their counts are in memory that the server's processes share: it has to be there before they are forked.
import deliveries.api.throttling  # noqa: E402
import deliveries.receiving.throttling  # noqa: E402, F401
from hub import unsafe  # noqa: E402
from hub.requests import Handler  # noqa: E402

unsafe.refuse(unsafe.chosen(settings))
application = Handler()
# Every view, with all that it imports: else each process would do it while its first requests wait.
get_resolver().url_patterns  # noqa: B018 - read once, kept from then on
