"""`email.send` against a real SMTP server on loopback."""

from __future__ import annotations

import json
import socket
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from django.test import SimpleTestCase, override_settings

from integrations.connectors.system import SystemFailed
from integrations.errors import GiveUp, RetryLater
from integrations.handlers import handlers
from integrations.validation import validate_handler_config
from tests.integrations.handlers.contexts import KEY, Kept, context_of, event_of

PAYLOAD = {"name": "Ann <b>", "email": "ann@example.com", "boss": "bob@example.com", "none": ""}
CONFIG: dict[str, Any] = {
    "to": ["{{ payload.email }}"],
    "subject": "Hello {{ payload.name }} – ok",
    "text": "Hi {{ payload.name }}",
    "html": "<p>Hi {{ payload.name }}",
    "from": "Shop <shop@example.org>",
}


class Mailbox:
    """aiosmtpd's handler: takes mails, and answers a recipient with what a test has said."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, _: Any) -> str:  # noqa: N802
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        mail: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append((envelope.rcpt_tos, mail))
        return "250 OK"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class EmailSendTests(SimpleTestCase):
    def setUp(self) -> None:
        self.box = Mailbox()
        server = Controller(self.box, hostname="127.0.0.1", port=free_port())
        server.start()
        self.addCleanup(server.stop)
        changed = override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=server.port
        )
        changed.enable()
        self.addCleanup(changed.disable)
        self.journal = Kept()

    def send(self, *, attempt: int = 1, payload: Any = PAYLOAD, **changes: Any) -> None:
        config = {**CONFIG, **changes}
        validate_handler_config("email.send", config)
        handlers["email.send"].run(event_of(payload), context_of(config, self.journal, attempt=attempt))

    def test_sends_subject_text_and_html_made_from_the_event(self) -> None:
        self.send(reply_to=["help@example.org"])

        ((recipients, mail),) = self.box.mails
        self.assertEqual(recipients, ["ann@example.com"])
        self.assertEqual((mail["From"], mail["To"]), ("Shop <shop@example.org>", "ann@example.com"))
        self.assertEqual((mail["Subject"], mail["Reply-To"]), ("Hello Ann <b> – ok", "help@example.org"))
        text, html = (part.get_content().strip() for part in mail.iter_parts())
        self.assertEqual((text, html), ("Hi Ann <b>", "<p>Hi Ann &lt;b&gt;"))

    def test_has_a_message_id_that_is_the_same_at_each_try(self) -> None:
        self.send()
        self.journal = Kept()
        self.send()

        self.assertEqual([mail["Message-ID"] for _, mail in self.box.mails], [f"<{KEY}@example.org>"] * 2)

    def test_brings_it_to_all_and_hides_those_whom_nobody_sees(self) -> None:
        self.send(cc=["{{ payload.boss }}", "{{ payload.none }}"], bcc=["Log <log@example.org>"])

        self.assertEqual(
            [to for to, _ in self.box.mails], [["ann@example.com"], ["bob@example.com"], ["log@example.org"]]
        )
        for _, mail in self.box.mails:
            self.assertEqual((mail["Cc"], mail["Bcc"]), ("bob@example.com", None))
            self.assertNotIn("log@example.org", mail.as_string())

    def test_waits_when_refused_for_now_and_then_writes_only_to_who_has_none(self) -> None:
        self.box.answers = {"bob@example.com": "451 4.3.0 bob@example.com: come back"}
        with self.assertRaises(RetryLater) as caught:
            self.send(attempt=3, to=["ann@example.com", "bob@example.com"])
        self.assertEqual(caught.exception.after, timedelta(minutes=4))
        self.assertIn("recipient 2: 451 4.3.0 (the address)", str(caught.exception))

        self.box.answers = {}
        self.send(attempt=4, to=["ann@example.com", "bob@example.com"])

        self.assertEqual([to for to, _ in self.box.mails], [["ann@example.com"], ["bob@example.com"]])

    def test_gives_up_when_refused_for_good_after_it_wrote_to_the_others(self) -> None:
        self.box.answers = {"ann@example.com": "550 5.1.1 unknown"}
        with self.assertRaisesMessage(GiveUp, "recipient 1: 550 5.1.1 unknown"):
            self.send(cc=["{{ payload.boss }}"])

        self.assertEqual([to for to, _ in self.box.mails], [["bob@example.com"]])

    def test_refuses_values_that_would_add_a_header_or_a_recipient(self) -> None:
        for changes, payload in (
            ({"subject": "{{ payload.x }}"}, {"x": "Hi\nBcc: eve@example.com"}),
            ({"to": ["{{ payload.x }}"]}, {"x": "a@example.com, eve@example.com"}),
            ({"to": ["{{ payload.x }}"]}, {"x": "a@example.com\nBcc: eve@example.com"}),
            ({"to": ["{{ payload.x }} <ann@example.com>"]}, {"x": "<eve@example.com>"}),
            ({"to": ["{{ payload.x }} <ann@example.com>"]}, {"x": "eve@example.com,"}),
            ({"reply_to": ["{{ payload.x }}"]}, {"x": "no address"}),
        ):
            with self.subTest(changes), self.assertRaises(GiveUp) as caught:
                self.send(payload={**PAYLOAD, **payload}, **changes)
            self.assertNotIn("eve", str(caught.exception))
        self.assertEqual(self.box.mails, [])

    def test_gives_up_where_there_is_nobody_to_write_to_or_no_server(self) -> None:
        with self.assertRaisesMessage(GiveUp, "to: no address"):
            self.send(to=["{{ payload.none }}"])
        with override_settings(EMAIL_HOST=""), self.assertRaisesMessage(GiveUp, "HUB_EMAIL_URL"):
            self.send()

    def test_tries_again_by_the_routes_policy_when_the_server_is_away(self) -> None:
        away = "the mail server cannot be reached, or does not let the hub in (ConnectionRefusedError)"
        with override_settings(EMAIL_PORT=free_port()), self.assertRaisesMessage(SystemFailed, away):
            self.send()

    def test_tries_again_by_the_routes_policy_when_it_is_not_let_in(self) -> None:
        refuses: dict[str, Any] = {
            "authenticator": lambda *_: AuthResult(success=False, handled=False),
            "auth_require_tls": False,
        }
        strict = Controller(self.box, hostname="127.0.0.1", port=free_port(), **refuses)
        strict.start()
        self.addCleanup(strict.stop)
        credentials = {"EMAIL_HOST_USER": "hub", "EMAIL_HOST_PASSWORD": "s3cret-Of-The-Mail"}
        with override_settings(EMAIL_PORT=strict.port, **credentials), self.assertRaises(SystemFailed) as caught:
            self.send()

        self.assertIn("does not let the hub in (SMTPAuthenticationError 535)", str(caught.exception))
        self.assertNotIn("s3cret", str([str(caught.exception), self.journal.calls, self.journal.answers]))

    def test_is_on_record_with_the_whole_mail_and_its_message_id(self) -> None:
        self.send(bcc=["log@example.org"])

        (call,) = self.journal.calls
        self.assertEqual((call["method"], call["url"]), ("SEND", "smtp://127.0.0.1/"))
        self.assertEqual(call["headers"]["message-id"], f"<{KEY}@example.org>")
        mail = json.loads(call["body"])
        self.assertEqual((mail["to"], mail["bcc"]), (["ann@example.com"], ["log@example.org"]))
        self.assertEqual((mail["subject"], mail["text"]), ("Hello Ann <b> – ok", "Hi Ann <b>"))
        self.assertNotIn("connection", call)

    def test_previews_the_whole_mail_and_sends_none(self) -> None:
        preview = handlers["email.send"].preview
        assert preview is not None

        shown = preview(event_of(PAYLOAD), CONFIG)

        self.assertEqual((shown["to"], shown["html"]), (["ann@example.com"], "<p>Hi Ann &lt;b&gt;"))
        self.assertEqual(self.box.mails, [])
