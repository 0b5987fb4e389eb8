"""Which settings of an endpoint may be shown."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from integrations.masking import MASK, entered_settings, shown_settings
from integrations.providers import providers
from integrations.validation import validate_provider_settings

SECRET = {("box", "second_secret"), ("meta", "verify_token")}


class TestSecretSettings:
    def test_are_those_that_prove_something(self) -> None:
        assert {(key, name) for key in providers for name in providers[key].secret_settings} == SECRET

    def test_are_all_that_sound_like_one(self) -> None:
        suspicious = ("secret", "token", "password", "credential", "private")
        names = {(key, name) for key in providers for name in providers[key].settings_schema.get("properties", {})}

        assert {(key, name) for key, name in names if any(word in name for word in suspicious)} == SECRET

    def test_are_told_from_public_ones(self) -> None:
        assert providers["meta"].secret_settings == {"verify_token"}
        assert providers["meta"].public_settings == frozenset()
        assert "header" in providers["generic_hmac"].public_settings


class TestShownSettings:
    def test_hide_credentials_and_nothing_else(self) -> None:
        assert shown_settings("meta", {"verify_token": "v"}) == {"verify_token": MASK}
        assert shown_settings("livekit", {"api_key": "APIabc"}) == {"api_key": "APIabc"}

    def test_hide_what_nobody_can_judge(self) -> None:
        assert shown_settings("gone", {"verify_token": "v", "header": "X"}) == {"verify_token": MASK, "header": MASK}
        assert shown_settings("github", {"left_over": "v"}) == {"left_over": MASK}
        assert shown_settings("meta", "v") == MASK


class TestEnteredSettings:
    def test_keep_the_credential_behind_the_mask(self) -> None:
        stored = {"verify_token": "v"}

        assert entered_settings("meta", {"verify_token": MASK}, stored=stored) == stored
        assert entered_settings("meta", {"verify_token": "new"}, stored=stored) == {"verify_token": "new"}
        assert entered_settings("meta", {}, stored=stored) == {}

    def test_never_fill_a_setting_that_is_shown(self) -> None:
        stored = {"header": "X-Of-Another-Provider"}

        assert entered_settings("generic_hmac", {"header": MASK}, stored=stored) == {"header": MASK}

    def test_are_refused_with_a_mask_that_stands_for_nothing(self) -> None:
        entered = entered_settings("meta", {"verify_token": MASK}, stored={})

        with pytest.raises(ValidationError, match="verify_token: no value is stored"):
            validate_provider_settings("meta", entered)

    def test_are_left_to_validation_where_they_are_no_object(self) -> None:
        for entered in (None, [], "text", 1):
            assert entered_settings("meta", entered, stored={"verify_token": "v"}) == entered
