from __future__ import annotations

import math
from datetime import timedelta
from io import StringIO
from unittest.mock import patch

from django.core.management import call_command
from django.db import OperationalError
from django.db.models import Sum
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.utils import timezone

from deliveries.models import Rejection, RejectionCount
from deliveries.models.sealing import MASK
from deliveries.receiving import endpoints, rejections
from deliveries.receiving import tally as tally_module
from deliveries.receiving.rejections import PER_GROUP
from deliveries.receiving.sampling import Sampler
from deliveries.receiving.tally import Tally, tally
from integrations.models import Endpoint
from tests.deliveries.receiving.cases import Sender, signature, signed_endpoint
from tests.factories import make_endpoint


class ARejection(Sender, TestCase):
    def rejected(self, endpoint: Endpoint | None = None, body: bytes = b"{}", **kwargs) -> Rejection:
        response = self.send(endpoint or signed_endpoint(), body, **{"secret": "wrong", **kwargs})
        self.assertIn(response.status_code, range(400, 500))
        return Rejection.objects.get(request_id=response["X-Request-ID"])

    def test_has_the_request_and_the_reason(self) -> None:
        rejection = self.rejected(body=b"[1]", headers={"X-Custom": "here"}, REMOTE_ADDR="192.0.2.9")

        self.assertEqual(
            (rejection.reason, rejection.source, rejection.body), ("signature_mismatch", "192.0.2.9", b"[1]")
        )
        self.assertEqual(rejection.headers["X-Custom"], "here")
        self.assertEqual((rejection.body_bytes, rejection.content_type), (3, "application/json"))

    def test_has_the_wrong_proof_and_misplaced_credentials_only_encrypted(self) -> None:
        rejection = self.rejected(
            query="?access_token=qrs456&tok%65n=tuv789", headers={"X-Gitlab-Token": "abc123", "X-Api-Key": "def456"}
        )

        shown = f"{rejection.headers} {rejection.query_string}"
        for secret in (signature(b"{}", "wrong"), "abc123", "def456", "qrs456", "tuv789"):
            self.assertNotIn(secret, shown)
        self.assertEqual(rejection.headers["X-Gitlab-Token"], MASK)
        self.assertEqual(rejection.original_headers["X-Gitlab-Token"], "abc123")

    def test_has_its_body_encrypted_as_it_may_hold_a_secret_meant_for_somebody_else(self) -> None:
        rejection = self.rejected(body=b'"confidential"')

        self.assertNotIn(b"confidential", bytes(rejection.raw_body))
        self.assertEqual(rejection.body, b'"confidential"')

    @override_settings(HUB_REJECTION_BODY_BYTES=10)
    def test_has_a_body_only_up_to_a_size(self) -> None:
        self.assertEqual(self.rejected(body=b"[12345678]").body, b"[12345678]")
        large = self.rejected(body=b"[123456789]")
        self.assertIsNone(large.raw_body)
        self.assertEqual(large.body_bytes, 11)

    def test_has_the_announced_size_of_a_body_that_was_not_read(self) -> None:
        endpoint = signed_endpoint(max_body_bytes=10)

        rejection = self.rejected(endpoint, b"", CONTENT_LENGTH="104857600")

        self.assertIsNone(rejection.raw_body)
        self.assertEqual((rejection.body_bytes, rejection.detail), (104857600, {"limit_bytes": 10}))

    def test_has_headers_only_up_to_a_size(self) -> None:
        many = {f"X-Many-{number}": "x" * 8000 for number in range(90)}

        rejection = self.rejected(headers={**many, "X-Short": "kept"})

        self.assertEqual(rejection.headers["X-Short"], "kept")
        self.assertLess(len(str(rejection.headers)), 40_000)
        self.assertGreater(rejection.detail["headers_left_out"], 80)


