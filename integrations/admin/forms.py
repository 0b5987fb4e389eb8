"""The forms of endpoints, secrets and routes; what they accept is decided by the models."""

from __future__ import annotations

import json
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import get_language, gettext, gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget

from integrations.admin.fields import JsonObjectField, LinesField, WriteOnlyTextarea
from integrations.guards import (
    guard_named,
    guard_reference,
    guard_secrets,
    guard_sensitive,
    guard_settings,
    guard_shared_url,
)
from integrations.handlers import Handler, handler_choices, handlers
from integrations.masking import MASK, entered_settings, shown_settings
from integrations.models import Endpoint, Route, Secret
from integrations.providers import provider_choices, providers
from integrations.retry import RetryPolicy
from integrations.schemas import needed
from integrations.validation import default_retry, validate_provider, validate_provider_settings

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    _EndpointForm = forms.ModelForm[Endpoint]
    _SecretForm = forms.ModelForm[Secret]
    _RouteForm = forms.ModelForm[Route]
else:
    _EndpointForm = _SecretForm = _RouteForm = forms.ModelForm


class EndpointForm(_EndpointForm):
    """An endpoint: JSON as indented text, lists as lines."""

    #: Who fills it in; the page sets it.
    user: User

    settings = JsonObjectField(
        rows=7,
        label=gettext_lazy("Settings"),
        help_text=format_lazy(
            gettext_lazy(
                "The provider's own settings, as a JSON object; empty for none. A credential among them is shown as "
                "{mask} once it is saved; leave that as it is to keep it."
            ),
            mask=MASK,
        ),
    )
    allowed_networks = LinesField(
        help_text=gettext_lazy("Networks that may send, one a line, such as 192.0.2.0/24; empty: any.")
    )
    content_types = LinesField(help_text=gettext_lazy("Media types that are taken, one a line; empty: any."))

    class Meta:
        model = Endpoint
        fields = "__all__"
        # Help texts are HTML there: the <slug> in the model's would vanish.
        help_texts = {
            "slug": gettext_lazy("The last part of the public URL."),
            "sensitive": gettext_lazy(
                "Payloads are stored encrypted, and hidden on every page until somebody who may reveals one; "
                "each time is in the audit log."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_for(self, "provider", provider_choices())
        if "settings" in self.initial:
            self.initial["settings"] = shown_settings(self.instance.provider, self.initial["settings"])
        preset = providers.get(self.instance.provider)
        if "allowed_networks" in self.fields and preset is not None and preset.source_networks is not None:
            hint = preset.source_networks
            published = gettext(
                "%(provider)s publishes at %(url)s where it sends from; a copy read on %(day)s said %(networks)s. "
                "Compare before you enter them."
            ) % {
                "provider": preset.name,
                "url": hint.url,
                "day": hint.checked_on,
                "networks": ", ".join(hint.networks),
            }
            field = self.fields["allowed_networks"]
            field.help_text = f"{field.help_text} {published}"

    def clean(self) -> dict[str, Any]:
        """Keep the credentials in the settings that came back masked; refuse what the user may not enter."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "settings" in values:
            values["settings"] = entered_settings(
                values.get("provider", ""), values["settings"], stored=self.instance.settings
            )
        self._guard(values)
        return values

    def _guard(self, values: dict[str, Any]) -> None:
        before = self.instance  # Django fills it in later
        provider = values.get("provider", before.provider)
        settings = values.get("settings", before.settings)
        checks = [
            partial(guard_settings, self.user, provider=provider, settings=settings, stored=before.settings),
            partial(
                guard_shared_url,
                self.user,
                before=before.shared_url,
                after=values.get("shared_url", before.shared_url),
            ),
            partial(
                guard_sensitive,
                self.user,
                before=before.sensitive,
                after=values.get("sensitive", before.sensitive),
            ),
        ]
        if not before._state.adding:
            checks.append(partial(guard_secrets, before, provider=provider, settings=settings, now=timezone.now()))
        for check in checks:
            try:
                check()
            except ValidationError as exc:
                self.add_error(None, exc)


class SecretForm(_SecretForm):
    """A secret: its value is written once and never shown; what can still be changed is its label and its end."""

    #: Who fills it in; the page sets it.
    user: User

    value = forms.CharField(
        widget=WriteOnlyTextarea(
            attrs={"rows": 1, "class": "hub-code", "autocomplete": "off", "spellcheck": "false", "required": False}
        ),
        strip=True,
    )

    class Meta:
        model = Secret
        fields = ("label", "value", "expires_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.pop("value", None)
        if "label" in self.fields:  # in a table's cell nothing else names it
            self.fields["label"].widget.attrs["aria-label"] = gettext("Label")
        if "value" in self.fields:
            self.fields["value"].widget.attrs["aria-label"] = gettext("Secret")
        if not self.instance._state.adding:
            self._lock("value")
            self.fields["value"].widget.attrs["placeholder"] = gettext("saved, not shown")
        if self.has_ended:
            self._lock("label")
            self._lock("expires_at")

    @property
    def has_ended(self) -> bool:
        """Whether the secret no longer counts; then nothing about it changes any more."""
        ends = self.instance.expires_at
        return not self.instance._state.adding and ends is not None and ends <= timezone.now()

    def clean_value(self) -> str:
        """Return the new value, or the stored one where it is locked."""
        if not self.instance._state.adding:
            stored: str = self.instance.value
            return stored
        value: str = self.cleaned_data["value"]
        guard_reference(self.user, value)
        return value

    def _post_clean(self) -> None:
        # An ended secret may be of another scheme than the endpoint's present one. An endpoint whose own settings are
        # wrong says so itself, and has no scheme to check a key with.
        if not self.has_ended and _is_sound(self.cleaned_data.get("endpoint") or self.instance.endpoint):
            super()._post_clean()  # type: ignore[misc]

    def _lock(self, name: str) -> None:
        if name in self.fields:
            self.fields[name].disabled = True
            self.fields[name].required = False


def _is_sound(endpoint: Endpoint) -> bool:
    try:
        validate_provider(endpoint.provider)
        validate_provider_settings(endpoint.provider, endpoint.settings)
    except ValidationError:
        return False
    return True


class RouteForm(_RouteForm):
    """A route. Choosing a handler offers its defaults (in the browser; ``data-handlers`` has them)."""

    #: Who fills it in; the page sets it.
    user: User

    events = LinesField(
        label=gettext_lazy("Event types"),
        help_text=gettext_lazy("One a line, such as push or pull_request.*; empty: all."),
    )
    filter = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "class": "hub-code", "spellcheck": "false"}),
        help_text=Route._meta.get_field("filter").help_text,
    )
    ordering_key = forms.CharField(
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "class": "hub-code", "spellcheck": "false"}),
        help_text=Route._meta.get_field("ordering_key").help_text,
    )
    config = JsonObjectField(
        rows=9, label=gettext_lazy("Handler's config"), help_text=gettext_lazy("As a JSON object; empty for none.")
    )
    retry = JsonObjectField(
        rows=9,
        initial=default_retry,
        help_text=format_lazy(
            "{} {}", Route._meta.get_field("retry").help_text, gettext_lazy("What is left out is the default.")
        ),
    )

    class Meta:
        model = Route
        fields = "__all__"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _ask_for(self, "handler", handler_choices())
        if "handler" in self.fields:
            self.fields["handler"].widget.attrs["data-handlers"] = _handlers_as_json(get_language())
        self._stored = (self.instance.handler, self.initial.get("config") or {})

    def clean(self) -> dict[str, Any]:
        """Refuse connections that are not there, or not for the user."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "config" in values:
            handler = values.get("handler") or self.instance.handler
            try:
                guard_named(self.user, handler=handler, config=values["config"], stored=self._stored)
            except ValidationError as exc:
                self.add_error(None, exc)
        return values


def _ask_for(form: forms.ModelForm[Any], name: str, choices: list[tuple[str, str]]) -> None:
    """Let a new row start without a choice at ``name``: the first of a list is nobody's decision."""
    field = form.fields.get(name)
    if isinstance(field, forms.ChoiceField) and form.instance._state.adding:
        field.choices = [("", gettext("Choose one")), *choices]


def handler_defaults() -> dict[str, dict[str, Any]]:
    """Return what a new route starts from, by handler: config, retry, timeout_seconds, and a ``note`` to show."""
    found = {}
    for key in handlers:
        entry = handlers[key]
        policy = RetryPolicy() if entry.max_attempts is None else RetryPolicy(max_attempts=entry.max_attempts)
        found[key] = {
            "note": _note(entry),
            "config": _starting_config(entry.config_schema),
            "retry": policy.as_json(),
            "timeout_seconds": entry.timeout.total_seconds() if entry.timeout else _default_timeout(),
        }
    return found


@lru_cache(maxsize=8)
def _handlers_as_json(language: str | None) -> str:  # noqa: ARG001 - what it is kept by
    return json.dumps(handler_defaults())


def _note(entry: Handler) -> str:
    names = ", ".join(entry.config_schema.get("properties", {}))
    if not names:
        return entry.summary
    return gettext("%(summary)s Config: %(names)s.") % {"summary": entry.summary, "names": names}


def _starting_config(schema: Any) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: properties.get(name, {}).get("default", "") for name in needed(schema)}


def _default_timeout() -> float:
    seconds: float = Route._meta.get_field("timeout_seconds").get_default()
    return seconds
