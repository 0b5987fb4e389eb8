"""Who may do what."""

from __future__ import annotations

from rest_framework.test import APIClient

from deliveries import bulk_replay
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_delivery, make_endpoint, make_route

RESOURCES = (
    "endpoints",
    "routes",
    "events",
    "deliveries",
    "replays",
    "rejections",
    "providers",
    "handlers",
    "stats",
    "accept-only",
    "backfills",
    "backfill-runs",
)


class PermissionTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.endpoint = make_endpoint(slug="orders", provider="generic_hmac", secret="s3cret-of-orders")
        self.route = make_route(self.endpoint)
        self.delivery = make_delivery(self.route)
        self.replay = bulk_replay.order({}, by=None)

    def test_gives_strangers_nothing(self) -> None:
        for resource in RESOURCES:
            with self.subTest(resource=resource):
                response = APIClient().get(f"{API}/{resource}/")
                self.assert_error(response, 401, "not_authenticated")
                self.assertEqual(response["WWW-Authenticate"], "Token")

    def test_gives_users_without_a_role_nothing(self) -> None:
        client = client_of(make_user("nora"))

        for resource in RESOURCES:
            with self.subTest(resource=resource):
                self.assert_error(client.get(f"{API}/{resource}/"), 403, "permission_denied")

    def test_lets_viewers_read_everything_and_change_nothing(self) -> None:
        client = client_of(make_user("vera", role="viewer"))
        secret = self.endpoint.secrets.get()

        for resource in RESOURCES:
            with self.subTest(resource=resource):
                self.assertEqual(client.get(f"{API}/{resource}/").status_code, 200)
        forbidden = [
            ("post", "endpoints/", {"slug": "new", "provider": "generic_none"}),
            ("patch", "endpoints/orders/", {"name": "x"}),
            ("delete", "endpoints/orders/", None),
            ("post", "endpoints/orders/secrets/", {"value": "another-secret"}),
            ("delete", f"endpoints/orders/secrets/{secret.pk}/", None),
            ("post", "endpoints/orders/test/", None),
            ("post", "endpoints/orders/pause/", None),
            ("post", "endpoints/orders/resume/", None),
            ("post", "routes/", {"endpoint": "orders", "name": "r", "handler": "log"}),
            ("patch", f"routes/{self.route.pk}/", {"enabled": False}),
            ("delete", f"routes/{self.route.pk}/", None),
            ("post", f"routes/{self.route.pk}/pause/", None),
            ("post", f"routes/{self.route.pk}/resume/", None),
            ("post", f"deliveries/{self.delivery.pk}/replay/", None),
            ("post", "replays/", {"all": True}),
            ("post", "replays/", {"all": True, "dry_run": True}),
            ("post", f"replays/{self.replay.pk}/pause/", None),
            ("post", f"replays/{self.replay.pk}/resume/", None),
            ("post", f"replays/{self.replay.pk}/cancel/", None),
            ("post", f"deliveries/{self.delivery.pk}/discard/", None),
            ("post", "accept-only/", None),
            ("delete", "accept-only/", None),
        ]
        for method, path, body in forbidden:
            with self.subTest(method=method, path=path):
                response = getattr(client, method)(f"{API}/{path}", body)
                self.assert_error(response, 403, "permission_denied")
        self.delivery.refresh_from_db()
        self.assertEqual(self.delivery.status, "pending")
        self.assertEqual(self.logged(), [])

    def test_lets_operators_hold_and_not_configure(self) -> None:
        client = client_of(make_user("olga", role="operator"))

        self.assertEqual(client.post(f"{API}/endpoints/orders/pause/").status_code, 200)
        self.assertEqual(client.post(f"{API}/routes/{self.route.pk}/pause/").status_code, 200)
        self.assertEqual(client.post(f"{API}/deliveries/{self.delivery.pk}/discard/").status_code, 200)
        self.assert_error(client.patch(f"{API}/endpoints/orders/", {"name": "x"}), 403, "permission_denied")
        self.assert_error(client.delete(f"{API}/routes/{self.route.pk}/"), 403, "permission_denied")

    def test_takes_the_right_to_add_secrets_for_an_endpoint_with_secrets(self) -> None:
        from django.contrib.auth.models import Permission

        user = make_user("carl")
        user.user_permissions.set(Permission.objects.filter(codename__in=["add_endpoint", "view_endpoint"]))
        client = client_of(user)
        body = {"slug": "new", "provider": "generic_hmac", "secrets": [{"value": "another-secret"}]}

        self.assert_error(client.post(f"{API}/endpoints/", body), 403, "permission_denied")
        del body["secrets"]
        self.assertEqual(client.post(f"{API}/endpoints/", body).status_code, 201)
