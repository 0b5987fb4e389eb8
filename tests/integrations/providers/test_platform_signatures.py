"""Signatures of platforms, made here with nothing but ``hmac`` as their documentation says: the presets accept them."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.providers import Description, providers
from integrations.verification.texts import with_headers
from tests.integrations.requests import NOW, make_request, payload

SECRET = b"s3cret of the endpoint"
AT = str(int(NOW.timestamp()))
AT_MS = f"{AT}000"
URL = "https://hub.example.com/hooks/shop"


def hexed(content: bytes, algorithm: str = "sha256", key: bytes = SECRET) -> str:
    return hmac.new(key, content, algorithm).hexdigest()


def base64ed(content: bytes, algorithm: str = "sha256", key: bytes = SECRET) -> str:
    return base64.b64encode(hmac.new(key, content, algorithm).digest()).decode()


@dataclass(frozen=True)
class Signer:
    """What a provider sends with the body of ``file``."""

    provider: str
    file: str
    headers: Callable[[bytes], Mapping[str, str]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    secret: str = SECRET.decode()


_BASE64_SECRET = base64.b64encode(SECRET).decode()
_TWITCH_AT = "2026-11-22T10:00:00.123456789Z"
_BOX_AT = "2026-11-22T03:00:00-07:00"

SIGNERS = [
    Signer("bitbucket", "bitbucket/repo_push.json", lambda body: {"X-Hub-Signature": f"sha256={hexed(body)}"}),
    Signer("gitea", "gitea/push.json", lambda body: {"X-Gitea-Signature": hexed(body)}),
    Signer("gitea", "gitea/push.json", lambda body: {"X-Forgejo-Signature": hexed(body)}),
    Signer("gitea", "gitea/push.json", lambda body: {"X-Gogs-Signature": hexed(body)}),
    Signer("linear", "linear/issue.update.json", lambda body: {"Linear-Signature": hexed(body)}),
    Signer("jira", "jira/issue_updated.json", lambda body: {"X-Hub-Signature": f"sha256={hexed(body)}"}),
    Signer(
        "trello",
        "trello/update_card.json",
        lambda body: {"X-Trello-Webhook": base64ed(body + URL.encode(), "sha1")},
    ),
    Signer(
        "trello",
        "trello/update_card.json",
        lambda body: {"X-Trello-Webhook": base64ed(body + b"https://hooks.example.com/t/?a=%20", "sha1")},
        settings={"signed_url": "https://hooks.example.com/t/?a=%20"},
    ),
    Signer("clickup", "clickup/task_status_updated.json", lambda body: {"X-Signature": hexed(body)}),
    Signer(
        "airtable",
        "airtable/notification.json",
        lambda body: {"X-Airtable-Content-MAC": f"hmac-sha256={hexed(body)}"},
        secret=_BASE64_SECRET,
    ),
    Signer(
        "terraform",
        "terraform/run_completed.json",
        lambda body: {"X-TFE-Notification-Signature": hexed(body, "sha512")},
    ),
    Signer(
        "circleci",
        "circleci/workflow_completed.json",
        lambda body: {"circleci-signature": f"v1={hexed(body)},v2=00ff,v3=4"},
    ),
    Signer(
        "buildkite",
        "buildkite/build_finished.json",
        lambda body: {"X-Buildkite-Signature": f"timestamp={AT},signature={hexed(AT.encode() + b'.' + body)}"},
    ),
    Signer(
        "buildkite",
        "buildkite/build_finished.json",
        lambda _: {"X-Buildkite-Token": SECRET.decode()},
        settings={"mode": "token"},
    ),
    Signer("vercel", "vercel/deployment_created.json", lambda body: {"x-vercel-signature": hexed(body, "sha1")}),
    Signer("heroku", "heroku/release_create.json", lambda body: {"Heroku-Webhook-Hmac-SHA256": base64ed(body)}),
    Signer("sentry", "sentry/issue_created.json", lambda body: {"Sentry-Hook-Signature": hexed(body)}),
    Signer(
        "pagerduty",
        "pagerduty/incident_priority_updated.json",
        lambda body: {"X-PagerDuty-Signature": f"v1={hexed(body, key=b'the other')},v1={hexed(body)}"},
    ),
    Signer("grafana", "grafana/firing.json", lambda body: {"X-Grafana-Alerting-Signature": hexed(body)}),
    Signer(
        "grafana",
        "grafana/firing.json",
        lambda body: {"X-Grafana-Alerting-Signature": hexed(AT.encode() + b":" + body), "X-Time": AT},
        settings={"timestamp_header": "X-Time"},
    ),
    Signer("line", "line/message.json", lambda body: {"X-Line-Signature": base64ed(body)}),
    Signer(
        "x_twitter",
        "x_twitter/tweet_create.json",
        lambda body: {"X-Twitter-Webhooks-Signature": f"sha256={base64ed(body)}"},
    ),
    Signer(
        "twitch",
        "twitch/channel_follow.json",
        lambda body: {
            "Twitch-Eventsub-Message-Id": "e76c6bd4",
            "Twitch-Eventsub-Message-Timestamp": _TWITCH_AT,
            "Twitch-Eventsub-Message-Signature": f"sha256={hexed(b'e76c6bd4' + _TWITCH_AT.encode() + body)}",
        },
    ),
    Signer(
        "zoom",
        "zoom/meeting_started.json",
        lambda body: {
            "x-zm-request-timestamp": AT,
            "x-zm-signature": f"v0={hexed(b'v0:' + AT.encode() + b':' + body)}",
        },
    ),
    Signer(
        "microsoft_teams",
        "microsoft_teams/message.json",
        lambda body: {"Authorization": f"HMAC {base64ed(body)}"},
        secret=_BASE64_SECRET,
    ),
    Signer("cal_com", "cal_com/booking_created.json", lambda body: {"X-Cal-Signature-256": hexed(body)}),
    Signer(
        "calendly",
        "calendly/invitee_created.json",
        lambda body: {"Calendly-Webhook-Signature": f"t={AT},v1={hexed(AT.encode() + b'.' + body)}"},
    ),
    Signer("typeform", "typeform/form_response.json", lambda body: {"Typeform-Signature": f"sha256={base64ed(body)}"}),
    Signer("helpscout", "helpscout/convo_created.json", lambda body: {"X-HelpScout-Signature": base64ed(body, "sha1")}),
    Signer(
        "intercom",
        "intercom/conversation_created.json",
        lambda body: {"X-Hub-Signature": f"sha1={hexed(body, 'sha1')}"},
    ),
    Signer("telegram", "telegram/message.json", lambda _: {"X-Telegram-Bot-Api-Secret-Token": "aB_-9"}, secret="aB_-9"),
    Signer(
        "azure_devops",
        "azure_devops/git_push.json",
        lambda _: {"Authorization": "Basic dXNlcjpwYXNzd29yZA=="},
        secret="user:password",
    ),
    Signer("okta", "okta/user_created.json", lambda _: {"Authorization": SECRET.decode()}),
    Signer("okta", "okta/user_created.json", lambda _: {"X-My": SECRET.decode()}, settings={"header": "X-My"}),
    Signer(
        "box",
        "box/file_uploaded.json",
        lambda body: {
            "BOX-DELIVERY-TIMESTAMP": _BOX_AT,
            "BOX-SIGNATURE-VERSION": "1",
            "BOX-SIGNATURE-ALGORITHM": "HmacSHA256",
            "BOX-SIGNATURE-PRIMARY": base64ed(body + _BOX_AT.encode()),
            "BOX-SIGNATURE-SECONDARY": base64ed(body + _BOX_AT.encode(), key=b"a key that nobody gave the hub"),
        },
    ),
    Signer(
        "webflow",
        "webflow/form_submission.json",
        lambda body: {
            "x-webflow-timestamp": AT_MS,
            "x-webflow-signature": hexed(AT_MS.encode() + b":" + body),
        },
    ),
    Signer(
        "customer_io",
        "customer_io/email_opened.json",
        lambda body: {"X-CIO-Timestamp": AT, "X-CIO-Signature": hexed(b"v0:" + AT.encode() + b":" + body)},
    ),
]


class PlatformSignatureTests(SimpleTestCase):
    def test_are_accepted_as_documented(self) -> None:
        for signer in SIGNERS:
            body = payload(signer.file)
            request = make_request(body, headers=signer.headers(body), url=URL)
            scheme = providers[signer.provider].scheme_for(signer.settings)
            with self.subTest(provider=signer.provider, settings=signer.settings):
                self.assertEqual(scheme.verify(request, [signer.secret]), 0)

    def test_of_bitbucket_as_published(self) -> None:
        """https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/#Testing-the-webhook-payload-validation"""
        signature = "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
        request = make_request(b"Hello World!", headers={"X-Hub-Signature": signature})

        for key in ("bitbucket", "jira"):
            self.assertEqual(providers[key].scheme_for({}).verify(request, ["It's a Secret to Everybody"]), 0)

    def test_of_sha1_are_never_taken_for_sha256(self) -> None:
        request = make_request(b"{}", headers={"X-Hub-Signature": f"sha1={hexed(b'{}', 'sha1')}"})

        self.assertEqual(providers["intercom"].scheme_for({}).verify(request, [SECRET.decode()]), 0)
        for key in ("bitbucket", "jira"):
            with self.assertRaises(VerificationFailed) as caught:
                providers[key].scheme_for({}).verify(request, [SECRET.decode()])
            self.assertEqual(caught.exception.reason, "signature_undecodable")


