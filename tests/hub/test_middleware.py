"""What every request passes through."""

from __future__ import annotations

from ipaddress import ip_network
from uuid import uuid4

from django.contrib.auth.models import User
from django.test import SimpleTestCase, TestCase, override_settings

from hub.middleware import zone_named

PROXIES = [ip_network("192.0.2.0/24")]


class TheRequestIdTests(SimpleTestCase):
    def test_is_taken_over_if_it_is_sane(self) -> None:
        answer = self.client.get("/health/live", headers={"X-Request-ID": "order-4711.a:b_c"})

        self.assertEqual(answer["X-Request-ID"], "order-4711.a:b_c")

    def test_is_made_anew_if_it_is_not(self) -> None:
        for offered in ("", "a b", "ä", "x" * 129, "<script>"):
            with self.subTest(offered=offered):
                answer = self.client.get("/health/live", headers={"X-Request-ID": offered})

                self.assertRegex(answer["X-Request-ID"], r"^[0-9a-f]{32}$")


@override_settings(SECURE_HSTS_SECONDS=60)
class ForwardedSchemeTests(SimpleTestCase):
    def get(self, source: str, scheme: str) -> bool:
        """Return whether the hub took the request for a secure one: only then it sends HSTS."""
        answer = self.client.get("/health/live", REMOTE_ADDR=source, headers={"X-Forwarded-Proto": scheme})
        return "Strict-Transport-Security" in answer

    @override_settings(HUB_TRUSTED_PROXIES=PROXIES)
    def test_is_believed_of_a_trusted_proxy(self) -> None:
        self.assertTrue(self.get("192.0.2.7", "https"))
        self.assertFalse(self.get("192.0.2.7", "http"))

    @override_settings(HUB_TRUSTED_PROXIES=PROXIES)
    def test_is_not_believed_of_anybody_else(self) -> None:
        self.assertFalse(self.get("203.0.113.9", "https"))

    def test_is_believed_of_nobody_by_default(self) -> None:
        self.assertFalse(self.get("127.0.0.1", "https"))


class PagesTests(TestCase):
    def test_run_no_script_of_another_place_and_none_that_is_written_into_them(self) -> None:
        policy = self.client.get("/admin/login/")["Content-Security-Policy"]

        self.assertIn("default-src 'none'", policy)
        script = next(part for part in policy.split("; ") if part.startswith("script-src"))
        self.assertEqual(script, "script-src 'self' 'unsafe-eval'")

    def test_outside_the_admin_may_do_nothing(self) -> None:
        policy = self.client.get("/health/live")["Content-Security-Policy"]

        self.assertEqual(policy, "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")

    def test_that_say_what_went_wrong_may_look_like_something(self) -> None:
        answer = self.client.get("/nothing-here")

        self.assertEqual(answer.status_code, 404)
        self.assertIn("style-src 'unsafe-inline'", answer["Content-Security-Policy"])
        self.assertIn("default-src 'none'", answer["Content-Security-Policy"])

    def test_of_orders_say_in_words_that_looking_at_them_did_nothing(self) -> None:
        self.client.force_login(User.objects.create_superuser("root"))
        path = f"/admin/deliveries/delivery/{uuid4()}/order/replay/"

        answer = self.client.get(path)

        self.assertContains(answer, "Nothing was done", status_code=405)
        self.assertEqual(answer["Allow"], "POST")


