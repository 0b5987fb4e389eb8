"""The form of a connection: each credential a field that is written and never read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext, gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from integrations.admin.fields import JsonObjectField, LinesField
from integrations.connectors.kinds import ConnectionKind, kind_choices, kinds
from integrations.connectors.proofs import PROOFS, PROXY_CREDENTIALS, proof_choices
from integrations.connectors.tries import default_tries
from integrations.guards import guard_connection, guard_credentials
from integrations.models import Connection, EndpointGroup, groups_of
from integrations.references import is_reference

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    _Form = forms.ModelForm[Connection]
else:
    _Form = forms.ModelForm

#: Every name that a credential can have, in the order of the form.
CREDENTIALS = tuple(
    dict.fromkeys([*(name for kind in PROOFS.values() for name in kind.credentials), *PROXY_CREDENTIALS])
)


class SecretInput(UnfoldAdminTextInputWidget):  # type: ignore[misc]
    """A line that never shows a value, not even the one just typed."""

    input_type = "password"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Return the context of an empty field."""
        context: dict[str, Any] = super().get_context(name, None, attrs)
        return context


class ConnectionForm(_Form):
    """Which credentials belong to which proof is in ``data-proofs``; the browser shows those alone.

    So it is with the proofs of a kind, in ``data-kinds``, which also says what its address looks like.
    """

    #: Who fills it in; the page sets it.
    user: User

    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget, initial="http")
    auth = forms.ChoiceField(widget=UnfoldAdminSelectWidget, label=gettext_lazy("Proof"), initial="none")
    auth_settings = JsonObjectField(
        rows=4,
        label=gettext_lazy("Settings of the proof"),
        help_text=gettext_lazy(
            'As a JSON object, such as {"name": "X-Api-Key"} for a header, or {"token_url": ..., '
            '"client_id": ...} for OAuth 2.0; empty for none.'
        ),
    )
    headers = JsonObjectField(rows=3, help_text=gettext_lazy("Sent with every call, as a JSON object; no credentials."))
    retry = JsonObjectField(rows=4, initial=default_tries, help_text=Connection._meta.get_field("retry").help_text)
    egress_is_named = forms.BooleanField(
        required=False,
        label=gettext_lazy("Only the networks named below"),
        help_text=gettext_lazy("Else what HUB_EGRESS_ALLOW names. Public addresses are always reached."),
    )
    egress = LinesField(
        label=gettext_lazy("Private networks that it may reach"),
        help_text=gettext_lazy(
            "One a line, within what HUB_EGRESS_ALLOW and HUB_EGRESS_CONNECTIONS allow; none: public only."
        ),
    )

    class Meta:
        model = Connection
        exclude = ("credentials", "retired_at")
        help_texts = {
            "test_path": gettext_lazy(
                "What “Test this connection” GETs, below the base URL; a topic of Kafka, a queue of SQS."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = {} if self.instance._state.adding else self.instance.credentials
        self._before = Connection.objects.get(pk=self.instance.pk) if stored else self.instance
        if "kind" in self.fields:
            self.fields["kind"].choices = kind_choices()  # type: ignore[attr-defined]
            self.fields["kind"].widget.attrs["data-kinds"] = json.dumps(
                {key: {"address": kind.base_url, "proofs": kind.proofs, "proof": kind.auth} for key, kind in _kinds()}
            )
        if "auth" in self.fields:
            self.fields["auth"].choices = proof_choices()  # type: ignore[attr-defined]
            self.fields["auth"].widget.attrs["data-proofs"] = json.dumps(
                {key: kind.credentials for key, kind in PROOFS.items()}
            )
            self.fields["auth"].widget.attrs["data-settings"] = json.dumps(
                {key: kind.example for key, kind in PROOFS.items()}
            )
        if "egress_is_named" in self.fields:
            self.fields["egress_is_named"].initial = self.instance.egress is not None
        for name in CREDENTIALS:
            if f"credential_{name}" in self.fields:
                self.fields[f"credential_{name}"].help_text = _help(stored.get(name, ""))

    def clean(self) -> dict[str, Any]:
        """Put the credentials together: one that is left empty stays as it is, if the proof still has it."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        wanted = {*(PROOFS[values["auth"]].credentials if values.get("auth") in PROOFS else ()), *PROXY_CREDENTIALS}
        entered = {name: values.get(f"credential_{name}", "") for name in CREDENTIALS if name in wanted}
        stored = {} if self.instance._state.adding else self._before.credentials
        kept = {name: text for name, text in stored.items() if name in wanted and not entered.get(name)}
        self.instance.credentials = {**kept, **{name: text for name, text in entered.items() if text}}
        if not values.get("egress_is_named"):
            values["egress"] = None
        self._is_entered_anew = not kept
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        groups = groups_of(self.user)
        try:
            if groups is not None and self.instance.group_id not in groups:
                raise ValidationError({"group": gettext("You are restricted to groups; choose one of them.")})
            if not self.instance._state.adding:
                guard_credentials(self._before, self.instance, entered=self._is_entered_anew)
            guard_connection(
                self.user, self._before if not self.instance._state.adding else Connection(), self.instance
            )
        except ValidationError as exc:
            self.add_error(None, exc)

    def add_error(self, field: str | None, error: Any) -> None:
        """Put what the model says of credentials, and of fields that are not here, at the top of the form."""
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            known = {name: texts for name, texts in error.error_dict.items() if name in self.fields}
            others = [text for name, texts in error.error_dict.items() if name not in known for text in texts]
            if others:
                super().add_error(None, ValidationError(others))
            error = ValidationError(known)
            if not known:
                return
            field = None
        super().add_error(field, error)

    @staticmethod
    def groups_for(user: User) -> Any:
        """Return the groups that ``user`` may choose from."""
        return EndpointGroup.objects.visible_to(user).order_by("name")


def _kinds() -> list[tuple[str, ConnectionKind]]:
    return [(key, kinds[key]) for key in kinds]


def _help(stored: str) -> str:
    if not stored:
        return gettext("The value, or env:HUB_SECRET_NAME, or file:NAME.")
    return (
        gettext("Kept: %(stored)s. Empty: it stays.") % {"stored": stored}
        if is_reference(stored)
        else gettext("One is stored. Empty: it stays.")
    )


for _name in CREDENTIALS:
    ConnectionForm.base_fields[f"credential_{_name}"] = ConnectionForm.declared_fields[f"credential_{_name}"] = (
        forms.CharField(
            required=False,
            strip=False,
            label=_name.replace("_", " ").capitalize(),
            widget=SecretInput,
            max_length=20_000,
        )
    )