class LinearTests(SimpleTestCase):
    def reason(self, body: bytes, late: timedelta = timedelta()) -> str:
        request = make_request(
            body, headers={"Linear-Signature": hexed(body), "Linear-Timestamp": AT_MS}, received_at=NOW + late
        )
        with self.assertRaises(VerificationFailed) as caught:
            providers["linear"].scheme_for({}).verify(request, [SECRET.decode()])
        return caught.exception.reason

    def test_counts_the_time_that_is_signed(self) -> None:
        self.assertEqual(self.reason(b'{"webhookTimestamp":1795341538999}'), "timestamp_stale")
        self.assertEqual(self.reason(b'{"webhookTimestamp":1795341661001}'), "timestamp_in_future")

    def test_refuses_a_body_without_a_time(self) -> None:
        for body in (b"{}", b"[]", b"", b"~", b'{"webhookTimestamp":null}', b'{"webhookTimestamp":true}'):
            self.assertEqual(self.reason(body), "timestamp_missing")
        for body in (b'{"webhookTimestamp":-1}', b'{"webhookTimestamp":"now"}'):
            self.assertEqual(self.reason(body), "timestamp_unreadable")


class BoxTests(SimpleTestCase):
    body = payload("box/file_uploaded.json")

    def setUp(self) -> None:
        content = self.body + _BOX_AT.encode()
        self.by_the_first, self.by_the_second = base64ed(content), base64ed(content, key=b"second")
        self.scheme = providers["box"].scheme_for({"second_secret": "second"})
        self.request = make_request(
            self.body,
            headers={
                "BOX-DELIVERY-TIMESTAMP": _BOX_AT,
                "BOX-SIGNATURE-VERSION": "1",
                "BOX-SIGNATURE-ALGORITHM": "HmacSHA256",
            },
        )

    def reason(self, headers: dict[str, str]) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            self.scheme.verify(with_headers(self.request, headers), [SECRET.decode()])
        return caught.exception.reason

    def test_takes_either_header_under_its_own_key(self) -> None:
        for headers in (
            {"BOX-SIGNATURE-PRIMARY": self.by_the_first},
            {"BOX-SIGNATURE-SECONDARY": self.by_the_second},
            {"BOX-SIGNATURE-PRIMARY": base64ed(b"-"), "BOX-SIGNATURE-SECONDARY": self.by_the_second},
            {"BOX-SIGNATURE-PRIMARY": self.by_the_first, "BOX-SIGNATURE-SECONDARY": base64ed(b"-")},
        ):
            self.assertEqual(self.scheme.verify(with_headers(self.request, headers), [SECRET.decode()]), 0)

    def test_refuses_a_key_in_the_others_header(self) -> None:
        for headers in (
            {"BOX-SIGNATURE-PRIMARY": self.by_the_second},
            {"BOX-SIGNATURE-SECONDARY": self.by_the_first},
            {"BOX-SIGNATURE-PRIMARY": self.by_the_second, "BOX-SIGNATURE-SECONDARY": self.by_the_first},
        ):
            self.assertEqual(self.reason(headers), "signature_mismatch")

    def test_takes_every_secret_for_both_headers_where_there_is_no_second(self) -> None:
        scheme = providers["box"].scheme_for({})
        request = with_headers(self.request, {"BOX-SIGNATURE-SECONDARY": self.by_the_second})

        self.assertEqual(scheme.verify(request, [SECRET.decode(), "second"]), 1)

    def test_refuses_another_version_or_algorithm(self) -> None:
        good = {"BOX-SIGNATURE-PRIMARY": self.by_the_first}
        for name, text in (
            ("BOX-SIGNATURE-VERSION", "2"),
            ("BOX-SIGNATURE-VERSION", ""),
            ("BOX-SIGNATURE-ALGORITHM", "HmacSHA1"),
        ):
            self.assertEqual(self.reason({**good, name: text}), "signed_otherwise")

    def test_refuses_what_is_late_under_the_second_key_too(self) -> None:
        self.request = replace(self.request, received_at=NOW + timedelta(seconds=601))

        self.assertEqual(self.reason({"BOX-SIGNATURE-PRIMARY": self.by_the_first}), "timestamp_stale")
        self.assertEqual(self.reason({"BOX-SIGNATURE-SECONDARY": self.by_the_second}), "timestamp_stale")

    def test_reads_the_second_key_from_a_reference(self) -> None:
        with self.assertRaisesRegex(ValueError, "env:HUB_SECRET_BOX_OF_NO_TEST"):
            providers["box"].scheme_for({"second_secret": "env:HUB_SECRET_BOX_OF_NO_TEST"})
        with self.settings(HUB_SECRETS_DIR=""), self.assertRaises(ValueError):
            providers["box"].scheme_for({"second_secret": "file:box"})

    def test_never_shows_the_second_key(self) -> None:
        self.assertNotIn("second'", repr(self.scheme))


