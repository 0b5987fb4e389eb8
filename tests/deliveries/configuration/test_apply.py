"""``manage.py apply``."""

from __future__ import annotations

from unittest import mock

from deliveries.configuration import applying
from deliveries.configuration.routes import Routes
from deliveries.models import DeliveryStatus
from integrations.models import Connection, Endpoint, EndpointGroup, Route
from tests.deliveries.configuration.cases import ConfigurationTestCase
from tests.factories import make_delivery, make_endpoint, make_route

ORDERS = """\
version: 1
endpoints:
  - slug: orders
    provider: generic_hmac
    priority: 7
    settings: {header: X-Shop-Signature}
    secrets: [{label: first, value: env:HUB_SECRET_ORDERS}]
routes:
  - endpoint: orders
    name: note it
    events: [order.*]
    handler: log
    retry: {max_attempts: 2}
"""


class ApplyTests(ConfigurationTestCase):
    def test_makes_what_is_new_and_the_second_time_nothing(self) -> None:
        self.assertEqual(
            self.apply(ORDERS),
            """\
+ create endpoint orders
    provider: "generic_hmac"
    priority: 7
    settings.header: "X-Shop-Signature"
    secrets.env:HUB_SECRET_ORDERS: "first"
+ create route orders / note it
    events: ["order.*"]
    handler: "log"
    retry.max_attempts: 2
2 to create, 0 to change, 0 to retire
applied: 2 created, 0 changed, 0 retired
""",
        )

        self.assertEqual(self.apply(ORDERS), "nothing to change\n")
        route = Route.objects.get()
        self.assertEqual((route.endpoint.slug, route.endpoint.priority, route.events), ("orders", 7, ["order.*"]))
        self.assertEqual(route.retry["max_attempts"], 2)
        self.assertEqual(route.endpoint.secrets.get().resolved(), "orders-secret-0123456789")

    def test_sets_up_a_broker_and_a_route_to_it(self) -> None:
        text = """\
version: 1
endpoints:
  - {slug: orders, provider: generic_hmac}
connections:
  - name: events
    kind: kafka
    base_url: kafka+tls://a.example.com:9093,b.example.com:9093
    auth: sasl
    auth_settings: {mechanism: SCRAM-SHA-512}
    credentials: {username: env:HUB_SECRET_NEXT, password: env:HUB_SECRET_VERIFY}
routes:
  - endpoint: orders
    name: publish it
    handler: queue.publish
    config: {connection: events, queue: orders, key: customer.id}
"""
        self.apply(text)

        self.assertEqual(self.apply(text), "nothing to change\n")
        self.assertIn("mechanism: SCRAM-SHA-512", self.export())
        self.assertEqual(Connection.objects.get().resolved()["password"], "verify-token-0123456789")

    def test_notes_everything_in_the_log(self) -> None:
        self.apply(ORDERS)
        self.apply(ORDERS.replace("priority: 7", "priority: 8").replace("[order.*]", "[]"))
        self.apply("version: 1\nendpoints: []\nroutes: []\n")

        self.assertEqual(
            self.logged(),
            [
                "apply: made.",
                "apply: added to orders.",
                "apply: made.",
                "apply: changed priority.",
                "apply: changed events.",
                "apply: retired.",
                "apply: retired.",
            ],
        )

    def test_changes_what_differs_and_nothing_else(self) -> None:
        self.apply(ORDERS)
        before = Route.objects.get()

        printed = self.apply(ORDERS.replace("priority: 7", "priority: 8").replace("X-Shop", "X-Other"))

        self.assertIn('    settings.header: "X-Shop-Signature" -> "X-Other-Signature"\n', printed)
        self.assertIn("    priority: 7 -> 8\n", printed)
        self.assertIn("applied: 0 created, 1 changed, 0 retired", printed)
        after = Route.objects.get()
        self.assertEqual((after.updated_at, after.endpoint.priority), (before.updated_at, 8))

    def test_puts_back_to_its_default_what_an_item_leaves_out(self) -> None:
        self.apply(ORDERS)

        changes = self.drift(ORDERS.replace("    priority: 7\n", "").replace("    retry: {max_attempts: 2}\n", ""))

        self.assertEqual(
            [(change["kind"], change["differences"]) for change in changes],
            [
                ("endpoints", [{"name": "priority", "before": 7, "after": 5}]),
                ("routes", [{"name": "retry.max_attempts", "before": 2, "after": 6}]),
            ],
        )

    def test_takes_from_the_handler_what_a_route_leaves_out(self) -> None:
        text = ORDERS.replace("handler: log", "handler: test.note").replace("    retry: {max_attempts: 2}\n", "")

        self.apply(text)

        route = Route.objects.get()
        self.assertEqual((route.retry["max_attempts"], route.timeout_seconds), (4, 12.0))
        self.assertEqual(self.drift(text), [])

    def test_takes_away_rules_for_errors_and_parts_of_them(self) -> None:
        rules = "retry: {errors: {ValueError: {retry: false}, OSError: {max_attempts: 9, factor: 2}}}"
        self.apply(ORDERS.replace("retry: {max_attempts: 2}", rules))
        self.assertEqual(len(Route.objects.get().retry["errors"]), 2)
        fewer = ORDERS.replace("retry: {max_attempts: 2}", "retry: {errors: {OSError: {factor: 2}}}")

        printed = self.apply(fewer)

        self.assertIn("    retry.errors.OSError.max_attempts: 9 -> nothing\n", printed)
        self.assertIn("    retry.errors.ValueError.retry: false -> nothing\n", printed)
        self.assertEqual(Route.objects.get().retry["errors"], {"OSError": {"factor": 2}})
        self.assertEqual(self.drift(fewer), [])

    def test_retires_what_a_named_list_does_not_have(self) -> None:
        self.apply(ORDERS)
        make_route(Endpoint.objects.get(), name="made by hand")

        printed = self.apply(ORDERS)

        self.assertIn("- retire route orders / made by hand", printed)
        self.assertEqual(Route.objects.live().get().name, "note it")
        self.apply("version: 1\nendpoints: []\nroutes: []\n")
        self.assertFalse(Endpoint.objects.live().exists() or Route.objects.live().exists())

    def test_leaves_alone_the_kinds_that_are_not_named(self) -> None:
        self.apply(ORDERS)
        only_routes = "version: 1\nroutes: []\n"

        self.apply(only_routes)

        self.assertTrue(Endpoint.objects.live().exists())
        self.assertFalse(Route.objects.live().exists())
        self.assertEqual(self.apply("version: 1\n"), "nothing to change\n")

    def test_pairs_routes_of_one_name_in_their_order(self) -> None:
        endpoint = make_endpoint(slug="orders")
        for priority in (1, 2):
            make_route(endpoint, name="same", priority=priority)
        text = self.export()

        self.assertEqual(self.drift(text), [])
        self.apply(text.replace("priority: 2", "priority: 3"))

        self.assertEqual(list(Route.objects.order_by("id").values_list("priority", flat=True)), [1, 3])

    def test_holds_and_releases_deliveries_with_their_route_and_endpoint(self) -> None:
        self.apply(ORDERS)
        delivery = make_delivery(Route.objects.get())

        for text, status in (
            (ORDERS + "    paused: true\n", DeliveryStatus.HELD),
            (ORDERS, DeliveryStatus.PENDING),
            (ORDERS.replace("priority: 7", "state: paused"), DeliveryStatus.HELD),
            (ORDERS, DeliveryStatus.PENDING),
        ):
            self.apply(text)
            delivery.refresh_from_db()
            self.assertEqual(delivery.status, status)

    def test_does_all_or_nothing(self) -> None:
        text = ORDERS.replace("handler: log", "handler: http.forward")  # whose config is missing

        problem = self.refused(text)

        self.assertIn("route orders / note it: config: has to be an object with either url or connection", problem)
        self.assertFalse(Endpoint.objects.exists())
        self.assertEqual(self.logged(), [])

    def test_names_everything_that_is_wrong(self) -> None:
        text = ORDERS.replace("priority: 7", "priority: 70").replace("log", "nobody").replace("order.*", '" "')

        problem = self.refused(text)

        self.assertIn("endpoint orders: priority: Ensure this value is less than or equal to 9.", problem)
        self.assertIn('route orders / note it: handler: "nobody" is not a valid choice.', problem)
        self.assertIn("route orders / note it: events: ", problem)

    def test_refuses_a_route_whose_endpoint_goes(self) -> None:
        self.apply(ORDERS)

        problem = self.refused(ORDERS.replace("slug: orders", "slug: others"))

        self.assertIn("route orders / note it: cannot be as the file says", problem)
        self.assertTrue(Endpoint.objects.live().filter(slug="orders").exists())

    def test_warns_of_an_endpoint_without_a_secret(self) -> None:
        self.apply(ORDERS.replace("    secrets: [{label: first, value: env:HUB_SECRET_ORDERS}]\n", ""))

        self.assertIn("endpoint orders has no live secret and will refuse every request", self.warnings.getvalue())


