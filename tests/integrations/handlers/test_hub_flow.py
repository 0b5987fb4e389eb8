"""`hub.flow`: what its steps see, which of them run, and what a config of it may say."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.test import SimpleTestCase

from integrations.errors import GiveUp, StepFailed
from integrations.guards import named_connections
from integrations.handlers import handlers
from integrations.validation import validate_handler_config
from tests.automations.handlers import acts
from tests.integrations.handlers.contexts import Kept, context_of, event_of

ORDER = {"order": {"id": 7, "status": "paid"}}


def step(name: str, handler: str = "test.act", *, when: str = "", retry: Any = None, **config: Any) -> dict[str, Any]:
    """Return a step of a config."""
    made: dict[str, Any] = {"name": name, "handler": handler, "config": config}
    return {**made, **({"when": when} if when else {}), **({"retry": retry} if retry else {})}


async def _set() -> set[int]:
    return {1, 2}


class FlowTestCase(SimpleTestCase):
    def setUp(self) -> None:
        acts.clear()
        self.journal = Kept()

    def run_flow(self, *steps: dict[str, Any], payload: Any = ORDER) -> Any:
        config = {"steps": list(steps)}
        validate_handler_config("hub.flow", config)
        return handlers["hub.flow"].run(event_of(payload), context_of(config, self.journal))

    def calls(self) -> dict[str, int]:
        return {act: count for (_, act), count in acts.items()}


class AStep(FlowTestCase):
    def test_sees_the_outputs_of_those_before(self) -> None:
        outputs = self.run_flow(step("first", output={"id": 1}), step("second", sees=True))

        self.assertEqual(outputs["second"], {"steps": {"first": {"id": 1}}})

    def test_makes_values_of_them_by_template_and_by_jmespath(self) -> None:
        emitting = {
            "event_type": "order.{{ steps.lookup.kind }}",
            "payload": "{id: steps.lookup.id, was: payload.order}",
        }

        self.run_flow(step("lookup", output={"id": 5, "kind": "new"}), step("tell", "hub.emit", **emitting))

        self.assertEqual(self.journal.emitted, [("order.new", {"id": 5, "was": ORDER["order"]}, "")])

    def test_is_noted_with_what_its_handler_makes_of_its_config(self) -> None:
        self.run_flow(step("tell", "hub.emit", event_type="order.{{ payload.order.id }}", payload="payload.order.id"))

        self.assertEqual(
            self.journal.flow.inputs["tell"], {"endpoint": "github", "event_type": "order.7", "payload": 7}
        )

    def test_keeps_steps_of_its_own_apart_from_those_of_others(self) -> None:
        self.run_flow(step("one", act="a"), step("two", act="b"))

        self.assertEqual(self.journal.steps, {"one/same key": "a", "two/same key": "b"})

    def test_has_a_key_of_its_own_for_outside_systems(self) -> None:
        self.run_flow(step("one"), step("two"))

        keys = [fields["key"] for _, fields in self.journal.lines]
        self.assertEqual(len(set(keys)), 2)
        self.assertEqual([fields["step"] for _, fields in self.journal.lines], ["one", "two"])

    def test_may_be_a_coroutine(self) -> None:
        self.journal.aonce = lambda _key, run: run()  # type: ignore[method-assign]

        self.assertEqual(self.run_flow(step("one", "test.aact"))["one"], {"awaited": True})

    def test_that_is_over_does_not_run_again(self) -> None:
        steps = (step("one", act="a", emits=["made"]), step("two", act="b", failures=1))
        with self.assertRaises(StepFailed):
            self.run_flow(*steps)
        self.journal.emitted.clear()  # the failed attempt's are gone

        self.run_flow(*steps)

        self.assertEqual(self.calls(), {"a": 1, "b": 2})
        self.assertEqual(self.journal.emitted, [("made", {"of": "a"}, "")])

    def test_that_fails_says_which_it_is_and_counts_its_tries(self) -> None:
        for tries in (1, 2):
            with self.assertRaisesMessage(StepFailed, "Step two: not yet") as caught:
                self.run_flow(step("one"), step("two", act="b", failures=5, retry={"max_attempts": 3}))
            self.assertEqual((caught.exception.step, caught.exception.tries), ("two", tries))

        self.assertEqual(caught.exception.policy.max_attempts if caught.exception.policy else 0, 3)

    def test_spends_no_try_where_an_outside_system_was_not_called(self) -> None:
        with self.assertRaises(StepFailed):
            self.run_flow(step("one", act="a", failures=1, error="CircuitOpen"))

        self.assertEqual(self.journal.flow.tries, {"one": 0})

    def test_whose_output_is_no_json_gives_up(self) -> None:
        self.journal.aonce = lambda _key, _run: _set()  # type: ignore[method-assign]
        with self.assertRaises(StepFailed) as caught:
            self.run_flow(step("one", "test.aact"))

        self.assertIsInstance(caught.exception.cause, GiveUp)
        self.assertIn("cannot be kept", str(caught.exception))


class ACondition(FlowTestCase):
    def test_skips_a_step_and_leaves_it_without_an_output(self) -> None:
        outputs = self.run_flow(
            step("lookup", output={"found": False}),
            step("told", when="steps.lookup.found", act="told"),
            step("last", when="payload.order.status == 'paid' && !(steps.told)", act="last", output=1),
        )

        self.assertEqual(outputs, {"lookup": {"found": False}, "told": None, "last": 1})
        self.assertEqual(self.calls(), {"": 1, "last": 1})
        self.assertTrue(self.journal.flow.kept["told"].skipped)

    def test_that_cannot_be_told_fails_the_step_and_says_where_without_the_value(self) -> None:
        with self.assertRaises(StepFailed) as caught:
            self.run_flow(step("one", when="abs(payload.order.status) > `1`"))

        self.assertIsInstance(caught.exception.cause, GiveUp)
        self.assertEqual(
            str(caught.exception), "Step one: its condition fails: abs() is given string, and takes number"
        )


class AConfig(SimpleTestCase):
    def test_is_refused_with_the_place_of_what_is_wrong(self) -> None:
        forward = {"name": "b", "handler": "http.forward", "config": {"url": "x"}}
        slack = {"connection": "s", "channel": "c", "text": "{{ steps.lokup.id }}"}
        request = {"connection": "s", "path": "orders/{order.id}"}
        for steps, said in (
            ([], "steps: cannot be empty"),
            ([step("a")] * 21, "steps: can have at most 20 items"),
            ([step("a", "log"), forward], "steps/1/config/url: has to be an http"),
            ([step("a", "log"), step("a", "log")], "steps/1/name: another step has the name a"),
            ([step("A", "log")], "steps/0/name: has to be a name"),
            ([step("a", "no.such")], "steps/0/handler: there is no handler 'no.such'"),
            ([step("a", "hub.flow", steps=[])], "steps/0/handler: has to be the key of a handler, but no flow"),
            ([step("a", "log", when="a[")], "steps/0/when: is no JMESPath"),
            ([step("a", "log", when="order.id")], "steps/0/when: there is no order here"),
            ([step("a", "log", when="steps.a")], "steps/0/when: there is no step a before this one; it is the first"),
            ([step("a", "log"), step("b", "slack.message", **slack)], "steps/1/config/text: there is no step lokup"),
            ([step("a", "http.request", **request)], "steps/0/config/path: there is no order here"),
            ([step("a", "log", retry={"max_attempts": 0})], "steps/0/retry/max_attempts: has to be at least 1"),
        ):
            with self.subTest(said), self.assertRaisesMessage(ValidationError, said):
                validate_handler_config("hub.flow", {"steps": steps})

    def test_may_look_for_steps_wherever_an_expression_may_stand(self) -> None:
        params = {"q": "steps.a.items[*].id | [0]", "all": "[payload.x, steps.a]", "n": "length(steps.a.items)"}
        request = {"connection": "s", "path": "x/{steps.a.id}/{event.id}", "params": params, "json": "@"}
        template = "{% for item in steps.a.items %}{{ item.id }}{% endfor %}{{ payload.steps.x }}"
        steps = [
            step("a", "log"),
            step("b", "http.request", when="steps.a.items[?id > `1`] && !(steps.a.done)", **request),
            step("c", "slack.message", connection="s", channel="c", text=template),
        ]

        validate_handler_config("hub.flow", {"steps": steps})

    def test_names_the_connections_of_all_its_steps(self) -> None:
        calls = step("a", "http.request", connection="crm"), step("b", "http.forward", connection="old")
        within = step("c", "hub.flow", steps=[step("d", "http.request", connection="hidden")])

        self.assertEqual(named_connections("hub.flow", {"steps": [*calls, within, None, {}]}), ["crm", "old"])


class ThePreview(SimpleTestCase):
    def previewed(self, *steps: dict[str, Any], outputs: Any = None) -> Any:
        preview = handlers["hub.flow"].preview
        assert preview is not None
        return preview(event_of(ORDER, steps=outputs), {"steps": list(steps)})

    def test_shows_each_step_and_does_nothing(self) -> None:
        acts.clear()
        shown = self.previewed(
            step("one", act="a"),
            step("two", "hub.emit", event_type="x", payload="payload.order.id"),
            step("three", when="payload.order.status == 'open'"),
        )

        self.assertEqual(
            shown,
            [
                {"name": "one", "handler": "test.act", "note": "this handler has no preview"},
                {
                    "name": "two",
                    "handler": "hub.emit",
                    "does": {"endpoint": "github", "event_type": "x", "payload": 7},
                },
                {"name": "three", "handler": "test.act", "skipped": True, "when": "payload.order.status == 'open'"},
            ],
        )
        self.assertEqual(acts, {})

    def test_takes_outputs_that_are_known_and_says_which_are_not(self) -> None:
        steps = step("one", act="a"), step("two", "hub.emit", event_type="{{ steps.one.kind }}", payload="payload")

        unknown, known = self.previewed(*steps)[1], self.previewed(*steps, outputs={"one": {"kind": "k"}})[1]

        self.assertEqual(unknown["note"], "not known before it ran: the output of one")
        self.assertEqual(known["does"]["event_type"], "k")
