"""What the tests of all signature schemes share."""

from __future__ import annotations

from django.test import SimpleTestCase

from integrations.contracts import InboundRequest
from integrations.errors import VerificationFailed
from integrations.verification import Scheme

SECRET = "s3cret"


class SchemeTestCase(SimpleTestCase):
    def refused(self, scheme: Scheme, request: InboundRequest, *keys: str) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            scheme.verify(request, keys or (SECRET,))
        return caught.exception.reason
