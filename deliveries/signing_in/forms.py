"""The forms of django-allauth in the admin's clothes."""

from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from allauth.account.forms import ReauthenticateForm as PasswordForm
from allauth.mfa.base.forms import AuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as AnotherCodeForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from unfold.widgets import BASE_INPUT_CLASSES


class _Dressed(forms.Form):
    """A form whose fields look like the admin's, the first of which has the cursor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number, field in enumerate(self.fields.values()):
            field.widget.attrs["class"] = " ".join(BASE_INPUT_CLASSES)
            field.widget.attrs.pop("placeholder", None)
            field.help_text = ""
            if number == 0:
                field.widget.attrs["autofocus"] = ""


class StaffLoginForm(_Dressed, LoginForm):  # type: ignore[misc]
    """Name and password, under the names that Django's own form gives them."""

    def add_prefix(self, field_name: str) -> str:
        """Return the name of a field in the page."""
        return "username" if field_name == "login" else field_name


class PasswordAgainForm(_Dressed, PasswordForm):  # type: ignore[misc]
    """One's password, once more."""


class _CodeInput(forms.TextInput):
    """Asks telephones for digits, and does not give a wrong code back: the next one is typed into an empty field."""

    def format_value(self, value: Any) -> str | None:
        """Return nothing, whatever was entered."""
        return None


class _OfACode(_Dressed):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["code"]
        field.widget = _CodeInput(attrs={**field.widget.attrs, "autocomplete": "one-time-code", "inputmode": "numeric"})


class CodeForm(_OfACode, AuthenticateForm):  # type: ignore[misc]
    """A code of the authenticator, or a recovery code, at login."""


class CodeAgainForm(_OfACode, AnotherCodeForm):  # type: ignore[misc]
    """The same, once more."""


class FirstCodeForm(_OfACode, ActivateTOTPForm):  # type: ignore[misc]
    """The code that proves that the authenticator has the secret."""
