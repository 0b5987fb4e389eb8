"""The pages of a login beyond name and password: django-allauth's views in the admin's frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import structlog
from allauth.account.views import LoginView, ReauthenticateView
from allauth.mfa.base.views import AuthenticateView, IndexView
from allauth.mfa.base.views import ReauthenticateView as CodeAgainView
from allauth.mfa.recovery_codes.views import DownloadRecoveryCodesView, GenerateRecoveryCodesView, ViewRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.openid_connect import views as openid_connect
from allauth.socialaccount.views import LoginCancelledView, LoginErrorView
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from requests import RequestException

from deliveries.signing_in.accounts import turned_away
from deliveries.signing_in.second_factor import has_new_recovery_codes, was_set_up

if TYPE_CHECKING:
    from django.views.generic.base import ContextMixin as _Base
else:
    _Base = object


logger = structlog.get_logger(__name__)


class _InTheAdmin(_Base):
    """A view whose page has the admin's frame."""

    page_title: str | Promise = ""
    request: HttpRequest

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return what the frame shows, and what the view does."""
        frame = {**admin.site.each_context(self.request), "title": self.page_title}
        return {**frame, **super().get_context_data(**kwargs)}


class Login(_InTheAdmin, LoginView):  # type: ignore[misc]
    """Name and password, or the provider of single sign-on."""

    page_title = gettext_lazy("Log in")
    template_name = "admin/deliveries/signing_in/login.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Return the way to the provider, too, with where to go afterwards."""
        query = {"next": self.request.GET["next"]} if self.request.GET.get("next") else {}
        ways = [
            (provider.name, provider.get_login_url(self.request, **query))
            for provider in get_adapter().list_providers(self.request)
        ]
        return {**super().get_context_data(**kwargs), "app_path": self.request.get_full_path(), "providers": ways}


class Authenticate(_InTheAdmin, AuthenticateView):  # type: ignore[misc]
    """The second factor, after the password."""

    page_title = gettext_lazy("Second factor")
    template_name = "admin/deliveries/signing_in/authenticate.html"


class Index(_InTheAdmin, IndexView):  # type: ignore[misc]
    """One's own second factor: what there is, and what can be done."""

    page_title = gettext_lazy("Second factor")
    template_name = "admin/deliveries/signing_in/index.html"


class Activate(_InTheAdmin, ActivateTOTPView):  # type: ignore[misc]
    """Set it up."""

    page_title = gettext_lazy("Set up a second factor")
    template_name = "admin/deliveries/signing_in/activate.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        """Set it up, on record."""
        answer: HttpResponse = super().form_valid(form)
        was_set_up(self.request, cast(User, self.request.user))
        return answer


class Deactivate(_InTheAdmin, DeactivateTOTPView):  # type: ignore[misc]
    """Give it up."""

    page_title = gettext_lazy("Give the second factor up")
    template_name = "admin/deliveries/signing_in/deactivate.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        """Give it up, on record."""
        answer: HttpResponse = super().form_valid(form)
        return answer


class RecoveryCodes(_InTheAdmin, ViewRecoveryCodesView):  # type: ignore[misc]
    """The codes for when the authenticator is lost."""

    page_title = gettext_lazy("Recovery codes")
    template_name = "admin/deliveries/signing_in/recovery_codes.html"


class NewRecoveryCodes(_InTheAdmin, GenerateRecoveryCodesView):  # type: ignore[misc]
    """Make new ones; the old ones end."""

    page_title = gettext_lazy("New recovery codes")
    template_name = "admin/deliveries/signing_in/new_recovery_codes.html"

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        """Make them, on record."""
        answer: HttpResponse = super().form_valid(form)
        has_new_recovery_codes(cast(User, self.request.user))
        return answer


class PasswordAgain(_InTheAdmin, ReauthenticateView):  # type: ignore[misc]
    """Ask for the password before a second factor is changed."""

    page_title = gettext_lazy("Is it you?")
    template_name = "admin/deliveries/signing_in/again.html"


class CodeAgain(_InTheAdmin, CodeAgainView):  # type: ignore[misc]
    """Ask for a code."""

    page_title = gettext_lazy("Is it you?")
    template_name = "admin/deliveries/signing_in/again.html"


class ProviderFailed(_InTheAdmin, LoginErrorView):  # type: ignore[misc]
    """What the provider said could not be believed, or it did not answer."""

    page_title = gettext_lazy("Single sign-on did not work")
    template_name = "admin/deliveries/signing_in/failed.html"


class ProviderCancelled(_InTheAdmin, LoginCancelledView):  # type: ignore[misc]
    """Somebody went back."""

    page_title = gettext_lazy("Not logged in")
    template_name = "admin/deliveries/signing_in/failed.html"


def log_in(request: HttpRequest) -> HttpResponseBase:
    """Show the form, or take it; who may see the admin already is led there."""
    if request.method in {"GET", "HEAD"} and admin.site.has_permission(request):
        return HttpResponseRedirect(reverse("admin:index"))
    answer: HttpResponseBase = Login.as_view()(request)
    return answer


@never_cache
def to_provider(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    """Lead to the provider of single sign-on; where it does not answer, say that instead."""
    try:
        answer: HttpResponseBase = openid_connect.login(request, provider_id)
    except RequestException as exc:
        logger.warning("login.failed", reason="The provider does not answer.", error_type=type(exc).__name__)
        return HttpResponseRedirect(reverse("socialaccount_login_error"))
    return answer


@never_cache
def no_signup(request: HttpRequest) -> HttpResponseBase:
    """Lead away: what allauth would ask of somebody new is never asked here."""
    return turned_away(request)


#: Below ``admin/``. What belongs to a user has its pages below ``account/``.
urlpatterns = [
    path("login/oidc/<slug:provider_id>/login/", to_provider, name="openid_connect_login"),
    path("login/oidc/<slug:provider_id>/login/callback/", openid_connect.callback, name="openid_connect_callback"),
    path("login/error/", ProviderFailed.as_view(), name="socialaccount_login_error"),
    path("login/cancelled/", ProviderCancelled.as_view(), name="socialaccount_login_cancelled"),
    path("login/signup/", no_signup, name="socialaccount_signup"),
    path("login/second-factor/", Authenticate.as_view(), name="mfa_authenticate"),
    path("account/again/", PasswordAgain.as_view(), name="account_reauthenticate"),
    path("account/second-factor/", Index.as_view(), name="mfa_index"),
    path("account/second-factor/again/", CodeAgain.as_view(), name="mfa_reauthenticate"),
    path("account/second-factor/set-up/", Activate.as_view(), name="mfa_activate_totp"),
    path("account/second-factor/give-up/", Deactivate.as_view(), name="mfa_deactivate_totp"),
    path("account/recovery-codes/", RecoveryCodes.as_view(), name="mfa_view_recovery_codes"),
    path("account/recovery-codes/new/", NewRecoveryCodes.as_view(), name="mfa_generate_recovery_codes"),
    path("account/recovery-codes/file/", DownloadRecoveryCodesView.as_view(), name="mfa_download_recovery_codes"),
]
