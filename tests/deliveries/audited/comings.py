"""How people come in and change what they come in with, at the addresses of the admin."""

from __future__ import annotations

import re
from typing import Any

import httpx
from django.contrib.auth.models import Group, User
from django.test import Client, override_settings
from knox.models import AuthToken

from deliveries import tokens
from hub import signing_in
from tests.deliveries.admin.people import make_user
from tests.deliveries.admin.test_roles import UNRESTRICTED
from tests.deliveries.audited.doings import TYPED, doing
from tests.deliveries.audited.site import Site
from tests.deliveries.audited.watching import ADDRESS
from tests.deliveries.signing_in.codes import AGAIN, PASSWORD, SET_UP, code, log_in, set_up
from tests.deliveries.signing_in.provider import CLIENT_ID, CLIENT_SECRET, running_provider

NEW = "another long pass phrase"


# -- users, roles, tokens ---------------------------------------------------------------------------------------------
@doing("auth_user_add")
def _(site: Site) -> Any:
    passwords = {"usable_password": "true", "password1": NEW, "password2": NEW}
    return site.post("auth_user_add", username="otto", is_staff="on", **passwords, **UNRESTRICTED)


@doing("auth_user_change")
def _(site: Site) -> Any:
    viewer = make_user("viewer")
    operator = Group.objects.get(name="operator")
    return site.fill("auth_user_change", viewer.pk, groups=[operator.pk])


@doing("auth_user_password_change")
def _(site: Site) -> Any:
    passwords = {"usable_password": "true", "password1": TYPED, "password2": TYPED}
    return site.post("auth_user_password_change", make_user("viewer").pk, **passwords)


@doing("auth_group_add")
def _(site: Site) -> Any:
    return site.fill("auth_group_add", name="night shift")


@doing("auth_group_change")
def _(site: Site) -> Any:
    return site.fill("auth_group_change", Group.objects.get(name="viewer").pk, name="reader")


@doing("auth_group_delete")
def _(site: Site) -> Any:
    return site.post("auth_group_delete", Group.objects.create(name="night shift").pk, post="yes")


@doing("knox_authtoken_changelist", "make")
def _(site: Site) -> Any:
    return site.post("knox_authtoken_changelist", make="1", days="30", scopes=["read"])


@doing("knox_authtoken_changelist", "revoke")
def _(site: Site) -> Any:
    row, _ = tokens.make(site.user, life=None, scopes=None, by=site.user)
    return site.post("knox_authtoken_changelist", revoke=AuthToken.objects.get(pk=row.pk).token_key, confirmed="yes")


# -- passwords and second factors -------------------------------------------------------------------------------------
@doing("admin/password_change/")
def _(site: Site) -> Any:
    return site.post("password_change", old_password=PASSWORD, new_password1=NEW, new_password2=NEW)


@doing("own-sessions")
def _(site: Site) -> Any:
    log_in(site.user)
    return site.post("own-sessions")


def outside(site: Site) -> Site:
    """Return the site as somebody sees it who is not logged in."""
    site.client = Client(REMOTE_ADDR=ADDRESS)
    return site


def with_second_factor(site: Site) -> tuple[str, list[str]]:
    """Set one up, and say the password once more: what is changed now is taken."""
    site.client = log_in(site.user, Client(REMOTE_ADDR=ADDRESS))
    return set_up(site.client)


@doing("account_login")
def _(site: Site) -> Any:
    return outside(site).post("account_login", username="root", password=PASSWORD)


@doing("account_login", "fails")
def _(site: Site) -> Any:
    answer = outside(site).post("account_login", username="root", password="not this one")
    site.user = User(username="root")  # nobody has come in: the entry has the name alone
    return answer


@doing("logout")
def _(site: Site) -> Any:
    return site.post("logout")


@doing("mfa_activate_totp")
def _(site: Site) -> Any:
    site.client = log_in(site.user, Client(REMOTE_ADDR=ADDRESS))
    site.client.post(f"{AGAIN}?next={SET_UP}", {"password": PASSWORD})
    found = re.search(r'id="totp-secret">([A-Z2-7]+)<', site.client.get(SET_UP).content.decode())
    assert found
    return site.post("mfa_activate_totp", code=code(found[1]))


@doing("mfa_deactivate_totp")
def _(site: Site) -> Any:
    with_second_factor(site)
    return site.post("mfa_deactivate_totp")


@doing("mfa_generate_recovery_codes")
def _(site: Site) -> Any:
    with_second_factor(site)
    return site.post("mfa_generate_recovery_codes")


@doing("mfa_authenticate")
def _(site: Site) -> Any:
    _, recovery_codes = with_second_factor(site)
    site.client = log_in(site.user, Client(REMOTE_ADDR=ADDRESS))
    return site.post("mfa_authenticate", code=recovery_codes[0])


@doing("mfa_reauthenticate", "by a recovery code")
def _(site: Site) -> Any:
    _, recovery_codes = with_second_factor(site)
    return site.post("mfa_reauthenticate", code=recovery_codes[0])


@doing("openid_connect_callback")
def _(site: Site) -> Any:
    roles = {"hub-team": "operator"}
    with running_provider() as provider:
        told = signing_in.Provider(
            issuer=provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, name="Staff", roles=roles,
            scopes=[],
        )  # fmt: skip
        provider.person = {"sub": "u-1", "preferred_username": "ada", "groups": ["hub-team"]}
        with override_settings(HUB_OIDC_ROLES=roles, SOCIALACCOUNT_PROVIDERS=signing_in.providers(told)):
            there = outside(site).client.get("/admin/login/oidc/sso/login/")["Location"]
            back = httpx.get(there).headers["Location"].removeprefix("http://testserver")
            answer = site.get(back)
    site.user = User.objects.get(username="ada")
    return answer
