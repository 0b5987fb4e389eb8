from __future__ import annotations

from ipaddress import ip_address, ip_network

from django.test import RequestFactory, SimpleTestCase, TestCase, override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from deliveries.models import Event
from deliveries.receiving.source import client_address, inbound_request
from tests.deliveries.receiving.cases import Sender, signed_endpoint

ANY_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80)
PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def address(peer: str, forwarded: str | None = None) -> str:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return str(client_address(RequestFactory().post("/hooks/x", headers=headers, REMOTE_ADDR=peer)))


class TheHeaders(SimpleTestCase):
    @given(st.dictionaries(st.from_regex(r"[A-Za-z0-9-]{1,70}", fullmatch=True), ANY_TEXT, max_size=5))
    def test_are_those_that_django_finds(self, headers: dict[str, str]) -> None:
        request = RequestFactory().post("/hooks/x", b"{}", "application/json", headers=headers)

        found = inbound_request(request, received_at=timezone.now(), source=None).headers

        self.assertEqual(dict(found), dict(request.headers))
        self.assertEqual(list(found.items()), list(request.headers.items()))
        for name in (*headers, "content-TYPE", "x-not-there"):
            self.assertEqual((found.get(name), name in found), (request.headers.get(name), name in request.headers))


class TheSource(SimpleTestCase):
    def test_is_the_peer_whatever_it_claims(self) -> None:
        self.assertEqual(address("192.0.2.1", "203.0.113.9"), "192.0.2.1")

    @override_settings(HUB_TRUSTED_PROXIES=PROXIES)
    def test_behind_trusted_proxies_is_the_first_that_is_none_from_the_right(self) -> None:
        for peer, forwarded, expected in (
            ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),  # the left one is the sender's claim
            ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1", "203.0.113.9:51234", "203.0.113.9"),
            ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
            ("10.0.0.1", "2001:db8::1%eth0", "2001:db8::1"),
            ("10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
            ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
            ("fd00::1", "203.0.113.9", "203.0.113.9"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "unknown", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.9, <script>", "10.0.0.1"),
            ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # no proxy of ours
        ):
            with self.subTest(peer=peer, forwarded=forwarded):
                self.assertEqual(address(peer, forwarded), expected)

    def test_is_unknown_on_a_unix_socket(self) -> None:
        self.assertEqual(address(""), "None")

    def test_of_an_ipv4_address_in_ipv6_clothes_is_the_ipv4_address(self) -> None:
        self.assertEqual(address("::ffff:192.0.2.1"), "192.0.2.1")


@override_settings(HUB_BASE_URL="https://hub.example.com/base")
class TheUrl(SimpleTestCase):
    def url(self, path: str, **environ) -> str:
        request = RequestFactory().generic("POST", path, **environ)
        return inbound_request(request, received_at=timezone.now(), source=ip_address("192.0.2.1")).url

    def test_is_the_public_address_with_path_and_query(self) -> None:
        self.assertEqual(self.url("/hooks/x?a=%20b&c"), "https://hub.example.com/base/hooks/x?a=%20b&c")
        self.assertEqual(self.url("/hooks/x/"), "https://hub.example.com/base/hooks/x/")

    def test_does_not_follow_what_the_sender_says_of_the_host(self) -> None:
        url = self.url("/hooks/x", headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})

        self.assertEqual(url, "https://hub.example.com/base/hooks/x")


class AnEndpointsNetworks(Sender, TestCase):
    @override_settings(HUB_TRUSTED_PROXIES=PROXIES)
    def test_are_about_the_sender_and_not_about_the_proxy(self) -> None:
        endpoint = signed_endpoint(allowed_networks=["203.0.113.0/24", "2001:db8::/32"])

        def status(forwarded: str) -> int:
            return self.send(endpoint, headers={"X-Forwarded-For": forwarded}, REMOTE_ADDR="10.0.0.1").status_code

        self.assertEqual(status("203.0.113.9"), 200)
        self.assertEqual(status("2001:db8::7"), 200)
        self.assertEqual(status("203.0.113.9, 198.51.100.1"), 403)
        self.assertEqual(Event.objects.first().source, "203.0.113.9")

    def test_cannot_be_met_by_a_claim(self) -> None:
        endpoint = signed_endpoint(allowed_networks=["203.0.113.0/24"])

        response = self.send(endpoint, headers={"X-Forwarded-For": "203.0.113.9"}, REMOTE_ADDR="198.51.100.1")

        self.assertEqual(response.status_code, 403)

    def test_have_no_place_for_a_sender_without_an_address(self) -> None:
        self.assertEqual(self.send(signed_endpoint(allowed_networks=["0.0.0.0/0"]), REMOTE_ADDR="").status_code, 403)
