#!/usr/bin/env python
"""The hub's command line: `python manage.py help`."""

import os
import sys


def main() -> None:
    """Run a management command; a bad setting is one line, not a traceback."""
    if sys.version_info < (3, 11):
        sys.exit("hub: Python 3.11 or newer is needed, this is %d.%d" % sys.version_info[:2])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")
    try:
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line

        from hub import unsafe
    except ImportError as exc:
        sys.exit("hub: %s; run `make run`, or install requirements.txt into this Python" % exc)
    try:
        _ = settings.INSTALLED_APPS  # reads hub/settings.py
        if sys.argv[1:2] in (["hub"], ["worker"], ["doctor"]):
            unsafe.refuse(unsafe.chosen(settings))
    except ImproperlyConfigured as exc:
        sys.exit("hub: %s" % exc)
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