class TypeOfTheEventTests(SimpleTestCase):
    def of(self, provider: str, body: Any) -> str:
        return providers[provider].describe(make_request(), body, {}).event_type

    def test_is_the_key_that_the_update_has_besides_its_number(self) -> None:
        self.assertEqual(self.of("telegram", {"callback_query": {}, "update_id": 1}), "callback_query")
        self.assertEqual(self.of("telegram", {"update_id": 1}), "")
        self.assertEqual(self.of("x_twitter", {"for_user_id": "1", "favorite_events": []}), "favorite_events")

    def test_is_found_in_each_item_of_a_batch(self) -> None:
        for provider, item, found in (
            ("line", {"type": "unfollow", "webhookEventId": "1"}, Description("1", "unfollow")),
            ("okta", {"uuid": "2", "eventType": "user.session.start"}, Description("2", "user.session.start")),
            (
                "grafana",
                {"status": "resolved", "fingerprint": "a", "startsAt": "2026"},
                Description("a.2026.resolved", "resolved"),
            ),
        ):
            whole = Description("whole", "whole")
            self.assertEqual(providers[provider].describe_item(make_request(), item, whole), found)

    def test_never_makes_of_a_lone_update_anything_but_an_event(self) -> None:
        self.assertEqual(providers["telegram"].describe(make_request(), {"update_id": 7}, {}).event_id, "7")