class AskingTests(ConfigurationTestCase):
    def answered(self, answer: str) -> mock._patch[mock.MagicMock]:
        self.enterContext(mock.patch("sys.stdin.isatty", return_value=True, create=True))
        return mock.patch("builtins.input", return_value=answer)

    def test_refuses_without_a_terminal_and_without_yes(self) -> None:
        with mock.patch("sys.stdin.isatty", return_value=False, create=True):
            self.assertIn("give --yes", self.refused(ORDERS, "--verbosity=1"))
        self.assertFalse(Endpoint.objects.exists())

    def test_applies_after_a_yes_on_a_terminal(self) -> None:
        with self.answered("y"):
            self.apply(ORDERS, "--verbosity=1")
        self.assertTrue(Endpoint.objects.exists())

    def test_applies_nothing_after_anything_else(self) -> None:
        for answer in ("", "n", "what?"):
            with self.answered(answer):
                self.assertEqual(self.refused(ORDERS, "--verbosity=1"), "nothing was applied")
        self.assertFalse(Endpoint.objects.exists())

    def test_does_not_ask_where_nothing_changes(self) -> None:
        self.apply(ORDERS)

        self.assertEqual(self.apply(ORDERS, "--verbosity=1"), "nothing to change\n")

    def test_refuses_what_has_changed_since_it_was_shown(self) -> None:
        self.apply(ORDERS)
        apply = applying.apply

        def somebody_is_faster(*args, **kwargs):
            Endpoint.objects.update(priority=1)
            return apply(*args, **kwargs)

        with mock.patch("deliveries.management.commands.apply.apply", somebody_is_faster):
            problem = self.refused(ORDERS.replace("priority: 7", "priority: 8"))

        self.assertIn("has changed since", problem)
        self.assertEqual(Endpoint.objects.get().priority, 1)

    def test_dry_run_changes_nothing_and_exits_with_3(self) -> None:
        changes = self.drift(ORDERS)

        self.assertEqual(
            [(change["kind"], change["action"]) for change in changes], [("endpoints", "create"), ("routes", "create")]
        )
        self.assertFalse(Endpoint.objects.exists())
        self.assertEqual(self.logged(), [])

    def test_log_names_the_given_user(self) -> None:
        self.apply(ORDERS, "--yes", "--user", "ada")
        self.assertIn("no active user 'eve'", self.refused(ORDERS.replace("7", "8"), "--yes", "--user", "eve"))

    def test_log_needs_an_administrator(self) -> None:
        self.user.delete()

        self.assertIn("there is no administrator", self.refused(ORDERS))
        self.assertFalse(Endpoint.objects.exists())