class TheHeadersTests(TestCase):
    """What `check --deploy` can only hope for, seen on answers: settings of production, a request over TLS."""

    PRODUCTION = {"SECURE_HSTS_SECONDS": 31_536_000, "SESSION_COOKIE_SECURE": True, "CSRF_COOKIE_SECURE": True}

    def test_of_every_answer_bind_the_browser_to_tls_and_to_types_and_to_referrers(self) -> None:
        with override_settings(**self.PRODUCTION):
            answers = [self.client.get(path, secure=True) for path in ("/admin/login/", "/health/live", "/hooks/none")]
        for answer in answers:
            with self.subTest(path=answer.request["PATH_INFO"]):
                self.assertEqual(answer["Strict-Transport-Security"], "max-age=31536000")
                self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
                self.assertEqual(answer["Referrer-Policy"], "same-origin")
                self.assertEqual(answer["Cross-Origin-Opener-Policy"], "same-origin")
                self.assertEqual(answer["X-Frame-Options"], "DENY")
                self.assertIn("frame-ancestors 'none'", answer["Content-Security-Policy"])

    def test_keep_cookies_to_tls_and_from_other_sites(self) -> None:
        User.objects.create_superuser("root", password="a long password")
        with override_settings(**self.PRODUCTION):
            self.client.post("/admin/login/", {"username": "root", "password": "a long password"}, secure=True)
            self.client.get("/admin/password_change/", secure=True)
        cookies = self.client.cookies
        for name in ("sessionid", "csrftoken"):
            with self.subTest(name=name):
                self.assertTrue(cookies[name]["secure"])
                self.assertEqual(cookies[name]["samesite"], "Lax")
        self.assertTrue(cookies["sessionid"]["httponly"])

    @override_settings(ALLOWED_HOSTS=["hub.example.com"])
    def test_of_a_request_may_name_no_other_host(self) -> None:
        for path in ("/admin/login/", "/api/v1/events/", "/hooks/demo"):
            for host in ("evil.example", "hub.example.com.evil.example", "hub.example.com:80@evil.example"):
                answer = self.client.post(path, headers={"Host": host})
                self.assertEqual((path, host, answer.status_code), (path, host, 400))
                self.assertNotIn(b"evil", answer.content)


class TheAdminsPlaceTests(TestCase):
    def status(self, path: str, *, host: str = "hub.example.com", source: str = "203.0.113.9") -> int:
        return self.client.get(path, headers={"Host": host}, REMOTE_ADDR=source).status_code

    @override_settings(HUB_ADMIN_HOSTS=["desk.example.com:8443"], ALLOWED_HOSTS=[".example.com"])
    def test_is_the_host_that_is_set(self) -> None:
        self.assertEqual(self.status("/admin/login/", host="desk.example.com:8443"), 200)
        for path in ("/admin/login/", "/admin/", "/admin", "/api/docs/", "/api/docs", "/"):
            self.assertEqual((path, self.status(path)), (path, 404))

    @override_settings(HUB_ADMIN_NETWORKS=[ip_network("10.8.0.0/16")], ALLOWED_HOSTS=[".example.com"])
    def test_is_the_network_that_is_set(self) -> None:
        self.assertEqual(self.status("/admin/login/", source="10.8.1.2"), 200)
        self.assertEqual(self.status("/admin/login/", source="10.9.1.2"), 404)
        self.assertEqual(self.status("/admin/login/", source=""), 404)  # a Unix socket: nobody knows

    @override_settings(HUB_ADMIN_NETWORKS=[ip_network("10.8.0.0/16")], HUB_TRUSTED_PROXIES=PROXIES)
    def test_goes_by_the_address_before_the_proxy(self) -> None:
        for sender, status in (("10.8.1.2", 200), ("203.0.113.9", 404)):
            answer = self.client.get(
                "/admin/login/", REMOTE_ADDR="192.0.2.7", headers={"X-Forwarded-For": f"10.8.9.9, {sender}"}
            )
            self.assertEqual((sender, answer.status_code), (sender, status))

    @override_settings(HUB_ADMIN_HOSTS=["desk.example.com"], ALLOWED_HOSTS=[".example.com"])
    def test_does_not_concern_webhooks_tokens_and_probes(self) -> None:
        self.assertEqual(self.status("/health/live"), 200)
        self.assertEqual(self.status("/api/v1/events/"), 401)
        answer = self.client.post("/hooks/none", headers={"Host": "hub.example.com"})
        self.assertEqual(answer.json(), {"error": "unknown_endpoint"})

    def test_is_everywhere_by_default(self) -> None:
        self.assertEqual(self.status("/admin/login/", host="testserver"), 200)


class TheViewersZoneTests(SimpleTestCase):
    def test_is_one_that_the_machine_knows(self) -> None:
        for name in ("Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"):
            self.assertEqual(str(zone_named(name)), name)

    def test_is_nothing_else(self) -> None:
        texts = ("", "Nowhere/Atlantis", "America", "../../etc/passwd", "/etc/localtime", "Europe/../UTC", "a" * 4000)
        for text in (*texts, "Europe/Berlin\x00", "posixrules/", "tzdata.zi", "ä/ö"):
            self.assertIsNone(zone_named(text), text)
