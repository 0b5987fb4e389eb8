"""What is said of deployment in files: it parses, keeps its promises, and its scripts make what the hub takes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from ruamel.yaml import YAML

from deliveries.database_roles import Roles, making
from hub import env
from tests.running_hub import ROOT

pytestmark = pytest.mark.any_database
DEPLOYMENT = ROOT / "docs" / "deployment"
OURS = ("migrate", "web", "worker")


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe").load(ROOT / "compose.yaml")


class TestCompose:
    def test_runs_everything_of_ours_read_only_and_without_rights(self, compose: Any) -> None:
        for name in OURS:
            service = compose["services"][name]
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name

    def test_names_settings_that_there_are(self, compose: Any) -> None:
        known = set(env.declared())
        for name in OURS:
            named = {key.removesuffix("_FILE") for key in compose["services"][name]["environment"]}
            assert named <= known, name

    def test_gives_each_process_its_own_role_and_no_secret_beyond(self, compose: Any) -> None:
        for name, role in (("migrate", "owner"), ("web", "web"), ("worker", "worker")):
            service = compose["services"][name]
            assert service["environment"]["DATABASE_URL_FILE"] == f"/run/secrets/{role}_url"
            read = {value.rpartition("/")[2] for key, value in service["environment"].items() if key.endswith("_FILE")}
            assert set(service["secrets"]) == read
        given = {secret for each in compose["services"].values() for secret in each.get("secrets", [])}
        assert given == set(compose["secrets"])

    def test_reaches_the_database_from_inside_alone(self, compose: Any) -> None:
        assert compose["services"]["db"]["networks"] == ["inside"]
        assert "ports" not in compose["services"]["db"]
        assert [name for name, each in compose["services"].items() if "ports" in each] == ["proxy"]
        assert (
            compose["networks"]["outside"]["ipam"]["config"][0]["subnet"]
            == (compose["services"]["web"]["environment"]["HUB_TRUSTED_PROXIES"])
        )

    def test_has_secrets_from_the_script_which_keeps_what_there_is(self, compose: Any, tmp_path: Path) -> None:
        folder = tmp_path / "secrets"
        script = ["sh", str(DEPLOYMENT / "make-secrets.sh"), str(folder)]
        subprocess.run(script, check=True, capture_output=True)
        made = {file.name: file.read_text() for file in folder.iterdir()}
        subprocess.run(script, check=True, capture_output=True)

        assert set(made) == set(compose["secrets"])
        assert {file.name: file.read_text() for file in folder.iterdir()} == made
        assert folder.stat().st_mode & 0o777 == 0o700
        Fernet(made["encryption_keys"])
        assert len(made["secret_key"]) >= 50
        assert made["web_url"] == f"postgres://hub_web:{made['web_password']}@db/hub"
        assert len(set(made.values())) == len(made)

    def test_makes_the_roles_that_the_command_makes(self) -> None:
        script = (DEPLOYMENT / "make-roles.sh").read_text()
        assert all(f"{statement};" in script for statement in making(Roles()))


class TestTheImage:
    def test_is_of_two_stages_for_a_user_without_rights_and_says_how_it_is(self) -> None:
        text = (ROOT / "Dockerfile").read_text()
        assert len(re.findall(r"^FROM ", text, re.MULTILINE)) == 2
        assert re.search(r"^USER 10001$", text, re.MULTILINE)
        assert "HEALTHCHECK" in text
        assert "/secrets/" in (ROOT / ".gitignore").read_text()
        assert "secrets" in (ROOT / ".dockerignore").read_text().split()

    def test_takes_extras_of_which_the_version_is_known(self) -> None:
        pinned = set(re.findall(r"^([\w-]+)==", (ROOT / "requirements-extras.txt").read_text(), re.MULTILINE))
        pages = [page.read_text() for page in (ROOT / "docs" / "how-to").glob("*.md")]
        named = {name for page in pages for names in re.findall(r'EXTRAS="([^"]+)"', page) for name in names.split()}

        assert named
        assert named <= pinned

    def test_is_built_with_the_extras_that_compose_is_given(self, compose: Any) -> None:
        assert compose["services"]["web"]["build"]["args"] == {"EXTRAS": "${EXTRAS:-}"}
        steps = (ROOT / "Dockerfile").read_text()
        assert re.search(r"ARG EXTRAS.*\nRUN [^\n]*-c requirements-extras\.txt \$EXTRAS\n", steps)
