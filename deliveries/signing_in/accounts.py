"""What django-allauth asks about accounts: nobody signs up, nothing is mailed, staff alone comes in."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy

from deliveries.receiving.source import client_address

#: One sentence for every reason: which of them it is would help a stranger alone.
NOT_LET_IN = gettext_lazy("This account may not log in here.")


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Lets in active staff, whichever way they come."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return False: an administrator makes users, or the provider of single sign-on vouches for them."""
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Return an answer instead of a login for who may not come in, None for who may; before any second factor."""
        if user.is_active and user.is_staff:
            answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
            return answer
        return turned_away(request)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        """Return to the login page."""
        return turned_away(request)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that attempts are counted for; one for all that come by a Unix socket."""
        return str(client_address(request) or "socket")

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Return whether something is to be asked for again before a second factor is changed.

        Not of who has neither a password nor a factor yet: who came by the provider a moment ago.
        """
        request = kwargs.get("request") or self.request
        return bool(self.get_reauthentication_methods(request.user)) if request else True

    def add_message(self, request: HttpRequest, level: int, *args: Any, **kwargs: Any) -> None:
        """Say what went wrong; what went well is seen."""
        if level > messages.SUCCESS:
            super().add_message(request, level, *args, **kwargs)

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing: the audit log has it."""


def turned_away(request: HttpRequest) -> HttpResponseRedirect:
    """Return to the login page, which says that there is no way in."""
    messages.error(request, NOT_LET_IN)
    return HttpResponseRedirect(reverse("account_login"))


def refuse(request: HttpRequest) -> ImmediateHttpResponse:
    """Return what ends a login half-way when it is raised."""
    return ImmediateHttpResponse(turned_away(request))
