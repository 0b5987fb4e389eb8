from __future__ import annotations

import json
import subprocess
from io import StringIO
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import LiveServerTestCase, TestCase, override_settings
from django.utils import timezone

from deliveries.models import AuditEntry, Delivery, Event
from deliveries.receiving import endpoints
from deliveries.receiving.samples import CannotSign, curl_line, send_sample
from integrations.models import Endpoint, Secret
from integrations.providers import providers
from tests.deliveries.receiving.cases import SECRET, signed_endpoint
from tests.factories import make_endpoint, make_route
from tests.integrations.providers.facts import ALL


def endpoint_of(provider: str) -> Endpoint:
    """Make an endpoint with a secret in the form in which the provider shows it; with settings only if it has to."""
    facts = min((facts for facts in ALL if facts.provider == provider), key=lambda facts: len(facts.settings))
    endpoint = make_endpoint(provider=provider, settings=dict(facts.settings))
    scheme = facts.scheme()
    if scheme.needs_key and scheme.symmetric:
        Secret.objects.create(endpoint=endpoint, value=facts.secret)
    return endpoint


public_providers = [key for key in providers if key != "internal"]


class ATestEvent(TestCase):
    def test_of_every_provider_is_accepted_and_is_a_new_one_each_time(self) -> None:
        for provider in public_providers:
            with self.subTest(provider):
                endpoint = endpoint_of(provider)
                make_route(endpoint)
                answers = [send_sample(endpoint)[0] for _ in range(2)]
                self.assertTrue(all(200 <= status <= 299 for status in answers), answers)
                self.assertEqual((endpoint.events.count(), endpoint.deliveries.count()), (2, 2))

    def test_has_the_type_and_the_payload_that_were_asked_for(self) -> None:
        endpoint = signed_endpoint()

        status, answer = send_sample(endpoint, event_type="order.paid", payload={"type": "order.paid", "total": 7})

        event = Event.objects.get(pk=answer["event"])
        self.assertEqual((status, event.event_type), (200, "order.paid"))
        self.assertEqual(event.payload, {"type": "order.paid", "total": 7})
        self.assertTrue(event.request_id.startswith("test-"))

    def test_of_a_provider_that_sends_forms_is_a_form(self) -> None:
        endpoint = endpoint_of("twilio")

        send_sample(endpoint, payload={"MessageSid": "SM1", "Body": "ö & ü"})

        self.assertEqual(Event.objects.get().payload, {"MessageSid": "SM1", "Body": "ö & ü"})

    def test_is_not_refused_for_coming_from_the_hub(self) -> None:
        endpoint = signed_endpoint(allowed_networks=["192.0.2.0/24"])

        self.assertEqual(send_sample(endpoint)[0], 200)
        self.assertEqual(Event.objects.get().source, "")

    def test_is_refused_as_any_other_where_the_endpoint_is_switched_off(self) -> None:
        self.assertEqual(send_sample(signed_endpoint(state="disabled")), (404, {"error": "unknown_endpoint"}))

    def test_cannot_be_signed_without_a_live_secret(self) -> None:
        endpoint = signed_endpoint()
        Secret.objects.update(expires_at=timezone.now())

        with self.assertRaisesMessage(CannotSign, "no live secret"):
            send_sample(endpoint)

    def test_cannot_be_signed_with_a_reference_that_leads_nowhere(self) -> None:
        with self.assertRaisesMessage(CannotSign, "env:HUB_SECRET_NOT_SET leads nowhere"):
            send_sample(signed_endpoint(secret="env:HUB_SECRET_NOT_SET"))

    def test_cannot_be_sent_to_an_endpoint_without_a_public_url(self) -> None:
        with self.assertRaisesMessage(CannotSign, "no public URL"):
            send_sample(make_endpoint(provider="internal"))

    def test_of_a_provider_with_public_keys_is_signed_with_one_pair_of_the_hubs_own(self) -> None:
        endpoint = endpoint_of("discord")
        Secret.objects.create(endpoint=endpoint, label="theirs", value="a" * 64)

        for _ in range(2):
            self.assertIn(send_sample(endpoint)[0], range(200, 300))

        ours = endpoint.secrets.get(label="test events")
        self.assertTrue(ours.signing_key)
        self.assertEqual(endpoint.secrets.count(), 2)

    def test_that_makes_a_key_pair_says_in_the_audit_log_who_had_it_made(self) -> None:
        endpoint = endpoint_of("discord")
        ada = User.objects.create_user("ada")

        for _ in range(2):
            send_sample(endpoint, by=ada)

        entry = AuditEntry.objects.get()
        ours = endpoint.secrets.get()
        self.assertEqual((entry.action, entry.who, entry.endpoint_id), ("made", "ada", endpoint.pk))
        self.assertEqual((entry.object_type, entry.object_id), ("secret", str(ours.pk)))
        said = json.dumps([entry.before, entry.after, entry.message])
        self.assertIn("test events", said)
        self.assertNotIn(ours.signing_key, said)

    def test_makes_no_key_pair_without_its_entry(self) -> None:
        endpoint = endpoint_of("discord")

        with patch.object(AuditEntry, "save", side_effect=OperationalError), self.assertRaises(OperationalError):
            send_sample(endpoint)

        self.assertEqual(endpoint.secrets.count(), 0)

    @override_settings(HUB_BASE_URL="https://hub.example.com/base")
    def test_is_signed_for_the_public_url(self) -> None:
        self.assertEqual(send_sample(endpoint_of("twilio"))[0], 200)


