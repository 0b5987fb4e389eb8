"""Settings that would leave a hub in production without protection."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from hub import unsafe
from tests.running_hub import ROOT

SAFE = unsafe.Chosen(
    secret_key="Zr4u7xAD2GKbPdSgVkYp3s6v9yBEHMcQfTjWnZr4u7xAD2GKbPd",
    base_url="https://hub.example.com",
    bind="127.0.0.1",
    allowed_hosts=["hub.example.com", ".example.org"],
    allow_http=False,
    networks={"HUB_TRUSTED_PROXIES": [ip_network("10.0.0.0/8"), ip_network("::1/128")]},
)


class AnUnsafeSettingTests(SimpleTestCase):
    def said_of(self, **values: Any) -> str:
        """Return what stops the start, or "" if nothing does."""
        try:
            unsafe.refuse(replace(SAFE, **values))
        except ImproperlyConfigured as exc:
            return str(exc)
        return ""

    def test_is_none_of_those_that_are_safe(self) -> None:
        self.assertEqual(self.said_of(), "")

    def test_is_a_key_that_can_be_guessed(self) -> None:
        for key in ("short", "k" * 60, "django-insecure-" + SAFE.secret_key):
            with self.subTest(key=key):
                said = self.said_of(secret_key=key)
                self.assertIn("SECRET_KEY can be guessed", said)
                self.assertNotIn(key, said)

    def test_is_any_host_name(self) -> None:
        for host in ("*", " * ", "."):
            self.assertIn("ALLOWED_HOSTS", self.said_of(allowed_hosts=["hub.example.com", host]))

    def test_is_plain_http_for_others_than_this_machine(self) -> None:
        for values in (
            {"base_url": "http://hub.example.com", "bind": "192.0.2.1"},
            {"base_url": "http://192.0.2.1:8000", "bind": "0.0.0.0"},
        ):
            with self.subTest(**values):
                self.assertIn("HUB_BASE_URL", self.said_of(**values))
                self.assertEqual(self.said_of(**values, allow_http=True), "")

    def test_is_trust_in_the_whole_internet(self) -> None:
        for name in ("HUB_TRUSTED_PROXIES", "HUB_OPERATIONS_NETWORKS", "HUB_EGRESS_ALLOW"):
            for network in ("0.0.0.0/0", "::/0", "128.0.0.0/1"):
                self.assertIn(name, self.said_of(networks={name: [ip_network(network)]}))

    def test_stops_nobody_who_tries_the_hub_on_this_machine(self) -> None:
        for base_url in ("http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "http://hub.lan"):
            values = {"base_url": base_url, "secret_key": "k", "allowed_hosts": ["*"]}
            self.assertEqual(self.said_of(**values), "", base_url)

    def test_stops_no_container_that_is_tried_on_this_machine(self) -> None:
        self.assertEqual(self.said_of(base_url="http://127.0.0.1:8000", bind="0.0.0.0"), "")

    def test_is_asked_for_by_the_name_of_the_setting_alone(self) -> None:
        self.assertTrue(self.said_of(secret_key="short").startswith("SECRET_KEY "))


class ACommandTests(SimpleTestCase):
    def test_that_would_serve_or_judge_the_hub_does_not_begin(self) -> None:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "hub.settings",
            "SECRET_KEY": SAFE.secret_key,
            "HUB_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
            "HUB_BASE_URL": SAFE.base_url,
            "HUB_TRUSTED_PROXIES": "0.0.0.0/0",
        }
        for command in ("hub", "worker", "doctor"):
            with self.subTest(command):
                done = subprocess.run(
                    [sys.executable, "manage.py", command],
                    cwd=ROOT,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                self.assertEqual(done.returncode, 1)
                self.assertTrue(done.stderr.startswith("hub: HUB_TRUSTED_PROXIES trusts the whole internet"))
                self.assertEqual(done.stdout, "")
