"""A provider that sends several things in one request; for tests alone."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.test import SimpleTestCase

from integrations.models import Endpoint
from integrations.providers import Provider, providers
from integrations.verification.hmac import Hmac
from tests.deliveries.receiving.cases import SECRET
from tests.factories import make_endpoint

PROVIDER = "batching"

PRESET = Provider(
    name="Batching",
    scheme=Hmac(headers=("X-Signature",)),
    event_id=("header:X-Event-Id",),
    event_type=("header:X-Event-Type",),
    json_field="events",
    batch="events || @",
    item_event_id=("body:id",),
    item_event_type=("body:type",),
    batch_stamp="sent_at",
    sensitive_fields=("events[].secret",),
)


class WithBatches(SimpleTestCase):
    """Registers the provider for the time of each test."""

    def setUp(self) -> None:
        super().setUp()
        providers.load()
        patched = mock.patch.dict(providers._entries, {PROVIDER: PRESET})
        patched.start()
        self.addCleanup(patched.stop)


def splitting(**values: Any) -> Endpoint:
    return make_endpoint(**{"provider": PROVIDER, "secret": SECRET, "batch": "split", **values})


def items(*numbers: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"evt-{number}", "type": "order.paid", "n": number, **fields} for number in numbers]
