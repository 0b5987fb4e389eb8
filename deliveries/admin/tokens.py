"""API tokens: everyone manages their own, a superuser everybody's. A token is shown once, its digest never."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from knox.models import AuthToken
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from deliveries import display, tokens
from deliveries.admin.confirming import Question, ask, is_confirmed
from integrations.admin.base import HubAdmin
from integrations.api.scopes import Scope

admin.site.unregister(AuthToken)


class NewTokenForm(forms.Form):
    """How long a new token is good for, and what for."""

    days = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=3650,
        label=gettext_lazy("Days"),
        help_text=gettext_lazy("How many days the token is good for; empty: until it is revoked."),
        widget=UnfoldAdminIntegerFieldWidget({"class": "hub-short"}),
    )
    scopes = forms.MultipleChoiceField(
        required=False,
        choices=[
            (Scope.READ, gettext_lazy("Read")),
            (Scope.REPLAY, gettext_lazy("Replay, discard, hold, test")),
            (Scope.CONFIGURE, gettext_lazy("Configure, and see credentials in bodies")),
        ],
        label=gettext_lazy("Only for"),
        help_text=gettext_lazy("None chosen: all that you may do."),
        widget=forms.CheckboxSelectMultiple,
    )


@admin.register(AuthToken)
class TokenAdmin(HubAdmin):
    """One page: the list, a form for a new token, a button to revoke each."""

    def get_urls(self) -> list[Any]:
        """Leave nothing but the one page."""
        return [path("", self.admin_site.admin_view(never_cache(self.page)), name="knox_authtoken_changelist")]

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return True: everyone who may log in here may use the API as themselves."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return True, see `has_module_permission`."""
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: the page has its own form."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: a token is made and revoked."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: the page has its own button."""
        return False

    def page(self, request: HttpRequest) -> HttpResponse:
        """Show the tokens; make or revoke one by POST. The new token is in the answer to its POST only."""
        user = cast(User, request.user)
        form = NewTokenForm(request.POST if "make" in request.POST else None)
        made = ""
        if request.method == "POST" and "revoke" in request.POST:
            return self._revoke(_tokens_of(user), request.POST["revoke"], request)
        if request.method == "POST" and form.is_valid():
            made = _make(user, **form.cleaned_data)
            form = NewTokenForm()
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("API tokens"),
            "form": form,
            "made": made,
            "now": timezone.now(),
            "tokens": _tokens_of(user).select_related("user", "terms").order_by("-created"),
        }
        return TemplateResponse(request, "admin/deliveries/tokens.html", context)

    def _revoke(self, rows: QuerySet[Any], key: str, request: HttpRequest) -> HttpResponse:
        """End a token; unless it is confirmed, say first whose it is and when it was last used."""
        row = rows.filter(token_key=key.replace("\x00", "")).select_related("user", "terms").first()
        if row is None:
            messages.warning(request, gettext("There is no such token any more."))
        elif not is_confirmed(request):
            return ask(self, request, _revoking(row), back=request.path, hidden=[("revoke", row.token_key)])
        else:
            tokens.revoke(row, by=cast(User, request.user))
            messages.success(
                request,
                gettext("The token %(begin)s… of %(user)s is revoked.")
                % {"begin": row.token_key[:8], "user": row.user},
            )
        return HttpResponseRedirect(request.path)


def _tokens_of(user: User) -> QuerySet[Any]:
    rows: QuerySet[Any] = AuthToken.objects.all()
    return rows if user.is_superuser else rows.filter(user=user)


def _make(user: User, days: int | None, scopes: list[str]) -> str:
    life = timedelta(days=days) if days else None
    _, token = tokens.make(user, life=life, scopes={Scope(name) for name in scopes}, by=user)
    return token


def _revoking(row: Any) -> Question:
    last = row.terms.last_used_at if hasattr(row, "terms") else None
    used = (
        format_html(gettext("It was last used {}."), display.moment(last))
        if last
        else gettext("It has not been used, as far as is known.")
    )
    return Question(
        gettext("Revoke a token"),
        gettext("Revoke the token %(begin)s… of %(user)s?") % {"begin": row.token_key[:8], "user": row.user},
        (used, gettext("From now on whatever calls the API with it is answered 401. Nothing makes it good again.")),
        gettext("Revoke the token"),
    )
