"""Pages of installed packages that nobody is to have, superusers included.

A schedule of django-q2 names any function to call, and its task rows are pickles: who can write them can run any code.
Second factors and identities are their owners' own: who could write them could be anybody.
"""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin

#: Apps whose tables have no pages here.
_WITHOUT_PAGES = ("django_q", "sessions", "contenttypes", "account", "mfa", "socialaccount")
#: Apps whose permissions nobody can be given: besides those, tokens, of which everyone manages their own.
UNGRANTABLE_APPS = (*_WITHOUT_PAGES, "knox")


def close_pages() -> None:
    """Take those pages off the site; a second call does nothing."""
    for app_label in _WITHOUT_PAGES:
        for model in apps.get_app_config(app_label).get_models():
            if admin.site.is_registered(model):
                admin.site.unregister(model)


close_pages()
