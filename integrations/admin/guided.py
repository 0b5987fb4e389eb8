"""The forms of the first steps: those of the pages, with the few fields that a beginning needs, as plain inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from integrations.admin.fields import JsonObjectField, LinesField
from integrations.admin.forms import EndpointForm, RouteForm, SecretForm, handler_defaults
from integrations.admin.schema_fields import SchemaField
from integrations.handlers import handlers
from integrations.models import Endpoint, EndpointGroup, Route, groups_of
from integrations.providers import Provider
from integrations.validation import validate_event_globs, validate_jmespath

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class GuidedEndpointForm(EndpointForm):
    """A new endpoint of a provider that has been chosen: its address, and what the preset has to know."""

    allowed_networks = None  # type: ignore[assignment]
    content_types = None  # type: ignore[assignment]

    class Meta(EndpointForm.Meta):
        fields = ("slug", "name", "group", "settings")  # type: ignore[assignment]
        widgets = {
            "slug": UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
            "name": UnfoldAdminTextInputWidget,
            "group": UnfoldAdminSelectWidget,
        }

    def __init__(self, *args: Any, preset: Provider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if preset.settings_schema.get("properties"):
            self.fields["settings"] = SchemaField(preset.settings_schema, label=gettext("Settings"))
        else:
            del self.fields["settings"]
        group: Any = self.fields["group"]
        group.queryset = EndpointGroup.objects.visible_to(self.user).order_by("name")
        group.required = groups_of(self.user) is not None
        if not group.required and not group.queryset.exists():
            del self.fields["group"]

    def clean(self) -> dict[str, Any]:
        """Add the provider, which is no field here, so that all is checked as on the endpoint's own page."""
        self.cleaned_data["provider"] = self.instance.provider
        return super().clean()


class GuidedSecretForm(SecretForm):
    """A new secret: what the provider shows, and a label to tell it from the next."""

    class Meta(SecretForm.Meta):
        fields = ("value", "label")  # type: ignore[assignment]
        widgets = {"label": UnfoldAdminTextInputWidget}


class GuidedRouteForm(RouteForm):
    """A new route to a handler that has been chosen; all that is not asked starts as the handler says."""

    ordering_key = None  # type: ignore[assignment]
    retry = None  # type: ignore[assignment]

    class Meta(RouteForm.Meta):
        fields = ("name", "events", "filter", "config")  # type: ignore[assignment]
        widgets = {"name": UnfoldAdminTextInputWidget}

    def __init__(self, *args: Any, endpoint: Endpoint, handler: str, user: User, **kwargs: Any) -> None:
        self.user = user
        entry, defaults = handlers[handler], handler_defaults()[handler]
        row = Route(endpoint=endpoint, handler=handler, retry=defaults["retry"])
        row.timeout_seconds = defaults["timeout_seconds"]
        super().__init__(*args, instance=row, **kwargs)
        if entry.config_schema.get("properties"):
            self.fields["config"] = SchemaField(entry.config_schema, label=gettext("What it has to know"))
        else:
            self.fields["config"] = JsonObjectField(
                rows=4, label=gettext("Config"), help_text=gettext("As a JSON object; empty: none.")
            )
        self.fields["filter"].help_text = gettext("A JMESPath over the payload; empty: all.")
        self.fields["filter"].widget.attrs["rows"] = 2
        self.fields["events"].widget.attrs["rows"] = 2

    def add_error(self, field: str | None, error: Any) -> None:
        """Put what the model says of columns that are not asked here at the top of the form."""
        if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
            known = {name: texts for name, texts in error.error_dict.items() if name in self.fields}
            others = [text for name, texts in error.error_dict.items() if name not in known for text in texts]
            if others:
                super().add_error(None, ValidationError(others))
            if known:
                super().add_error(None, ValidationError(known))
            return
        super().add_error(field, error)


class PreviewForm(forms.Form):
    """What a route would take: globs and filter as they stand in its form."""

    events = LinesField()
    filter = forms.CharField(required=False, validators=[validate_jmespath])

    def clean_events(self) -> list[str]:
        """Return the globs."""
        globs: list[str] = self.cleaned_data["events"]
        validate_event_globs(globs)
        return globs
