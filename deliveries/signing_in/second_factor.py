"""The second factor: where its secrets lie, who has shown theirs, and who has to before they see anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from allauth.mfa import signals
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from deliveries import audit
from deliveries.audit import Action
from deliveries.signing_in.sessions import is_page
from integrations import encryption

GetResponse = Callable[[HttpRequest], HttpResponse]
#: Whose second factor this session has seen: the id of the user.
SHOWN = "hub_second_factor"
_NONE, _ONE = {"second_factor": False}, {"second_factor": True}
# Where a second factor is shown or set up, and the way out.
_WITHOUT = ("/admin/login/", "/admin/account/", "/admin/logout/", "/admin/jsi18n/")


class SecondFactor(DefaultMFAAdapter):  # type: ignore[misc]
    """Keeps secrets under ``HUB_ENCRYPTION_KEYS``, and names the hub in the authenticator."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy(
            "Incorrect code. Enter the one that is shown now; if that is refused, too, let the device that "
            "shows it set its clock by the network."
        ),
    }

    def encrypt(self, text: str) -> str:
        """Return the token that is stored."""
        return encryption.encrypt(text.encode()).decode("ascii")

    def decrypt(self, encrypted_text: str) -> str:
        """Return what `encrypt` was given; raises `ImproperlyConfigured` if no key fits."""
        return encryption.decrypt(encrypted_text.encode("ascii", "replace")).decode()

    def get_totp_label(self, user: User) -> str:
        """Return the user's name."""
        return user.get_username()

    def get_totp_issuer(self) -> str:
        """Return the hub's host: one may have several hubs in one authenticator."""
        return f"Automation Hub {urlsplit(settings.HUB_ADMIN_URL).hostname}"

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing: the audit log has it."""


def gate(get_response: GetResponse) -> GetResponse:
    """Show who has not shown a second factor nothing but the way to it, where ``HUB_REQUIRE_SECOND_FACTOR`` is on."""

    def middleware(request: HttpRequest) -> HttpResponse:
        is_asked = settings.HUB_REQUIRE_SECOND_FACTOR and not request.path_info.startswith(_WITHOUT)
        if is_asked and is_page(request) and request.user.is_authenticated and not has_shown(request):
            return _led_to_it(request)
        return get_response(request)

    return middleware


def has_shown(request: HttpRequest) -> bool:
    """Return whether the user has shown a second factor in this session."""
    return request.session.get(SHOWN) == request.user.pk


def shown(request: HttpRequest, user: User) -> None:
    """Note in the session that ``user`` has shown a second factor."""
    request.session[SHOWN] = user.pk


def was_set_up(request: HttpRequest, user: User) -> None:
    """Note that ``user`` has set up a second factor, and has shown it by that."""
    shown(request, user)
    audit.record(Action.CHANGED, user, by=user, message="Set up a second factor.", change=(_NONE, _ONE))


def has_new_recovery_codes(user: User) -> None:
    """Note that ``user`` has made new recovery codes."""
    change = audit.replaced("recovery_codes")
    audit.record(Action.CHANGED, user, by=user, message="Made new recovery codes.", change=change)


def watch() -> None:
    """Note from now on who shows and gives up a second factor; a second call does nothing."""
    signals.authenticator_removed.connect(_removed, dispatch_uid="hub")
    signals.authenticator_used.connect(_used, dispatch_uid="hub")
    signals.authentication_failed.connect(_failed, dispatch_uid="hub")


@transaction.atomic
def reset(user: User, *, by: User) -> int:
    """Take the second factor of ``user`` away, with its recovery codes; return how many rows that were."""
    count, _ = Authenticator.objects.filter(user=user).delete()
    if count:
        message = "Took the second factor away."
        audit.record(Action.CHANGED, user, by=by, message=message, change=(_ONE, _NONE), now=timezone.now())
    return int(count)


def _led_to_it(request: HttpRequest) -> HttpResponse:
    if not request.path_info.startswith("/admin/"):
        return JsonResponse(
            {"error": "permission_denied", "detail": gettext("Log in with a second factor.")}, status=403
        )
    has_one = Authenticator.objects.filter(user_id=request.user.pk, type=Authenticator.Type.TOTP).exists()
    name = "mfa_reauthenticate" if has_one else "mfa_activate_totp"
    query = f"?{urlencode({'next': request.get_full_path()})}" if request.method in {"GET", "HEAD"} else ""
    return HttpResponseRedirect(f"{reverse(name)}{query}")


def _removed(user: User, authenticator: Authenticator, **_: Any) -> None:
    if authenticator.type == Authenticator.Type.TOTP:
        message = "Took their own second factor away."
        audit.record(Action.CHANGED, user, by=user, message=message, change=(_ONE, _NONE))


def _used(request: HttpRequest, user: User, authenticator: Authenticator, **_: Any) -> None:
    shown(request, user)
    if authenticator.type == Authenticator.Type.RECOVERY_CODES:
        left = len(Authenticator.objects.get(pk=authenticator.pk).wrap().get_unused_codes())
        change = ({"recovery_codes_left": left + 1}, {"recovery_codes_left": left})
        audit.record(Action.CHANGED, user, by=user, message="Used a recovery code.", change=change)


def _failed(user: User, **_: Any) -> None:
    # Whoever gets here knows the password, and codes have a limit of their own.
    audit.record(Action.LOGIN_FAILED, user, by=None, who=user.get_username(), message="The second factor was wrong.")
