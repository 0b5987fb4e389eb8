"""What is said of deployment in files: it parses, keeps its promises, and its scripts make what the hub takes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from jsonschema import Draft202012Validator as Validator
from ruamel.yaml import YAML

from deliveries.database_roles import Roles, making
from hub import env
from tests.image import Dockerfile, build, is_let_through
from tests.running_hub import ROOT

pytestmark = pytest.mark.any_database
DEPLOYMENT = ROOT / "docs" / "deployment"
OURS = ("migrate", "web", "worker")


@pytest.fixture(scope="module")
def compose() -> Any:
    return YAML(typ="safe").load(ROOT / "compose.yaml")


@pytest.fixture(scope="module")
def specification() -> Validator:
    """Return the Compose specification's own schema, which check-jsonschema brings along."""
    found = resources.files("check_jsonschema").joinpath("builtin_schemas", "vendor", "compose-spec.json")
    return Validator(json.loads(found.read_text()))


def made_secrets(folder: Path) -> Path:
    """Return the folder with the secrets that the script makes."""
    secrets = folder / "secrets"
    subprocess.run(["sh", str(DEPLOYMENT / "make-secrets.sh"), str(secrets)], check=True, capture_output=True)
    return secrets


def checked(settings: dict[str, str]) -> str:
    """Return what the hub has against ``settings``, which are all that it is given."""
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    given = {"PATH": os.environ["PATH"], **settings}
    done = subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=60, check=False)
    return done.stderr if done.returncode else ""


class TestCompose:
    def test_is_what_the_specification_takes(self, compose: Any, specification: Validator) -> None:
        assert [error.message for error in specification.iter_errors(compose)] == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [("read-only", True), ("tmpfs", 7), ("secrets", {"web_url": {}}), ("depends_on", {"db": {"condition": "up"}})],
    )
    def test_would_be_refused(self, name: str, value: object, compose: Any, specification: Validator) -> None:
        wrong = {**compose, "services": {**compose["services"], "web": {**compose["services"]["web"], name: value}}}
        assert not specification.is_valid(wrong)

    def test_names_files_and_volumes_that_there_are(self, compose: Any) -> None:
        sources = [each.partition(":")[0] for s in compose["services"].values() for each in s.get("volumes", [])]
        files = [source for source in sources if source.startswith("./")]
        assert len(files) == 2
        assert [file for file in files if not (ROOT / file).is_file()] == []
        assert {source for source in sources if source not in files} == set(compose["volumes"])

    def test_runs_everything_of_ours_read_only_and_without_rights(self, compose: Any) -> None:
        for name in OURS:
            service = compose["services"][name]
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name
            assert service["security_opt"] == ["no-new-privileges:true"], name

    def test_can_be_stopped_while_it_starts(self, compose: Any) -> None:
        # A first process of its own: a program that is the first one hears no SIGTERM before it listens for it.
        assert [name for name in OURS if compose["services"][name].get("init") is not True] == []

    def test_names_settings_that_there_are(self, compose: Any) -> None:
        known = set(env.declared())
        for name in OURS:
            named = {key.removesuffix("_FILE") for key in compose["services"][name]["environment"]}
            assert named <= known, name

    @pytest.mark.parametrize("name", OURS)
    def test_gives_settings_with_which_the_hub_starts_and_has_nothing_to_warn_of(
        self, name: str, compose: Any, tmp_path: Path
    ) -> None:
        given = {key: str(value) for key, value in compose["services"][name]["environment"].items()}
        filled = {key: re.sub(r"\$\{PUBLIC_HOST[^}]*\}", "hub.example.com", value) for key, value in given.items()}
        secrets = made_secrets(tmp_path)
        filled = {key: value.replace("/run/secrets", str(secrets)) for key, value in filled.items()}

        assert "${" not in "".join(filled.values())
        assert checked(filled) == ""
        assert "HUB_BASE_URL" in checked({**filled, "HUB_BASE_URL": "http://hub.example.com"})
        assert "SECRET_KEY" in checked({**filled, "SECRET_KEY_FILE": str(secrets / "another")})

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

    def test_has_files_that_the_containers_may_read_under_whatever_umask_they_were_cloned(
        self, compose: Any, tmp_path: Path
    ) -> None:
        for file in DEPLOYMENT.iterdir():
            if file.is_file():
                shutil.copy(file, tmp_path)
                (tmp_path / file.name).chmod(0o600)
        subprocess.run(["sh", str(tmp_path / "make-secrets.sh"), str(tmp_path / "secrets")], check=True)
        mounted = [each for service in compose["services"].values() for each in service.get("volumes", ())]
        names = [Path(each.split(":")[0]).name for each in mounted if each.startswith("./")]

        assert sorted(names) == ["Caddyfile", "make-roles.sh"]
        assert [name for name in names if (tmp_path / name).stat().st_mode & 0o777 != 0o644] == []

    def test_makes_the_roles_that_the_command_makes(self) -> None:
        script = (DEPLOYMENT / "make-roles.sh").read_text()
        assert "$(cat" not in script  # a password that is an argument can be read by everybody on the machine
        assert all(f"{statement};" in script for statement in making(Roles()))


class TestTheProxy:
    @pytest.mark.skipif(not os.environ.get("CI") and not shutil.which("caddy"), reason="needs Debian's caddy")
    def test_is_set_up_in_words_that_caddy_takes(self, tmp_path: Path) -> None:
        file = DEPLOYMENT / "Caddyfile"
        assert self.judged(file) == ""
        wrong = tmp_path / "Caddyfile"
        wrong.write_text(file.read_text().replace("lb_try_duration", "lb_try_durations"))
        assert "lb_try_durations" in self.judged(wrong)

    def judged(self, file: Path) -> str:
        """Return what caddy has against ``file``."""
        command = ["caddy", "validate", "--adapter", "caddyfile", "--config", str(file)]
        given = {**os.environ, "PUBLIC_HOST": "hub.example.com"}
        done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=20, check=False)
        return done.stderr if done.returncode else ""


class TestTheImage:
    def test_is_made_of_what_there_is_and_is_let_through(self) -> None:
        copied = Dockerfile().copied
        assert copied
        assert [name for name in copied if not (ROOT / name).exists()] == []
        assert [name for name in copied if name != "." and not is_let_through(name)] == []

    def test_has_nothing_of_this_machine_in_it(self) -> None:
        for name in (".env", ".venv", ".venv-sdks", ".git", "secrets", "db.sqlite3", "db.sqlite3-wal", "var", "tests"):
            assert not is_let_through(name), name
        for name in ("manage.py", "hub", "integrations", "deliveries", "templates", "requirements.txt"):
            assert is_let_through(name), name

    def test_can_be_read_by_its_user_under_whatever_umask_it_was_cloned(self, tmp_path: Path) -> None:
        app = build(tmp_path, umask=0o077)
        found = [app, *app.rglob("*")]
        assert len(found) > 500
        assert [str(path) for path in found if path.stat().st_mode & 0o444 != 0o444] == []
        assert [str(path) for path in found if path.is_dir() and path.stat().st_mode & 0o111 != 0o111] == []

    def test_has_a_folder_that_stays_writable_where_memory_takes_its_place(self, compose: Any) -> None:
        # Docker's runc gives a tmpfs the mode of the image's folder and root as its owner, Podman takes no uid.
        folder = Dockerfile().environment["HUB_DATA_DIR"]
        assert f"chmod 1777 {folder}" in (ROOT / "Dockerfile").read_text()
        for name in OURS:
            assert compose["services"][name]["tmpfs"] == ["/tmp", folder], name

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
