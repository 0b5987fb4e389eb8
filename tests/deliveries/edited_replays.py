"""An event that operators replay with another payload."""

from __future__ import annotations

import json

from django.test import TestCase

from deliveries.models.sealing import MASK
from tests.deliveries.admin.people import make_user
from tests.factories import make_endpoint, make_event, make_route

PAYLOAD = {"type": "order.paid", "total": 250, "who": {"name": "Ada"}}
EDITED = {"type": "order.paid", "total": 25, "who": {"name": "Ada"}}


class EditedReplayTestCase(TestCase):
    def setUp(self) -> None:
        self.user = make_user("operator")
        self.endpoint = make_endpoint()
        self.route = make_route(self.endpoint, name="Book it")
        self.event = make_event(
            self.endpoint,
            body=json.dumps(PAYLOAD).encode(),
            event_id="o-1",
            event_type="order.paid",
            headers={"X-Shop": "1", "X-Signature": MASK, "Content-Length": "60", "Digest": "x", "Content-Type": "a/b"},
            query_string=f"a=1&token={MASK}",
            hops=3,
        )
