from __future__ import annotations

from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.verification import Reason, explanation, unproven
from integrations.verification.reasons import EXPLANATIONS


class ReasonTests(SimpleTestCase):
    def test_has_an_explanation_of_one_line_for_each(self) -> None:
        self.assertEqual(set(EXPLANATIONS), set(Reason))
        for reason in Reason:
            with self.subTest(reason=reason):
                self.assertTrue(explanation(reason).endswith("."))
                self.assertNotIn("\n", explanation(reason))

    def test_is_a_plain_and_short_text_where_it_is_kept(self) -> None:
        error = unproven(Reason.SIGNATURE_MISMATCH, secrets=2)

        self.assertIs(type(error.reason), str)
        self.assertEqual(error.detail, {"secrets": 2})
        self.assertTrue(all(len(reason) <= 60 for reason in Reason))

    def test_looks_the_same_to_every_sender(self) -> None:
        seen = {(unproven(reason).status_code, unproven(reason).error) for reason in Reason}

        self.assertEqual(seen, {(401, "invalid_signature")})
        self.assertEqual(VerificationFailed.status_code, 401)

    def test_has_nothing_to_say_of_other_codes(self) -> None:
        self.assertEqual(explanation("rate_limited"), "")