class Rejections(Sender, TestCase):
    def refuse(self, endpoint: Endpoint, times: int, source: str = "192.0.2.1", **kwargs) -> None:
        for _ in range(times):
            self.send(endpoint, **{"secret": "wrong", **kwargs}, REMOTE_ADDR=source)

    def test_are_all_counted_and_the_newest_of_a_group_kept(self) -> None:
        endpoint = signed_endpoint()

        self.refuse(endpoint, PER_GROUP + 5)
        self.refuse(endpoint, 2, source="192.0.2.2")
        self.refuse(endpoint, 3, secret="")

        self.assertEqual(Rejection.objects.count(), PER_GROUP + 2 + 3)
        tally.flush()
        counts = RejectionCount.objects.values_list("reason").annotate(Sum("count"))
        self.assertEqual(dict(counts), {"signature_mismatch": PER_GROUP + 7, "signature_missing": 3})

    def test_that_are_kept_are_the_newest(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, 1)
        first = Rejection.objects.get()

        with patch.object(rejections, "_of_group", Sampler(burst=PER_GROUP, per_second=1)):  # as if much later
            self.refuse(endpoint, PER_GROUP)

        self.assertFalse(Rejection.objects.filter(pk=first.pk).exists())

    @override_settings(HUB_REJECTIONS_PER_ENDPOINT=12)
    def test_of_one_source_cannot_push_out_anothers(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, 3, source="192.0.2.1")

        self.refuse(endpoint, PER_GROUP, source="198.51.100.1")
        self.refuse(endpoint, PER_GROUP, source="198.51.100.1", secret="")
        self.refuse(endpoint, 5, source="198.51.100.1", content_type="x/y", headers={"Content-Encoding": "gzip"})

        sources = list(Rejection.objects.values_list("source", flat=True))
        self.assertEqual((len(sources), sources.count("192.0.2.1")), (12, 3))

    @override_settings(HUB_REJECTIONS_PER_ENDPOINT=12)
    def test_of_one_endpoint_leave_anothers_alone(self) -> None:
        one, other = signed_endpoint(), signed_endpoint()
        self.refuse(one, 12)

        self.refuse(other, 15)

        self.assertEqual(one.rejections.count(), 12)
        self.assertEqual(other.rejections.count(), 12)

    def test_go_down_to_a_limit_that_has_been_lowered(self) -> None:
        endpoint = signed_endpoint()
        for number in range(8):
            self.refuse(endpoint, 8, source=f"192.0.2.{number}")
        self.assertEqual(Rejection.objects.count(), 64)

        with self.settings(HUB_REJECTIONS_PER_ENDPOINT=8):
            self.refuse(endpoint, 1, source="192.0.2.0")

        self.assertEqual(Rejection.objects.count(), 8)
        self.assertEqual(Rejection.objects.values("source").distinct().count(), 8)

    def test_go_down_to_the_bytes_that_an_endpoint_may_take(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, 2, source="192.0.2.1", body=b"x" * 300)
        with self.settings(HUB_REJECTION_BYTES_PER_ENDPOINT=100_000):
            self.refuse(endpoint, 6, source="198.51.100.1", body=b"x" * 30_000)

        kept = Rejection.objects.aggregate(Sum("kept_bytes"))["kept_bytes__sum"]
        sources = list(Rejection.objects.values_list("source", flat=True))
        self.assertLessEqual(kept, 100_000)
        self.assertEqual((sources.count("192.0.2.1"), sources.count("198.51.100.1")), (2, 2))

    def test_weigh_what_is_stored_of_them(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, 1, body=b"x" * 3000, headers={"X-Long": "y" * 2000, "Authorization": "z" * 1000})

        row = Rejection.objects.get()

        self.assertIn(row.kept_bytes, range(4000 + 2000 + 1333, 9500))

    def test_of_a_flood_are_stored_in_part_and_counted_in_full(self) -> None:
        endpoint = signed_endpoint()

        self.refuse(endpoint, 60)
        endpoints.forget()
        endpoints.at(endpoint.slug)  # which is looked at anew within a second, whatever comes
        # So are counts written.
        with patch.object(tally, "_due_at", math.inf), self.assertNumQueries(0):
            self.refuse(endpoint, 10)

        tally.flush()
        self.assertEqual(RejectionCount.objects.get().count, 70)
        self.assertLessEqual(Rejection.objects.count(), PER_GROUP)

    def test_of_a_flood_leave_room_for_another_sources_and_another_reason(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, 40)

        self.refuse(endpoint, 1, source="192.0.2.2")
        self.refuse(endpoint, 1, secret="")

        newest = Rejection.objects.order_by("-pk").values_list("source", "reason")[:2]
        self.assertEqual(list(newest), [("192.0.2.1", "signature_missing"), ("192.0.2.2", "signature_mismatch")])

    def test_from_one_ipv6_network_count_as_one_sources(self) -> None:
        self.assertEqual(rejections.neighbourhood("2001:db8::1"), rejections.neighbourhood("2001:db8::ffff:2"))
        self.assertNotEqual(rejections.neighbourhood("2001:db8::1"), rejections.neighbourhood("2001:db8:0:1::1"))
        self.assertEqual((rejections.neighbourhood("192.0.2.1"), rejections.neighbourhood("")), ("192.0.2.1", ""))

    def test_that_cannot_be_counted_now_are_counted_later(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, PER_GROUP + 3)

        with patch.object(tally_module, "write", side_effect=OperationalError("away")), self.assertLogs(level="ERROR"):
            tally.flush()
        tally.flush()

        self.assertEqual(RejectionCount.objects.get().count, PER_GROUP + 3)

    def test_of_an_endpoint_that_is_gone_are_forgotten(self) -> None:
        endpoint = signed_endpoint()
        self.refuse(endpoint, PER_GROUP + 3)
        endpoint.delete()

        tally.flush()

        self.assertFalse(RejectionCount.objects.exists())