class _OnAServer(LiveServerTestCase):
    """HUB_BASE_URL is the live server's; what the tests say about URLs is about real HTTP."""

    def setUp(self) -> None:
        overridden = override_settings(HUB_BASE_URL=self.live_server_url)
        overridden.enable()
        self.addCleanup(overridden.disable)
        endpoints.forget()


@pytest.mark.any_database
class ACurlLine(_OnAServer):
    def paste(self, line: str) -> tuple[int, str]:
        done = subprocess.run(
            ["sh", "-c", f"{line} --noproxy '*' -w ' %{{http_code}}'"], capture_output=True, text=True, check=True
        )
        answer, _, status = done.stdout.rpartition(" ")
        return int(status), answer

    def test_sends_an_event_that_is_accepted_and_holds_no_secret(self) -> None:
        for provider in public_providers:
            with self.subTest(provider):
                endpoint = endpoint_of(provider)
                line = curl_line(endpoint)
                self.assertEqual(len(line.splitlines()), 1)
                for secret in endpoint.secrets.all():
                    for text in filter(None, (secret.value, secret.signing_key)):
                        self.assertNotIn(text, line)
                status, answer = self.paste(line)
                # A token is the proof itself: the line says where it belongs.
                self.assertEqual(status, 401 if "<the-secret>" in line else 200, answer or line)

    def test_leaves_a_place_for_a_secret_that_is_the_proof_itself(self) -> None:
        for provider in ("generic_token", "generic_bearer", "generic_basic", "gitlab"):
            with self.subTest(provider):
                self.assertIn("<the-secret>", curl_line(endpoint_of(provider)))
        in_query = make_endpoint(provider="generic_token", secret=SECRET, settings={"placement": "query"})
        self.assertIn("=<the-secret>'", curl_line(in_query))

    def test_has_a_new_id_at_each_paste_where_the_signature_does_not_cover_it(self) -> None:
        endpoint = signed_endpoint()
        line = curl_line(endpoint)

        answers = [self.paste(line) for _ in range(2)]

        self.assertEqual([status for status, _ in answers], [200, 200])
        self.assertEqual(Event.objects.filter(endpoint=endpoint).count(), 2)

    def test_survives_a_shell(self) -> None:
        endpoint = signed_endpoint(settings={"event_type": "body:type"})

        line = curl_line(endpoint)

        self.assertEqual(self.paste(line)[0], 200)
        self.assertEqual(Event.objects.get().event_type, "test")


class TheSendCommand(_OnAServer):
    def send(self, *arguments: str) -> str:
        out = StringIO()
        call_command("send", *arguments, stdout=out)
        return out.getvalue()

    def test_sends_a_signed_event_and_prints_the_answer_in_one_line(self) -> None:
        make_route(endpoint := signed_endpoint())

        line = self.send(endpoint.slug, "--type", "order.paid")

        event = Event.objects.get()
        self.assertEqual(line, f'200 {{"status":"accepted","event":"{event.pk}","deliveries":1}}\n')
        self.assertEqual((event.event_type, Delivery.objects.count()), ("order.paid", 1))

    def test_answers_a_script_in_json(self) -> None:
        answer = json.loads(self.send(signed_endpoint().slug, "--json"))

        self.assertEqual((answer["status"], answer["answer"]["status"]), (200, "accepted"))
        self.assertGreater(answer["duration_ms"], 0)

    def test_sends_the_content_of_a_file(self) -> None:
        from tempfile import NamedTemporaryFile

        endpoint = signed_endpoint()
        with NamedTemporaryFile() as file:
            file.write(b'{"from": "a file"}')
            file.flush()
            self.send(endpoint.slug, "--file", file.name)

        self.assertEqual(Event.objects.get().body, b'{"from": "a file"}')

    def test_sends_to_another_url_what_is_signed_for_the_endpoints_own(self) -> None:
        endpoint = endpoint_of("twilio")
        with override_settings(HUB_BASE_URL="https://hub.example.com"):
            endpoints.forget()

            line = self.send(endpoint.slug, "--url", f"{self.live_server_url}/hooks/{endpoint.slug}")

        self.assertTrue(line.startswith("200 "), line)

    def test_sends_with_a_key_pair_that_it_has_just_made(self) -> None:
        endpoint = endpoint_of("discord")

        self.assertTrue(self.send(endpoint.slug).startswith("20"))

    def test_fails_when_the_answer_is_no_success(self) -> None:
        endpoint = signed_endpoint(state="disabled")

        with self.assertRaisesMessage(CommandError, '404 {"error":"unknown_endpoint"}'):
            self.send(endpoint.slug)

    def test_fails_in_one_line_where_it_cannot_send(self) -> None:
        slug = signed_endpoint().slug
        for arguments, message in (
            (["nobody"], "There is no endpoint 'nobody'."),
            ([signed_endpoint(secret="").slug], "The endpoint has no live secret."),
            ([make_endpoint(provider="internal").slug], "The endpoint has no public URL."),
            ([slug, "--file", "/no/such/file"], "No such file"),
            ([slug, "--url", "http://127.0.0.1:1/"], "cannot be reached"),
            ([slug, "--url", "nonsense"], "cannot be reached"),
        ):
            with self.subTest(message), self.assertRaisesMessage(CommandError, message):
                self.send(*arguments)
