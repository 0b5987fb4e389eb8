"""Settings from the environment: every reader, its default, its file, and what it says of a bad value."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from hub import env

KEY = Fernet.generate_key().decode()
pytestmark = pytest.mark.any_database
POSTGRES = "django.db.backends.postgresql"

# The reader with a default, a text it takes, what it makes of it, and texts that it refuses.
READERS: dict[str, tuple[Callable[[str], Any], Any, str, Any, list[str]]] = {
    "str": (lambda name: env.env_str(name, "default"), "default", "text", "text", []),
    "int": (
        lambda name: env.env_int(name, 7, minimum=1, maximum=9),
        7,
        "3",
        3,
        ["0", "10", "s3cret", "9" * 5000],
    ),
    "int without a maximum": (lambda name: env.env_int(name, 7), 7, "100000", 100_000, ["-1"]),
    "bool": (lambda name: env.env_bool(name, True), True, "Off", False, ["maybe", "2"]),
    "list": (lambda name: env.env_list(name, ["a"]), ["a"], " b, ,c ,", ["b", "c"], []),
    "networks": (
        lambda name: env.env_networks(name, ["::1/128"]),
        [ip_network("::1/128")],
        "10.0.0.0/8, 192.0.2.7",
        [ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32")],
        ["10.0.0.1/8", "s3cret", "10.0.0.0/33", "10.0.0.0/8;::1"],
    ),
    "choice": (lambda name: env.env_choice(name, "a", ("a", "b")), "a", "b", "b", ["c", "A"]),
    "base url": (
        lambda name: env.env_base_url(name, "http://127.0.0.1:8000"),
        "http://127.0.0.1:8000",
        "https://hub.example.com/base/",
        "https://hub.example.com/base",
        [
            *("hub.example.com", "ftp://hub.example.com", "https://", "https://user:s3cret@hub.example.com"),
            *("https://hub.example.com?x=1", "https://hub.example.com#x", "https://hub.example.com:99999"),
            *(
                "https://hub.example.com/a b",
                "https://hub.example.com:port",
                "https://[::1",
                "https://h\u00fcb.example",
            ),
        ],
    ),
}


@pytest.fixture(autouse=True)
def _no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HUB_TEST", raising=False)
    monkeypatch.delenv("HUB_TEST_FILE", raising=False)


@pytest.mark.parametrize("kind", READERS)
class TestAReader:
    def test_returns_its_default_if_nothing_is_set(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        read, default, *_ = READERS[kind]
        assert read("HUB_TEST") == default
        monkeypatch.setenv("HUB_TEST", "  ")
        assert read("HUB_TEST") == default

    def test_reads_the_variable(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        read, _, text, value, _ = READERS[kind]
        monkeypatch.setenv("HUB_TEST", text)
        assert read("HUB_TEST") == value

    def test_reads_the_named_file_before_the_variable(
        self, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        read, _, text, value, _ = READERS[kind]
        (tmp_path / "value").write_text(f"\n{text}\n")
        monkeypatch.setenv("HUB_TEST", "this is not read")
        monkeypatch.setenv("HUB_TEST_FILE", str(tmp_path / "value"))
        assert read("HUB_TEST") == value

    def test_names_the_setting_and_not_the_bad_value(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        read, _, _, _, refused = READERS[kind]
        for text in refused:
            monkeypatch.setenv("HUB_TEST", text)
            with pytest.raises(ImproperlyConfigured, match=r"^HUB_TEST has to be ") as refusal:
                read("HUB_TEST")
            assert_hides(refusal.value, text)

    def test_names_the_file_setting_if_the_file_cannot_be_read(
        self, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "latin").write_bytes(b"\xff\xfe")
        for path in (tmp_path / "not-there", tmp_path, tmp_path / "latin"):
            monkeypatch.setenv("HUB_TEST_FILE", str(path))
            with pytest.raises(ImproperlyConfigured, match=r"^HUB_TEST_FILE cannot be read: "):
                READERS[kind][0]("HUB_TEST")


def assert_hides(error: ImproperlyConfigured, text: str) -> None:
    assert "\n" not in str(error)
    assert "s3cret" not in str(error)
    assert len(text) < 30 or text not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


class TestARequiredSetting:
    def test_is_named_if_it_is_missing_or_empty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for read in (env.env_str, env.env_secret, env.env_fernet_keys):
            for value in ("", "   "):
                monkeypatch.setenv("HUB_TEST", value)
                with pytest.raises(ImproperlyConfigured, match=r"^HUB_TEST is not set \(nor HUB_TEST_FILE\)$"):
                    read("HUB_TEST")

    def test_is_read_from_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("s3cret\n")
        monkeypatch.setenv("HUB_TEST_FILE", str(tmp_path / "secret"))
        assert env.env_secret("HUB_TEST") == "s3cret"


class TestEncryptionKeys:
    def test_are_a_list_of_which_each_is_checked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUB_TEST", f"{KEY}, {KEY}")
        assert env.env_fernet_keys("HUB_TEST") == [KEY, KEY]
        for bad in ("s3cret", f"{KEY},{KEY[:-2]}", f"{KEY},\u00e9"):
            monkeypatch.setenv("HUB_TEST", bad)
            with pytest.raises(ImproperlyConfigured, match=r"^HUB_TEST has to be a comma-separated list of") as refusal:
                env.env_fernet_keys("HUB_TEST")
            assert_hides(refusal.value, bad)


class TestADatabaseUrl:
    def test_is_sqlite_or_postgresql(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert env.env_database("HUB_TEST", "sqlite:////var/hub.sqlite3")["NAME"] == "/var/hub.sqlite3"
        monkeypatch.setenv("HUB_TEST", "postgres://me:p%40ss@db.example:5433/hub?sslmode=require")
        config = env.env_database("HUB_TEST", "sqlite:///unused")
        assert config["ENGINE"] == POSTGRES
        assert (config["USER"], config["PASSWORD"], config["HOST"], config["PORT"]) == (
            "me",
            "p@ss",
            "db.example",
            5433,
        )
        assert config["OPTIONS"] == {"sslmode": "require"}

    @pytest.mark.parametrize(
        "text",
        [
            *(
                "mysql://me:s3cret@db/hub",
                "nonsense",
                "postgres://me:s3cret@db:port/hub",
            ),
            *("sqlite://:memory:", "sqlite://", "postgres://me:s3cret@db"),
        ],
    )
    def test_is_refused_without_its_password(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUB_TEST", text)
        with pytest.raises(ImproperlyConfigured, match=r"^HUB_TEST has to be a sqlite://") as refusal:
            env.env_database("HUB_TEST", "sqlite:///unused")
        assert_hides(refusal.value, text)


class TestAMailServersUrl:
    def test_says_host_port_login_and_tls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert env.env_mail("HUB_TEST") == {}
        monkeypatch.setenv("HUB_TEST", "smtp+tls://me%40shop:p%2Fss@mail.example")
        assert env.env_mail("HUB_TEST") == {
            "EMAIL_HOST": "mail.example",
            "EMAIL_PORT": 587,
            "EMAIL_HOST_USER": "me@shop",
            "EMAIL_HOST_PASSWORD": "p/ss",
            "EMAIL_USE_TLS": True,
            "EMAIL_USE_SSL": False,
        }
        monkeypatch.setenv("HUB_TEST", "smtp://127.0.0.1:2525")
        assert env.env_mail("HUB_TEST")["EMAIL_PORT"] == 2525

    @pytest.mark.parametrize("text", ["mail.example", "http://me:s3cret@mail", "smtp://", "smtp://me:s3cret@mail:no/"])
    def test_is_refused_without_its_password(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUB_TEST", text)
        with pytest.raises(ImproperlyConfigured, match=r"^HUB_TEST has to be an address such as smtp") as refusal:
            env.env_mail("HUB_TEST")
        assert_hides(refusal.value, text)


class TestTheDotenvFile:
    def test_does_not_overrule_what_is_set(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        path = tmp_path / ".env"
        path.write_text("# a comment\nHUB_TEST=from the file\nHUB_TEST_2='quoted'\n")
        monkeypatch.setenv("HUB_TEST", "from outside")
        monkeypatch.setenv("HUB_TEST_2", "")
        monkeypatch.delenv("HUB_TEST_2")
        env.load_dotenv(path)
        assert (os.environ["HUB_TEST"], os.environ["HUB_TEST_2"]) == ("from outside", "quoted")

    def test_may_be_missing(self, tmp_path: Path) -> None:
        env.load_dotenv(tmp_path / ".env")


class TestManage:
    """`manage.py` as a process, with the settings of this run and one that is wrong."""

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("SECRET_KEY", ""),
            ("HUB_ENCRYPTION_KEYS", "s3cret"),
            ("HUB_PORT", "s3cret"),
            ("HUB_EGRESS_ALLOW", "s3cret"),
            ("DATABASE_URL", "mysql://me:s3cret@db/hub"),
            ("LOG_LEVEL", "s3cret"),
        ],
    )
    def test_stops_with_one_line_that_names_a_bad_setting(self, name: str, value: str, tmp_path: Path) -> None:
        result = self.manage({name: value, f"{name}_FILE": ""}, "check")
        assert result.returncode == 1
        assert result.stdout == ""
        assert result.stderr.startswith(f"hub: {name} ")
        assert result.stderr.count("\n") == 1
        assert "s3cret" not in result.stderr

    def test_finds_nothing_to_say_on_this_machine_or_behind_tls(self) -> None:
        for base_url in ("http://127.0.0.1:8000", "http://localhost:8000", "https://hub.example.com"):
            result = self.manage({"HUB_BASE_URL": base_url}, "check", "--deploy", "--fail-level", "WARNING")
            assert (base_url, result.returncode, result.stderr) == (base_url, 0, "")

    def test_warns_of_a_public_address_without_tls(self) -> None:
        result = self.manage({"HUB_BASE_URL": "http://hub.example.com"}, "check", "--deploy", "--fail-level", "WARNING")
        assert result.returncode == 1
        assert "hub.W001" in result.stderr
        assert "security.W" not in result.stderr

    def test_serves_with_nothing_unsafe_and_says_in_one_line_what_is(self) -> None:
        environment = {"HUB_BASE_URL": "http://hub.example.com", "HUB_BIND": "0.0.0.0", "HUB_ALLOW_HTTP": "false"}
        for command in ("hub", "worker"):
            result = self.manage(environment, command)
            assert (command, result.returncode, result.stdout) == (command, 1, "")
            assert result.stderr.startswith("hub: HUB_BASE_URL is a plain http address")
            assert result.stderr.count("\n") == 1
        assert self.manage(environment, "check").returncode == 0

    @staticmethod
    def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        root = Path(__file__).parents[2]
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=root,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "hub.settings", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
