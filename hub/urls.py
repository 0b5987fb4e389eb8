"""Every address of the hub."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from deliveries.admin import entrance, home, live_tail, lookups, own_sessions
from deliveries.api.documentation import DocsView, SchemaView
from deliveries.api.urls import UnknownPath
from deliveries.receiving.shared import SharedReceiveView
from deliveries.receiving.view import ReceiveView
from hub import operations

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("hooks/<slug:slug>", ReceiveView.as_view(), name="receive"),
    re_path(r"\Ahooks/?\Z", SharedReceiveView.as_view(), name="receive-shared"),
    # With a trailing slash, and whatever else is under /hooks: the answer is JSON, never a redirect or a page.
    re_path(r"\Ahooks(?:/(?P<slug>[\s\S]*?))?/?\Z", ReceiveView.as_view()),
    path("api/v1/", include("deliveries.api.urls")),
    path("api/schema/", SchemaView.as_view(), name="api-schema"),
    path("api/schema", SchemaView.as_view()),
    path("api/docs/", DocsView.as_view(), name="api-docs"),
    path("api/docs", DocsView.as_view()),
    re_path("^api(/|$)", UnknownPath.as_view()),
    path("health", operations.ReadyView.as_view()),
    path("health/live", operations.live, name="health-live"),
    path("health/ready", operations.ReadyView.as_view(), name="health-ready"),
    path("metrics", operations.MetricsView.as_view(), name="metrics"),
    # Before the site's own at the same addresses: those fail at some query strings, count nothing and note nothing.
    path("admin/autocomplete/", lookups.autocomplete),
    path("admin/search/", lookups.search),
    path("admin/overview/", home.live, name="home-live"),
    path("admin/tail/", live_tail.page, name="live-tail"),
    path("admin/tail/lines/", live_tail.lines, name="live-tail-lines"),
    path("admin/login/", entrance.login, name="account_login"),
    path("admin/", include("deliveries.admin.signing_in")),
    path("admin/sessions/", own_sessions.page, name="own-sessions"),
    path("admin/password_change/", entrance.password_change),
    path("admin/", admin.site.urls),
]
