"""Single sign-on at a really started hub with several web processes: there, back in, and turned away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.deliveries.signing_in.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.running_hub import RunningHub, running_hub, web_server

pytestmark = [pytest.mark.journey, pytest.mark.any_database]
ADA = {"sub": "u-1", "preferred_username": "ada", "email": "ada@example.com", "name": "Ada L", "groups": ["hub-team"]}


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        provider.person = dict(ADA)
        yield provider


@pytest.fixture
def hub(tmp_path: Path, provider: Provider) -> Iterator[RunningHub]:
    secret = tmp_path / "client-secret"
    secret.write_text(f"{CLIENT_SECRET}\n", encoding="utf-8")
    told = {
        "HUB_OIDC_ISSUER": provider.issuer,
        "HUB_OIDC_CLIENT_ID": CLIENT_ID,
        "HUB_OIDC_CLIENT_SECRET_FILE": str(secret),
        "HUB_OIDC_ROLES": "hub-admins=administrator,hub-team=operator",
        "HUB_OIDC_NAME": "Log in with Example",
        "HUB_WEB_WORKERS": "2",
    }
    with running_hub(tmp_path, **told) as hub, web_server(hub, answers=lambda: is_alive(hub)):
        yield hub


def is_alive(hub: RunningHub) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{hub.url}/health/live").status_code == 200
    return False


def test_leads_from_the_login_page_to_where_one_wanted_to_go(hub: RunningHub, provider: Provider) -> None:
    with httpx.Client(base_url=hub.url, follow_redirects=True, trust_env=False) as browser:
        page = browser.get("/admin/deliveries/event/")
        assert "Log in with Example" in page.text
        there = browser.get("/admin/login/oidc/sso/login/", params={"next": "/admin/deliveries/event/"})
        assert (there.status_code, there.url.path) == (200, "/admin/deliveries/event/"), there.text[:500]
        assert browser.get("/admin/auth/user/").status_code == 403  # an operator is no administrator

    with httpx.Client(base_url=hub.url, follow_redirects=True, trust_env=False) as browser:
        provider.person["groups"] = ["others"]
        page = browser.get("/admin/login/oidc/sso/login/")
        assert page.url.path == "/admin/login/"
        assert "This account may not log in here." in page.text
    said = hub.python(
        "from deliveries.models import AuditEntry\n"
        "print(*AuditEntry.objects.filter(action='login_failed').values_list('message', flat=True))"
    )
    assert "The provider gives no role." in said
    assert CLIENT_SECRET not in hub.output.read_text(encoding="utf-8")


def test_says_so_where_the_provider_does_not_answer(hub: RunningHub, provider: Provider) -> None:
    provider.shutdown()
    provider.server_close()
    with httpx.Client(base_url=hub.url, follow_redirects=True, trust_env=False) as browser:
        page = browser.get("/admin/login/oidc/sso/login/")

    assert page.status_code < 500
    assert "You have not been logged in" in page.text