class ExampleTests(SimpleTestCase):
    """Test events of these presets have the wanted id and type where the preset looks for them."""

    types = {
        "bitbucket": "pullrequest:created",
        "gitea": "issues",
        "linear": "Comment.create",
        "jira": "comment_created",
        "trello": "createCard",
        "clickup": "taskCreated",
        "airtable": "",
        "terraform": "run:errored",
        "circleci": "job-completed",
        "buildkite": "job.finished",
        "vercel": "project.created",
        "heroku": "api:build",
        "sentry": "issue.resolved",
        "pagerduty": "incident.resolved",
        "grafana": "resolved",
        "line": "follow",
        "x_twitter": "favorite_events",
        "twitch": "stream.online",
        "zoom": "meeting.ended",
        "microsoft_teams": "message",
        "cal_com": "BOOKING_CANCELLED",
        "calendly": "invitee.canceled",
        "typeform": "form_response",
        "helpscout": "convo.deleted",
        "intercom": "contact.created",
        "telegram": "callback_query",
        "azure_devops": "build.complete",
        "okta": "user.session.start",
        "box": "FILE.DELETED",
        "webflow": "site_publish",
        "customer_io": "sms.sent",
    }
    without_id = {"buildkite", "grafana", "x_twitter", "zoom", "helpscout", "webflow"}

    def test_have_the_wanted_id_and_type(self) -> None:
        for provider, event_type in self.types.items():
            preset = providers[provider]
            sample = preset.example(event_type, "evt_9", {})
            request = make_request(sample.body, headers=sample.headers, content_type=sample.content_type)
            found = preset.describe(request, preset.decode(sample.content_type, sample.body), {})
            with self.subTest(provider=provider):
                self.assertEqual(found.event_type, event_type)
                self.assertEqual("evt_9" in found.event_id, provider not in self.without_id)

    def test_are_sent_by_default_with_a_type_of_the_provider(self) -> None:
        for provider in self.types.keys() - {"airtable"}:
            preset = providers[provider]
            sample = preset.example("", "evt_9", {})
            request = make_request(sample.body, headers=sample.headers, content_type=sample.content_type)
            with self.subTest(provider=provider):
                self.assertTrue(
                    preset.describe(request, preset.decode(sample.content_type, sample.body), {}).event_type
                )
