"""Single sign-on: whom the provider vouches for, and what it says that they may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from allauth.account.signals import user_logged_in
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext

from deliveries import audit
from deliveries.audit import Action
from deliveries.signing_in import second_factor
from deliveries.signing_in.accounts import refuse

logger = structlog.get_logger(__name__)


class SingleSignOn(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Lets in who has a role by the provider's claim, and gives them at each login the roles that it names."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Judge what the provider said; raises `ImmediateHttpResponse` for who is not let in."""
        claims = claims_of(sociallogin.account.extra_data)
        roles = roles_of(claims) if claims is not None else set()
        user = sociallogin.user if sociallogin.is_existing else None
        if user is not None:
            set_roles(user, roles)  # also to none, so that tokens of who has left may do nothing
        # Only logging in: an identity is not added to a user who is logged in already.
        if roles and sociallogin.state.get("process", "login") == "login":
            return
        reason = (
            gettext("The provider gives no role.")
            if claims is not None
            else gettext("The provider's answer is not whole.")
        )
        logger.warning("login.failed", reason=reason)
        name = user.get_username() if user else ""
        audit.record(Action.LOGIN_FAILED, user, by=None, who=name, message=reason)
        raise refuse(request)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Return whether the provider vouches for this one."""
        claims = claims_of(sociallogin.account.extra_data)
        return claims is not None and bool(roles_of(claims))

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make the user, who can log in by the provider only."""
        sociallogin.user.is_staff = True
        user: User = super().save_user(request, sociallogin, form)
        change = audit.difference(user, None, audit.snapshot(user))
        audit.record(Action.MADE, user, by=user, message="Came by single sign-on for the first time.", change=change)
        set_roles(user, roles_of(claims_of(sociallogin.account.extra_data) or {}))
        return user

    def send_notification_mail(self, *args: Any, **kwargs: Any) -> None:
        """Send nothing: the audit log has it."""


def claims_of(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the claims in what the provider said; None if the two halves of it are not about the same person.

    The user's data come from a second address; the signed half is what they are held against, as the standard has it.
    https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse
    """
    signed, more = said.get("id_token"), said.get("userinfo") or {}
    if not isinstance(signed, Mapping) or not isinstance(more, Mapping) or not signed.get("sub"):
        return None
    if more and more.get("sub") != signed["sub"]:
        return None
    return {**signed, **more}


def roles_of(claims: Mapping[str, Any]) -> set[str]:
    """Return the names of the roles that the claims give, by ``HUB_OIDC_ROLES``."""
    value = claims.get(settings.HUB_OIDC_CLAIM)
    roles = settings.HUB_OIDC_ROLES
    values = value if isinstance(value, list) else [value]
    return {roles[each] for each in values if isinstance(each, str) and each in roles}


@transaction.atomic
def set_roles(user: User, names: set[str]) -> None:
    """Give ``user`` the roles of that name and take those away that the provider could give; others stay."""
    known = set(user.groups.filter(name__in=settings.HUB_OIDC_ROLES.values()).values_list("name", flat=True))
    wanted = set(Group.objects.filter(name__in=names).values_list("name", flat=True))
    if known == wanted:
        return
    user.groups.remove(*Group.objects.filter(name__in=known - wanted))
    user.groups.add(*Group.objects.filter(name__in=wanted - known))
    change = ({"groups": sorted(known)}, {"groups": sorted(wanted)})
    audit.record(Action.CHANGED, user, by=user, message="Roles by single sign-on.", change=change)


def watch() -> None:
    """Take part in logins from now on; a second call does nothing."""
    user_logged_in.connect(_came, dispatch_uid="hub")


def _came(request: HttpRequest, user: User, sociallogin: SocialLogin | None = None, **_: Any) -> None:
    """Count a login by the provider as one with a second factor, where the provider asks for it."""
    if sociallogin is not None and settings.HUB_OIDC_PROVES_SECOND_FACTOR:
        second_factor.shown(request, user)
