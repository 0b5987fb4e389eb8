"""What every request passes through."""

from __future__ import annotations

from ipaddress import ip_network

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


class TheViewersZoneTests(SimpleTestCase):
    def test_is_one_that_the_machine_knows(self) -> None:
        for name in ("Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5", "UTC"):
            self.assertEqual(str(zone_named(name)), name)

    def test_is_nothing_else(self) -> None:
        texts = ("", "Nowhere/Atlantis", "America", "../../etc/passwd", "/etc/localtime", "Europe/../UTC", "a" * 4000)
        for text in (*texts, "Europe/Berlin\x00", "posixrules/", "tzdata.zi", "ä/ö"):
            self.assertIsNone(zone_named(text), text)
