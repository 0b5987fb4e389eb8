"""Several senders at the same moment, on real connections of their own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client, TransactionTestCase

from deliveries.models import Delivery, Event, EventVariant, Rejection, RejectionCount
from deliveries.receiving.rejections import PER_GROUP
from deliveries.receiving.tally import tally
from tests.deliveries.receiving.cases import Sender, signed_endpoint
from tests.factories import make_route


class _OneSender(Sender):
    def __init__(self) -> None:
        self.client = Client()


def at_once(senders: int, send: Callable[[Sender, int], Any]) -> list[Any]:
    """Call ``send(sender, number)`` in so many threads that start together; return what they return."""
    start, results = threading.Barrier(senders), []

    def run(number: int) -> None:
        try:
            start.wait(10)
            results.append(send(_OneSender(), number))
        except Exception as exc:  # the assertion on the results shows it
            results.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def status(response: Any) -> str:
    return response.json()["status"]


class SendersAtTheSameMoment(TransactionTestCase):
    def test_make_one_event_and_one_set_of_deliveries_of_one_id(self) -> None:
        endpoint = signed_endpoint()
        make_route(endpoint), make_route(endpoint)

        answers = at_once(8, lambda sender, _: sender.send(endpoint, event_id="1").json())

        event = Event.objects.get()
        self.assertEqual({answer["event"] for answer in answers}, {str(event.pk)})
        self.assertEqual(Counter(answer["status"] for answer in answers), {"accepted": 1, "duplicate": 7})
        self.assertEqual((event.duplicates, Delivery.objects.count()), (7, 2))

    def test_make_an_event_each_of_different_ids(self) -> None:
        make_route(endpoint := signed_endpoint())

        answers = at_once(8, lambda sender, number: status(sender.send(endpoint, event_id=str(number))))

        self.assertEqual(answers, ["accepted"] * 8)
        self.assertEqual((Event.objects.count(), Delivery.objects.count()), (8, 8))

    def test_make_one_event_of_a_body_whose_time_as_a_duplicate_is_over(self) -> None:
        make_route(endpoint := signed_endpoint())
        _OneSender().send(endpoint, b"[1]")
        old = Event.objects.get()
        Event.objects.update(received_at=old.received_at - timedelta(days=2))

        answers = at_once(8, lambda sender, _: sender.send(endpoint, b"[1]").json())

        fresh = Event.objects.exclude(pk=old.pk).get()
        self.assertEqual({answer["event"] for answer in answers}, {str(fresh.pk)})
        self.assertEqual(Counter(answer["status"] for answer in answers), {"accepted": 1, "duplicate": 7})
        old.refresh_from_db()
        self.assertEqual((fresh.duplicates, old.duplicates, Delivery.objects.count()), (7, 0, 2))

    def test_leave_a_bounded_number_of_other_bodies(self) -> None:
        endpoint = signed_endpoint()
        _OneSender().send(endpoint, b"[0]", event_id="1")

        answers = at_once(8, lambda sender, number: status(sender.send(endpoint, b"[1%d]" % number, event_id="1")))

        event = Event.objects.get()
        self.assertEqual(answers, ["duplicate"] * 8)
        self.assertEqual((event.duplicates, event.flags), (8, ["conflicting_body"]))
        self.assertEqual(EventVariant.objects.count(), 5)

    def test_leave_a_bounded_number_of_rejections_and_the_whole_count(self) -> None:
        endpoint = signed_endpoint()
        for _ in range(PER_GROUP - 2):
            _OneSender().send(endpoint, secret="wrong")

        answers = at_once(8, lambda sender, _: sender.send(endpoint, secret="wrong").status_code)

        self.assertEqual(answers, [401] * 8)
        self.assertEqual(Rejection.objects.count(), PER_GROUP)
        tally.flush()
        self.assertEqual(sum(RejectionCount.objects.values_list("count", flat=True)), PER_GROUP - 2 + 8)
