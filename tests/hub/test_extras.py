"""What is switched on by a setting and comes as an extra package."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import mock

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from hub import env
from tests.running_hub import ROOT

LOADED = """
import django, sys
django.setup()
extras = {"opentelemetry.sdk", "sentry_sdk", "integrations.tracing.otlp", "deliveries.sentry"}
print(sorted(extras & sys.modules.keys()))
"""


def loaded(**settings: str) -> str:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", **settings}
    command = [sys.executable, "-c", LOADED]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()


class TestAnExtra:
    def test_is_not_even_imported_as_long_as_nobody_wants_it(self) -> None:
        assert loaded(OTEL_EXPORTER_OTLP_ENDPOINT="", SENTRY_DSN="") == "[]"

    def test_is_there_once_its_setting_is(self) -> None:
        found = loaded(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", SENTRY_DSN="http://a@127.0.0.1:9/1")
        assert found == "['deliveries.sentry', 'integrations.tracing.otlp', 'opentelemetry.sdk', 'sentry_sdk']"

    @pytest.mark.parametrize("module", ["not_installed", "not_installed.inside", "hub.not_there"])
    def test_that_is_not_installed_is_named_in_one_line(self, module: str) -> None:
        with (
            mock.patch.dict(os.environ, {"SENTRY_DSN": "https://s3cret@example.com/1"}),
            pytest.raises(ImproperlyConfigured) as caught,
        ):
            env.env_extra("SENTRY_DSN", module=module, package="sentry-sdk")
        assert str(caught.value) == ("SENTRY_DSN needs sentry-sdk: pip install -c requirements-extras.txt sentry-sdk")

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            (env.COLLECTOR, "127.0.0.1:4318"),
            (env.COLLECTOR, "http://"),
            (env.COLLECTOR, "http://127.0.0.1:9/v1/traces"),
            (env.COLLECTOR_HEADERS, "Bearer s3cret"),
            (env.SENTRY_ADDRESS, "s3cret"),
            (env.SENTRY_ADDRESS, "https://127.0.0.1/1"),
            (env.SENTRY_ADDRESS, "https://s3cret@127.0.0.1/project"),
        ],
    )
    def test_with_a_value_that_cannot_be_is_named_without_it(self, form: env.Form, value: str) -> None:
        with mock.patch.dict(os.environ, {"A_SETTING": value}), pytest.raises(ImproperlyConfigured) as caught:
            env.env_extra("A_SETTING", module="os", package="os", form=form)
        assert str(caught.value) == f"A_SETTING has to be {form.words}"

    @pytest.mark.parametrize(
        ("form", "value"),
        [
            (env.COLLECTOR, "http://127.0.0.1:9"),
            (env.COLLECTOR, "https://otlp.example.com/otlp/"),
            (env.COLLECTOR_HEADERS, "authorization=Basic%20YTpi==, x-scope=1"),
            (env.COLLECTOR_HEADERS, "authorization=Bearer abc"),
            (env.SENTRY_ADDRESS, "https://key:old@sentry.example.com/below/12"),
        ],
    )
    def test_takes_what_services_hand_out(self, form: env.Form, value: str) -> None:
        with mock.patch.dict(os.environ, {"A_SETTING": value}):
            assert env.env_str("A_SETTING", "", form=form) == value

    def test_with_an_address_that_is_none_ends_the_start_in_one_line(self) -> None:
        environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "hub.settings", "SECRET_KEY": "k" * 60}
        environment |= {"HUB_ENCRYPTION_KEYS": Fernet.generate_key().decode(), "SENTRY_DSN": "s3cret"}
        command = [sys.executable, "manage.py", "check"]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (1, f"hub: SENTRY_DSN has to be {env.SENTRY_ADDRESS.words}\n")

    def test_that_is_not_installed_is_not_missed(self) -> None:
        with mock.patch.dict(os.environ, {"SENTRY_DSN": ""}):
            assert env.env_extra("SENTRY_DSN", module="not_installed", package="sentry-sdk") == ""