class ByName(Routes):
    """Routes as they would be if their name alone told them apart."""

    identity = ("name",)


class KindTests(ConfigurationTestCase):
    def test_takes_the_name_of_what_the_same_file_makes(self) -> None:
        self.assertEqual(ByName().entered({"name": "a", "endpoint": "not made yet"}), {"endpoint": "not made yet"})

    def test_compares_related_rows_by_their_names(self) -> None:
        route = make_route(make_endpoint(slug="orders"))

        self.assertEqual(ByName().current(route)["endpoint"], "orders")
        self.assertNotIn("endpoint", ByName().defaults({}))


class GroupTests(ConfigurationTestCase):
    FILE = "version: 1\nendpoint_groups: [{name: shop, description: The shop}]\n" + ORDERS.partition("\n")[2].replace(
        "priority: 7", "group: shop"
    )

    def test_are_made_with_the_endpoints_in_them(self) -> None:
        self.apply(self.FILE)

        self.assertEqual(Endpoint.objects.get().group.name, "shop")
        self.assertEqual(self.drift(self.FILE), [])
        self.assertIn("description: The shop", self.export())

    def test_are_removed_once_no_endpoint_is_in_them(self) -> None:
        self.apply(self.FILE)
        empty = self.FILE.replace("[{name: shop, description: The shop}]", "[]")

        self.assertIn("endpoint group shop: endpoints are in it", self.refused(empty))
        self.apply(empty.replace("    group: shop\n", ""))

        self.assertFalse(EndpointGroup.objects.exists())
