"""``ETag``, ``If-None-Match`` and ``If-Match`` on what is configured."""

from __future__ import annotations

from datetime import timedelta

from django.test import TransactionTestCase
from django.utils import timezone

from integrations.models import Endpoint, EndpointGroup, Secret
from tests.deliveries.api.at_once import at_once
from tests.deliveries.api.cases import API, ApiTestCase, client_of, make_user
from tests.factories import make_endpoint, make_route


class TagTests(ApiTestCase):
    def setUp(self) -> None:
        super().setUp()
        group = EndpointGroup.objects.create(name="shop")
        self.endpoint = make_endpoint(
            slug="orders", provider="generic_hmac", secret="s3cret-of-orders", group=group, settings={"header": "X-Sig"}
        )
        self.route = make_route(self.endpoint, retry={"max_attempts": 2}, timeout_seconds=12)
        self.urls = [f"{API}/endpoints/orders/", f"{API}/routes/{self.route.pk}/", f"{API}/endpoint-groups/shop/"]

    def tag(self, url: str) -> str:
        tag: str = self.client.get(url)["ETag"]
        return tag

    def test_is_the_same_until_something_changes(self) -> None:
        for url in self.urls:
            with self.subTest(url=url):
                before = self.tag(url)
                self.assertRegex(before, r'\A"[0-9a-f]{32}"\Z')
                self.assertEqual(self.tag(url), before)
                field = "description" if "groups" in url else "name"
                changed = self.client.patch(url, {field: "another"})
                self.assertEqual(changed["ETag"], self.tag(url))
                self.assertNotEqual(changed["ETag"], before)

    def test_of_a_new_row_is_in_the_answer_that_made_it(self) -> None:
        for url, body, key in (
            ("endpoints", {"slug": "new", "provider": "generic_hmac", "secrets": [{"value": "the-secret"}]}, "slug"),
            ("routes", {"endpoint": "orders", "name": "r", "handler": "log", "timeout_seconds": 3}, "id"),
            ("endpoint-groups", {"name": "new"}, "name"),
        ):
            with self.subTest(url=url):
                made = self.client.post(f"{API}/{url}/", body)
                self.assertEqual(made.status_code, 201, made.content)
                self.assertEqual(made["ETag"], self.tag(f"{API}/{url}/{made.json()[key]}/"))

    def test_that_is_known_is_answered_304_without_a_body(self) -> None:
        for url in self.urls:
            tag = self.tag(url)
            for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
                with self.subTest(url=url, known=known):
                    answer = self.client.get(url, headers={"If-None-Match": known})
                    self.assertEqual((answer.status_code, answer.content, answer["ETag"]), (304, b"", tag))
            self.assertEqual(self.client.get(url, headers={"If-None-Match": '"x"'}).status_code, 200)

    def test_that_is_stale_keeps_a_change_and_a_removal_from_being_done(self) -> None:
        for url in self.urls:
            stale = self.tag(url)
            field = "description" if "groups" in url else "name"
            self.client.patch(url, {field: "of somebody else"})
            for given in (stale, '"x"', f"W/{self.tag(url)}", "nonsense", ""):
                with self.subTest(url=url, given=given):
                    answer = self.client.patch(url, {field: "mine"}, headers={"If-Match": given})
                    self.assert_error(answer, 412, "precondition_failed")
                    self.assert_error(self.client.delete(url, headers={"If-Match": given}), 412, "precondition_failed")
            self.assertEqual(self.client.get(url).json()[field], "of somebody else")

    def test_that_is_current_lets_both_be_done(self) -> None:
        for url in reversed(self.urls):
            if "groups" in url:
                self.client.patch(f"{API}/endpoints/orders/", {"group": None})
            for form in ("{}", '"x", {}', "*"):
                answer = self.client.patch(url, {}, headers={"If-Match": form.format(self.tag(url))})
                self.assertEqual(answer.status_code, 200, answer.content)
            self.assertEqual(self.client.delete(url, headers={"If-Match": self.tag(url)}).status_code, 204)

    def test_does_not_change_by_use_alone_and_does_by_a_secret(self) -> None:
        url = self.urls[0]
        before = self.tag(url)
        Secret.objects.update(last_used_at=timezone.now() - timedelta(days=1))
        self.assertEqual(self.tag(url), before)

        self.client.post(f"{url}secrets/", {"value": "the-next-secret"})
        self.assertNotEqual(self.tag(url), before)


class RaceTests(TransactionTestCase):
    def test_lets_one_of_many_who_have_seen_the_same_change_it(self) -> None:
        make_endpoint(slug="orders")
        user = make_user("root", is_superuser=True)
        clients = [client_of(user) for _ in range(5)]
        url = f"{API}/endpoints/orders/"
        tag = clients[0].get(url)["ETag"]

        statuses = at_once(
            5, lambda n: clients[n].patch(url, {"name": f"by {n}"}, headers={"If-Match": tag}).status_code
        )

        self.assertEqual(sorted(statuses), [200, 412, 412, 412, 412])
        self.assertEqual(Endpoint.objects.get().name, f"by {statuses.index(200)}")

    def test_refuses_who_comes_after_it_was_retired(self) -> None:
        make_endpoint(slug="orders")
        user = make_user("root", is_superuser=True)
        clients = [client_of(user) for _ in range(4)]

        statuses = at_once(4, lambda n: clients[n].delete(f"{API}/endpoints/orders/").status_code)

        self.assertEqual(sorted(statuses), [204, 404, 404, 404])
