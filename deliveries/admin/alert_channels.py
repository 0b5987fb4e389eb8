"""The page that adds a channel of alerts: a mail address, a channel of Slack, or a signed webhook."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from deliveries.alerts import channels
from integrations.models import Connection, Route, groups_of

PERMISSIONS = ("integrations.add_route", "integrations.add_endpoint")


class MailForm(forms.Form):
    """To whom."""

    recipients = forms.CharField(
        max_length=1000,
        help_text=gettext_lazy("Mail addresses, with commas between them. The mail server is HUB_EMAIL_URL's."),
    )

    def clean_recipients(self) -> list[str]:
        """Return the addresses."""
        found = [text.strip() for text in self.cleaned_data["recipients"].split(",") if text.strip()]
        for text in found:
            validate_email(text)
        return found

    def channel(self) -> Route:
        """Return the channel."""
        return channels.mail(self.cleaned_data["recipients"])


class _ByConnection(forms.Form):
    connection = forms.ChoiceField()

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Connection.objects.live().visible_to(user).order_by("name")
        field = cast(forms.ChoiceField, self.fields["connection"])
        field.choices = [(name, name) for name in rows.values_list("name", flat=True)]


class SlackForm(_ByConnection):
    """Where to."""

    channel_id = forms.CharField(
        label=gettext_lazy("Channel"), max_length=100, help_text=gettext_lazy("Its id or name, such as C0123456789.")
    )
    field_order = ("connection", "channel_id")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connection"].help_text = gettext(
            "With the base URL https://slack.com/api and a bot's token as bearer."
        )

    def channel(self) -> Route:
        """Return the channel."""
        return channels.slack(self.cleaned_data["connection"], self.cleaned_data["channel_id"])


class WebhookForm(_ByConnection):
    """Where to."""

    path = forms.CharField(
        required=False, max_length=500, help_text=gettext_lazy("Below the connection's base URL; may be empty.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["connection"].help_text = gettext(
            "One that signs by Standard Webhooks proves that the hub has sent it."
        )

    def channel(self) -> Route:
        """Return the channel."""
        return channels.webhook(self.cleaned_data["connection"], self.cleaned_data["path"])


FORMS: dict[str, tuple[str | Promise, type[Any]]] = {
    "email": (gettext_lazy("e-mail"), MailForm),
    "slack": (gettext_lazy("Slack"), SlackForm),
    "webhook": (gettext_lazy("a webhook"), WebhookForm),
}


def may_add(request: HttpRequest) -> bool:
    """Return whether the user may make channels: routes of an endpoint that tells of all others."""
    return request.user.has_perms(PERMISSIONS) and groups_of(request.user) is None


def add(request: HttpRequest, key: str) -> HttpResponse:
    """Show the form of one kind of channel, and add what it says."""
    if key not in FORMS:
        raise Http404
    if not may_add(request):
        raise PermissionDenied
    name, form_class = FORMS[key]
    own = {} if form_class is MailForm else {"user": request.user}
    form = form_class(request.POST if request.method == "POST" else None, **own)
    if request.method == "POST" and form.is_valid() and _is_added(request, form):
        return HttpResponseRedirect(reverse("admin:deliveries_alertrule_changelist"))
    context = {**admin.site.each_context(request), "title": gettext("Add %(name)s") % {"name": name}, "form": form}
    return TemplateResponse(request, "admin/deliveries/alertrule/add_channel.html", context)


def _is_added(request: HttpRequest, form: Any) -> bool:
    try:
        channels.add(form.channel(), by=cast(User, request.user))
    except ValidationError as exc:
        form.add_error(None, exc.messages)
        return False
    except channels.NoPlace as exc:
        form.add_error(None, str(exc))
        return False
    messages.success(request, gettext("The channel is added. Send a test from the page of any rule."))
    return True
