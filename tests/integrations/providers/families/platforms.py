"""Facts of developer platforms, chat, scheduling and support tools."""

from __future__ import annotations

import base64

from tests.integrations.providers.facts import Facts

_BASE64 = base64.b64encode(b"a key of exactly thirty-two byte").decode()
_OTHER_BASE64 = base64.b64encode(b"another key of thirty-two bytes.").decode()
_ID = "f5b7a3c2-4a1e-4bb7-9c0f-2a8d1f0e6c11"
_TWITCH_ID = "e76c6bd4-55c9-4987-8304-da1588d8988b"


def _twitch_headers(kind: str) -> dict[str, str]:
    return {
        "Twitch-Eventsub-Message-Id": _TWITCH_ID,
        "Twitch-Eventsub-Message-Type": kind,
        "Twitch-Eventsub-Subscription-Type": "channel.follow",
    }


FACTS: list[Facts] = [
    Facts(
        provider="bitbucket",
        file="bitbucket/repo_push.json",
        headers={"X-Event-Key": "repo:push", "X-Request-UUID": _ID},
        event_id=_ID,
        event_type="repo:push",
    ),
    *(
        Facts(
            provider="gitea",
            case=family.lower(),
            file="gitea/push.json",
            headers={f"X-{family}-Event": "push", f"X-{family}-Delivery": _ID},
            event_id=_ID,
            event_type="push",
        )
        for family in ("Gitea", "Forgejo", "Gogs")
    ),
    Facts(
        provider="linear",
        file="linear/issue.update.json",
        headers={"Linear-Delivery": _ID, "Linear-Event": "Issue"},
        tolerance_seconds=60,
        event_id=_ID,
        event_type="Issue.update",
    ),
    Facts(
        provider="jira",
        file="jira/issue_updated.json",
        headers={"X-Atlassian-Webhook-Identifier": _ID},
        event_id=_ID,
        event_type="jira:issue_updated",
    ),
    Facts(
        provider="trello",
        file="trello/update_card.json",
        covers_url=True,
        event_id="51f9424bcd6e040f3c002412",
        event_type="voteOnCard",
    ),
    Facts(
        provider="trello",
        case="as_registered",
        file="trello/update_card.json",
        settings={"signed_url": "https://hooks.example.com/trello?board=1"},
        event_id="51f9424bcd6e040f3c002412",
        event_type="voteOnCard",
    ),
    Facts(
        provider="clickup",
        file="clickup/task_status_updated.json",
        event_id="2800787326392370170.taskStatusUpdated",
        event_type="taskStatusUpdated",
    ),
    Facts(
        provider="airtable",
        file="airtable/notification.json",
        secret=_BASE64,
        other_secret=_OTHER_BASE64,
        event_id="app00000000000000.ach00000000000000.2022-02-01T21:25:05.663Z",
    ),
    Facts(
        provider="terraform",
        file="terraform/run_completed.json",
        event_id="run-FwnENkvDnrpyFC7M.run:completed.2019-01-25T18:37:04.000Z",
        event_type="run:completed",
    ),
    Facts(
        provider="circleci",
        file="circleci/workflow_completed.json",
        headers={"circleci-event-type": "workflow-completed"},
        event_id="3888f21b-eaa7-38e3-8f3d-75a63bba8895",
        event_type="workflow-completed",
    ),
    Facts(
        provider="buildkite",
        file="buildkite/build_finished.json",
        headers={"X-Buildkite-Event": "build.finished"},
        tolerance_seconds=300,
        event_type="build.finished",
    ),
    Facts(
        provider="buildkite",
        case="token",
        file="buildkite/build_finished.json",
        settings={"mode": "token"},
        covers_body=False,
        event_type="build.finished",
    ),
    Facts(
        provider="vercel",
        file="vercel/deployment_created.json",
        event_id="uev_Yv3pXMpvmaOsX0pZ",
        event_type="deployment.created",
    ),
    Facts(
        provider="heroku",
        file="heroku/release_create.json",
        event_id="9caffe0c-a6b5-4a5e-8d1d-8b8ec8e2f7ee",
        event_type="api:release",
    ),
    Facts(
        provider="sentry",
        file="sentry/issue_created.json",
        headers={"Sentry-Hook-Resource": "issue", "Request-ID": _ID, "Sentry-Hook-Timestamp": "1"},
        event_id=_ID,
        event_type="issue.created",
    ),
    Facts(
        provider="pagerduty",
        file="pagerduty/incident_priority_updated.json",
        event_id="01BWLG7OQCUIZ9JGI4OZ7XBS9D",
        event_type="incident.priority_updated",
    ),
    Facts(provider="grafana", file="grafana/firing.json", event_type="firing"),
    Facts(
        provider="grafana",
        case="with_time",
        file="grafana/firing.json",
        settings={"header": "X-Alert-Signature", "timestamp_header": "X-Alert-Time", "tolerance_seconds": 30},
        tolerance_seconds=30,
        event_type="firing",
    ),
    Facts(
        provider="line",
        file="line/message.json",
        event_id="01FZ74A0TDDPYRVKNK77XKC3ZR.01FZ74ASS536FW97EX38NKCZQK",
        event_type="message",
    ),
    Facts(provider="x_twitter", file="x_twitter/tweet_create.json", event_type="tweet_create_events"),
    Facts(
        provider="twitch",
        file="twitch/channel_follow.json",
        headers=_twitch_headers("notification"),
        tolerance_seconds=600,
        event_id=_TWITCH_ID,
        event_type="channel.follow",
    ),
    Facts(
        provider="twitch",
        case="revocation",
        file="twitch/revocation.json",
        headers=_twitch_headers("revocation"),
        tolerance_seconds=600,
        event_id=_TWITCH_ID,
        event_type="channel.follow.revocation",
    ),
    Facts(provider="zoom", file="zoom/meeting_started.json", tolerance_seconds=300, event_type="meeting.started"),
    Facts(
        provider="microsoft_teams",
        file="microsoft_teams/message.json",
        secret=_BASE64,
        other_secret=_OTHER_BASE64,
        event_id="1485983408511",
        event_type="message",
    ),
    Facts(
        provider="cal_com",
        file="cal_com/booking_created.json",
        event_id="bFJeNb2uX8ANpT3JL5EfXw.BOOKING_CREATED.2023-05-24T09:30:00.538Z",
        event_type="BOOKING_CREATED",
    ),
    Facts(
        provider="calendly",
        file="calendly/invitee_created.json",
        tolerance_seconds=180,
        event_id="https://api.calendly.com/scheduled_events/AAAAAAAAAAAAAAAA/invitees/BBBBBBBBBBBBBBBB"
        ".invitee.created.2020-11-23T17:51:19.000000Z",
        event_type="invitee.created",
    ),
    Facts(provider="typeform", file="typeform/form_response.json", event_id="LtWXD3crgy", event_type="form_response"),
    Facts(
        provider="helpscout",
        file="helpscout/convo_created.json",
        headers={"X-HelpScout-Event": "convo.created"},
        event_type="convo.created",
    ),
    Facts(
        provider="intercom",
        file="intercom/conversation_created.json",
        event_id="notif_ccd8a4d0-f965-11e3-a367-c779cae3e1b3",
        event_type="conversation.user.created",
    ),
    Facts(
        provider="telegram",
        file="telegram/message.json",
        secret="a_secret-Token",
        other_secret="another_secret-Token",
        covers_body=False,
        event_id="10000",
        event_type="message",
    ),
    Facts(
        provider="azure_devops",
        file="azure_devops/git_push.json",
        secret="hook:pässword:with colon",
        other_secret="hook:other",
        covers_body=False,
        event_id="03c164c2-8912-4d5e-8009-3707d5f83734",
        event_type="git.push",
    ),
    *(
        Facts(
            provider="okta",
            case=case,
            file="okta/user_created.json",
            settings=settings,
            covers_body=False,
            event_id="b5a188b9-5ece-4636-b041-482ffda96311",
            event_type="user.lifecycle.create",
        )
        for case, settings in (("", {}), ("own_header", {"header": "X-Okta-Token"}))
    ),
    *(
        Facts(
            provider="box",
            case=case,
            file="box/file_uploaded.json",
            settings=settings,
            tolerance_seconds=600,
            future_seconds=5,
            event_id="eb0c4e06-751f-442c-86f8-fd5bb404dbec",
            event_type="FILE.UPLOADED",
        )
        for case, settings in (("", {}), ("two_keys", {"second_secret": "the secondary key"}))
    ),
    Facts(provider="webflow", file="webflow/form_submission.json", tolerance_seconds=300, event_type="form_submission"),
    Facts(
        provider="customer_io",
        file="customer_io/email_opened.json",
        tolerance_seconds=300,
        event_id="01E4C4CT6YDC7Y5M7FE1GWWPQJ",
        event_type="email.opened",
    ),
]
