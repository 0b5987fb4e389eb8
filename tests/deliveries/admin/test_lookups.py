from __future__ import annotations

from django.test import Client, TestCase

from tests.deliveries.admin.people import logged_in
from tests.factories import make_endpoint

FIELD = "app_label=integrations&model_name=route&field_name=endpoint"


class AutocompleteTests(TestCase):
    def test_offers_what_fits(self) -> None:
        endpoint = make_endpoint(slug="shop")
        answer = logged_in("administrator").get(f"/admin/autocomplete/?{FIELD}&term=sho")

        self.assertEqual([row["id"] for row in answer.json()["results"]], [str(endpoint.pk)])

    def test_refuses_what_no_column_can_hold(self) -> None:
        client = logged_in("administrator")
        for query in (f"{FIELD}&term=%00", f"{FIELD}&term=a%00b", "app_label=%00&model_name=route&field_name=endpoint"):
            self.assertEqual(client.get(f"/admin/autocomplete/?{query}").status_code, 400, query)

    def test_stays_shut_to_strangers(self) -> None:
        self.assertEqual(Client().get(f"/admin/autocomplete/?{FIELD}&term=a").status_code, 302)


class SearchTests(TestCase):
    def test_finds_pages(self) -> None:
        self.assertContains(logged_in("viewer").get("/admin/search/?s=endpoi"), "/admin/integrations/endpoint/")

    def test_has_no_page_of_results_that_is_not_there(self) -> None:
        client = logged_in("viewer")
        for page in ("x", "0", "-1", "9", "9" * 5000):
            self.assertEqual(client.get(f"/admin/search/?s=endpoint&page={page}").status_code, 404, page[:20])

    def test_refuses_what_no_column_can_hold(self) -> None:
        self.assertEqual(logged_in("viewer").get("/admin/search/?s=a%00&extended=1").status_code, 400)

    def test_stays_shut_to_strangers(self) -> None:
        self.assertEqual(Client().get("/admin/search/?s=a").status_code, 302)
