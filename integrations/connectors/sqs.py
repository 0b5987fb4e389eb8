"""SQS queues, by a connection's own client: its proof, egress guard, tries, rate and circuit hold as for any API.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from integrations.connectors.answers import Answer
from integrations.connectors.client import HttpClient
from integrations.connectors.kinds import ConnectionKind, kinds
from integrations.contracts import Json
from integrations.errors import GiveUp

#: What a message can hold: what is not here stands in no XML 1.0.
_IMPOSSIBLE = re.compile(r"[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_GROUP = re.compile(r"[\x21-\x7e]{1,128}")
_WORD = re.compile("[A-Za-z0-9]{1,100}")
#: Refusals that another try may not meet: AWS says 400 to them, too.
_FOR_NOW = frozenset(
    {"RequestThrottled", "ThrottlingException", "KmsThrottled", "RequestTimeout", "RequestExpired", "InternalFailure"}
)
_FINAL = range(400, 500)
_NOT_FINAL = frozenset({408, 425, 429})


def send(client: HttpClient, queue: str, body: bytes, *, key: str, message_id: str, headers: Mapping[str, str]) -> Json:
    """Send one message to ``queue`` (ACCOUNT/NAME) and return the id that SQS gives it.

    A FIFO queue has ``key`` as the message's group and takes a ``message_id`` once in five minutes. Raises `GiveUp` for
    what SQS cannot take, or refuses for good, `AnswerNotSuccessful` for other answers, and what the client raises.
    """
    text = _text(body)
    attributes = {name: _IMPOSSIBLE.sub("\ufffd", value) for name, value in {**headers, "key": key}.items()}
    message: dict[str, Any] = {
        "QueueUrl": _url(client, queue),
        "MessageBody": text,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    if queue.endswith(".fifo"):
        if not _GROUP.fullmatch(key):
            raise GiveUp("key: the group of a FIFO queue's message has 1 to 128 visible ASCII characters")
        message |= {"MessageGroupId": key, "MessageDeduplicationId": message_id}
    return {"id": _accepted(_asked(client, "SendMessage", message, key=message_id)).json()["MessageId"]}


def _ask(client: HttpClient, path: str) -> Answer:
    """Ask for the queue ``path`` if it is one, else for any."""
    if path.strip("/"):
        return _accepted(_asked(client, "GetQueueAttributes", {"QueueUrl": _url(client, path.strip("/"))}))
    return _accepted(_asked(client, "ListQueues", {"MaxResults": 1}))


def _asked(client: HttpClient, what: str, content: Mapping[str, Any], *, key: str = "") -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{what}"}
    # With a key it is tried again without an answer, too: a standard queue may have a message twice at any time.
    return client.post("", content=json.dumps(content), headers=headers, idempotency_key=key)


def _accepted(answer: Answer) -> Answer:
    if answer.status_code in _FINAL and answer.status_code not in _NOT_FINAL:
        error = _error(answer)
        if error not in _FOR_NOW:
            raise GiveUp(f"{answer.call}: SQS refuses it: {error or answer.status_code}")
    return answer.raise_for_status()


def _error(answer: Answer) -> str:
    """Return the word that SQS has for what is wrong, "" where it says none; its text can quote what was sent."""
    try:
        said = json.loads(answer.content)["__type"].rpartition("#")[2]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    return said if _WORD.fullmatch(said) else ""


def _url(client: HttpClient, queue: str) -> str:
    return f"{client.base_url.rstrip('/')}/{queue}"


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise GiveUp("body: SQS takes text only, and this is none") from None
    if not text or _IMPOSSIBLE.search(text):
        raise GiveUp("body: SQS takes no empty text, and none with control characters")
    return text


kinds.register("sqs")(
    ConnectionKind("SQS", "https://sqs.eu-central-1.amazonaws.com", "aws", proofs=("aws",), ask=_ask, aws_service="sqs")
)
