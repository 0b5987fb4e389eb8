"""Settings from the environment: typed, one clear line when a value is missing or bad.

Every function reads ``NAME``, or the file named by ``NAME_FILE`` (its content, stripped), so that a secret can be
mounted rather than exported; the file wins if both are set. They raise `ImproperlyConfigured`, which names the setting
and never its value: no error is chained, because Python's own texts quote what they could not read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True)
class Declared:
    """One setting that was read: what its value is, in words, and its default; None: it has to be set."""

    kind: str
    default: Any


_declared: dict[str, Declared] = {}


def declared() -> Mapping[str, Declared]:
    """Return every setting that was read in this process, by name, in the order of the first reading."""
    return dict(_declared)


def load_dotenv(path: Path) -> None:
    """Read ``path`` into the environment, if it is there; what is already set stays."""
    if path.is_file():
        environ.Env.read_env(str(path))


@dataclass(frozen=True)
class Form:
    """What a text has to look like: a regular expression for the whole of it, and the same in words."""

    pattern: str
    words: str


COLLECTOR = Form(
    r"https?://(?!.*/v1/traces/?$)[^\s/?#]+(/[^\s?#]*)?",
    "the base address of a collector such as http://collector.internal:4318, without /v1/traces",
)
COLLECTOR_HEADERS = Form(r"([^=,\s]+ *=[^,\r\n]*(, *|$))+", "name=value,name=value")
SENTRY_ADDRESS = Form(
    r"https?://[^\s:@/]+(:[^\s@/]+)?@[^\s@/]+(/[^\s?#]*)?/\d+", "an address such as https://KEY@sentry.example.com/1"
)


def env_str(name: str, default: str | None = None, *, form: Form | None = None) -> str:
    """Return the text of ``name``; without a default it has to be set and not empty."""
    _declare(name, "text", default)
    return _formed(name, _text(name, default), form)


def _text(name: str, default: str | None) -> str:
    value = _raw(name)
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set (nor {name}_FILE)")
    return default


def env_secret(name: str) -> str:
    """Return a secret that has to be there; like `env_str`, under the name that says what it is."""
    _declare(name, "secret", None)
    return _text(name, None)


def env_int(name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
    """Return a whole number between ``minimum`` and ``maximum``, both included."""

    def whole(text: str) -> int:
        number = int(text)
        if number < minimum or (maximum is not None and number > maximum):
            raise ValueError
        return number

    upper = "" if maximum is None else f" to {maximum}"
    _declare(name, f"whole number from {minimum}{upper}", default)
    return _parsed(name, default, whole, f"a whole number from {minimum}{upper}")


def env_bool(name: str, default: bool) -> bool:
    """Return a switch: 1/true/yes/on or 0/false/no/off."""

    def switch(text: str) -> bool:
        if text.lower() in _TRUE:
            return True
        if text.lower() in _FALSE:
            return False
        raise ValueError

    _declare(name, "true or false", default)
    return _parsed(name, default, switch, "true or false")


def env_list(name: str, default: list[str] | None = None) -> list[str]:
    """Return comma-separated items, stripped, without the empty ones."""
    _declare(name, "list, comma-separated", default or [])
    return _items(name, default)


def _items(name: str, default: list[str] | None = None) -> list[str]:
    value = _raw(name)
    if not value:
        return list(default or [])
    return [item.strip() for item in value.split(",") if item.strip()]


def env_pairs(name: str) -> dict[str, str]:
    """Return comma-separated pairs such as ``left=right`` by what stands before the last ``=`` of each."""
    _declare(name, "pairs such as `left=right`, comma-separated", [])
    pairs = [item.rpartition("=") for item in _items(name)]
    if not all(left.strip() and right.strip() for left, _, right in pairs):
        raise ImproperlyConfigured(f"{name} has to be a list of pairs such as left=right")
    return {left.strip(): right.strip() for left, _, right in pairs}


def env_packages(name: str) -> list[str]:
    """Return comma-separated names of Python packages, each of which Python finds."""
    _declare(name, "Python packages, comma-separated", [])
    packages = _items(name)
    for package in packages:
        try:
            is_there = find_spec(package) is not None
        except (ImportError, ValueError):  # the package that it is in is not there, or the name is none
            is_there = False
        if not is_there:
            raise ImproperlyConfigured(f"{name} names {package!r}, which Python does not find")
    return packages


def env_extra(name: str, *, module: str, package: str, kind: str = "text", form: Form | None = None) -> str:
    """Return the text of ``name``, "" if it is not set; what it switches on needs ``module``, of an extra."""
    _declare(name, kind, "")
    text = _text(name, "")
    try:
        is_there = not text or find_spec(module) is not None
    except ImportError:  # the package that it is in is not there
        is_there = False
    if not is_there:
        raise ImproperlyConfigured(f"{name} needs {package}: pip install -c requirements-extras.txt {package}")
    return _formed(name, text, form)


def env_networks(name: str, default: list[str] | None = None) -> list[IPv4Network | IPv6Network]:
    """Return comma-separated networks such as ``10.0.0.0/8``; an address alone is the network of it alone."""
    _declare(name, "networks, comma-separated", default or [])
    try:
        return [ip_network(item) for item in _items(name, default)]
    except ValueError:
        raise ImproperlyConfigured(f"{name} has to be a list of networks such as 10.0.0.0/8") from None


def env_choice(name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return one of ``choices``."""

    def choice(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    _declare(name, " or ".join(f"`{each}`" for each in choices), default)
    return _parsed(name, default, choice, " or ".join(choices))


def env_base_url(name: str, default: str) -> str:
    """Return an absolute http(s) address without a last slash; no user, query or fragment. "" may be the default."""

    def address(text: str) -> str:
        if not text and not default:
            return ""
        parts = urlsplit(text)
        is_plain = parts.port != 0 and not (set(text) & set("@?#\\")) and text.isascii() and text.isprintable()
        if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain or " " in text:
            raise ValueError
        return text.rstrip("/")

    _declare(name, "http or https address", default)
    return _parsed(name, default, address, "an address such as https://hub.example.com")


def env_database(name: str, default: str) -> dict[str, Any]:
    """Return Django's database dictionary for a URL such as ``postgres://user:password@host/name``."""
    _declare(name, "address of a database", default)
    try:
        config: dict[str, Any] = environ.Env.db_url_config(_raw(name) or default)
        is_known = config.get("ENGINE") in {"django.db.backends.sqlite3", "django.db.backends.postgresql"}
        # Not in memory: web and workers are processes of their own.
        if not is_known or not config.get("NAME") or config["NAME"] == ":memory:":
            raise ValueError
    except Exception:  # the library raises whatever urllib raises; the address may hold a password
        raise ImproperlyConfigured(f"{name} has to be a sqlite:///FILE or postgres:// address") from None
    return config


def env_mail(name: str) -> dict[str, Any]:
    """Return Django's mail settings for an address such as ``smtp+tls://user:password@host:587``; {} if it is not set.

    ``smtp`` is without TLS, ``smtp+tls`` with STARTTLS, ``smtp+ssl`` with TLS from the start.
    """
    _declare(name, "address of a mail server", "")
    value = _raw(name)
    if not value:
        return {}
    try:
        parts = urlsplit(value)
        ports = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError
        return {
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": parts.port or ports[parts.scheme],
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
            "EMAIL_USE_SSL": parts.scheme == "smtp+ssl",
        }
    except (ValueError, KeyError):  # the address may hold a password: it is not shown
        raise ImproperlyConfigured(
            f"{name} has to be an address such as smtp+tls://user:password@host:587 (smtp, smtp+tls, smtp+ssl)"
        ) from None


def env_fernet_keys(name: str) -> list[str]:
    """Return Fernet keys, the first encrypts and all decrypt; each is checked here."""
    _declare(name, "Fernet keys, comma-separated", None)
    keys = _items(name)
    if not keys:
        raise ImproperlyConfigured(f"{name} is not set (nor {name}_FILE)")
    for key in keys:
        try:
            Fernet(key.encode())
        except ValueError:
            raise ImproperlyConfigured(f"{name} has to be a comma-separated list of Fernet keys") from None
    return keys


def _formed(name: str, text: str, form: Form | None) -> str:
    if text and form is not None and not re.fullmatch(form.pattern, text):
        raise ImproperlyConfigured(f"{name} has to be {form.words}")
    return text


def _declare(name: str, kind: str, default: Any) -> None:
    _declared.setdefault(name, Declared(kind, default))


def _raw(name: str) -> str:
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {why}") from None
    return os.environ.get(name, "").strip()


def _parsed(name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    value = _raw(name)
    if not value:
        return default
    try:
        return parse(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} has to be {expected}") from None
