"""The site's own views about passwords: a limit on failed logins, and a note of a changed password."""

from __future__ import annotations

import math
from typing import cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from deliveries import audit
from deliveries.admin.signing_in import log_in
from deliveries.api.throttling import login_succeeded, wait_before_login


def login(request: HttpRequest) -> HttpResponseBase:
    """Log in; 429 with the time to wait where too many attempts from one address have failed."""
    if request.method != "POST":
        return log_in(request)
    wait = wait_before_login(request)
    if wait:
        context = {
            **admin.site.each_context(request),
            "title": gettext("Too many attempts"),
            "seconds": math.ceil(wait),
        }
        headers = {"Retry-After": str(math.ceil(wait)), "Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/deliveries/too_many.html", context, status=429, headers=headers)
    answer = log_in(request)
    if answer.status_code == 302:  # the password was right; a second factor has a limit of its own
        login_succeeded(request)
    return answer


def password_change(request: HttpRequest) -> HttpResponseBase:
    """Change one's own password."""
    return admin.site.admin_view(_password_change, cacheable=True)(request)


@transaction.atomic
def _password_change(request: HttpRequest) -> HttpResponseBase:
    answer = admin.site.password_change(request)
    if request.method == "POST" and answer.status_code == 302:
        user, change = cast(User, request.user), audit.replaced("password")
        audit.record(audit.Action.CHANGED, user, by=user, message="Changed their own password.", change=change)
    return answer