class CountsInProcess(TransactionTestCase):
    def test_are_written_after_a_second_with_whatever_answer_comes_next(self) -> None:
        endpoint, now = signed_endpoint(), 100.0
        counts = Tally(clock=lambda: now)
        counts.add(endpoint.pk, "signature_mismatch", timezone.now())

        counts.flush_if_due()
        self.assertFalse(RejectionCount.objects.exists())
        now = 101.0
        counts.flush_if_due()

        self.assertEqual(RejectionCount.objects.get().count, 1)

    def test_are_written_by_any_request(self) -> None:
        endpoint = signed_endpoint()
        tally.add(endpoint.pk, "signature_mismatch", timezone.now())

        with patch.object(tally, "_due_at", 0.0):
            self.client.get("/health/live")

        self.assertEqual(RejectionCount.objects.get().count, 1)


class Sampling(SimpleTestCase):
    def test_admits_a_burst_and_then_a_few_a_second(self) -> None:
        now = 0.0
        sampler = Sampler(burst=3, per_second=2, clock=lambda: now)

        self.assertEqual([sampler.admits("a") for _ in range(5)], [True, True, True, False, False])
        self.assertTrue(sampler.admits("b"))
        now = 1.0
        self.assertEqual([sampler.admits("a") for _ in range(3)], [True, True, False])
        now = 100.0
        self.assertEqual([sampler.admits("a") for _ in range(4)], [True, True, True, False])


class Pruning(TestCase):
    def setUp(self) -> None:
        endpoint, now = make_endpoint(), timezone.now()
        for days in (0, 6, 8, 400):
            Rejection.objects.create(
                endpoint=endpoint, reason="signature_mismatch", received_at=now - timedelta(days=days)
            )

    def prune(self, *options: str) -> str:
        out = StringIO()
        call_command("prune", *options, stdout=out)
        return out.getvalue()

    def test_removes_what_is_past_its_age(self) -> None:
        self.assertIn("pruned 2 rejections, 0 audit entries, 0 stored answers, 0 events", self.prune())
        self.assertEqual(Rejection.objects.count(), 2)
        self.assertIn("pruned 0 rejections, 0 audit entries, 0 stored answers, 0 events", self.prune())

    def test_only_counts_in_a_dry_run(self) -> None:
        self.assertIn("would prune 2 rejections, 0 audit entries, 0 stored answers, 0 events", self.prune("--dry-run"))
        self.assertEqual(Rejection.objects.count(), 4)

    def test_takes_the_counts_along_after_ninety_days(self) -> None:
        endpoint = make_endpoint()
        for days in (89, 91):
            hour = timezone.now() - timedelta(days=days)
            RejectionCount.objects.create(endpoint=endpoint, reason="signature_mismatch", hour=hour, count=3)

        self.prune("--dry-run")
        self.assertEqual(RejectionCount.objects.count(), 2)
        self.prune()
        self.assertEqual(RejectionCount.objects.count(), 1)

    @override_settings(HUB_REJECTION_DAYS=7 * 8)
    def test_goes_by_the_setting(self) -> None:
        self.assertIn("pruned 1 rejection, 0 audit entries, 0 stored answers, 0 events", self.prune())
