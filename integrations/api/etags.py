"""``ETag``, ``If-None-Match`` and ``If-Match`` (RFC 9110) of what is configured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django.utils.http import parse_etags
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

#: What changes of a secret without anybody changing it.
_OF_USE = frozenset({"last_used_at", "safe_to_retire"})
#: What changes of a row without anybody configuring it: how far a release is, when a backfill runs.
_OF_WORK = frozenset({"release", "next_at", "asked_until"})


class PreconditionFailed(APIException):
    """412: the row is no longer what the caller has seen."""

    status_code = 412
    default_code = "precondition_failed"
    default_detail = "It has been changed since you read it; read it again."


def etag_of(shown: Mapping[str, Any]) -> str:
    """Return the tag of a row as it is ``shown``: the same for as long as nobody configures it.

    When its secrets were last used does not count: traffic alone must not refuse a change.
    """
    counted = {name: value for name, value in shown.items() if name not in _OF_WORK}
    if "secrets" in counted:
        counted["secrets"] = [
            {name: value for name, value in secret.items() if name not in _OF_USE} for secret in counted["secrets"]
        ]
    text = json.dumps(counted, cls=JSONEncoder, sort_keys=True)
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_known(request: Request, etag: str) -> bool:
    """Return whether the caller has this already, by ``If-None-Match``."""
    tags = parse_etags(request.META.get("HTTP_IF_NONE_MATCH", ""))
    return etag in [tag.removeprefix("W/") for tag in tags] or "*" in tags


def require_match(request: Request, etag: str) -> None:
    """Raise `PreconditionFailed` if ``If-Match`` names other tags than this one; ask it while the row is locked."""
    asked = request.META.get("HTTP_IF_MATCH")
    if asked is None:
        return
    tags = parse_etags(asked)
    if etag not in tags and tags != ["*"]:
        raise PreconditionFailed
