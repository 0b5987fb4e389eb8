"""The other hub, through its API."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from deliveries.listening.errors import HubAway, HubRefuses, NotToBeHad
from integrations.masking import MASK

_SECONDS = 30
_FIRST_PAGE, _FURTHER_PAGES = 10, 100


@dataclass(frozen=True)
class Arrival:
    """An event that the other hub has."""

    id: UUID
    batch: UUID | None
    received_at: datetime
    event_type: str
    event_id: str

    @property
    def stored_ms(self) -> int:
        """When the other hub made its row, in milliseconds since 1970: an event that was reverified came earlier."""
        return uuid_ms(self.id)


@dataclass(frozen=True)
class Original:
    """A request as the other hub received it. ``is_complete``: with its credentials, so that it can be verified."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    query_string: str = field(repr=False)
    url: str = field(repr=False)
    received_at: datetime
    is_complete: bool


class RemoteHub:
    """Reads the events of one endpoint. Raises `HubAway` and `HubRefuses`."""

    def __init__(self, url: str, *, endpoint: str, token: str) -> None:
        self.url = url.rstrip("/")
        self.endpoint = endpoint
        self._may_see_credentials = True
        # No redirects: the token goes nowhere else.
        self._client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Token {token}", "Accept": "application/json"},
            timeout=_SECONDS,
            trust_env=not is_loopback(self.url),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def check(self) -> None:
        """Ask for the endpoint, so that a wrong name is not a list of nothing for ever."""
        response = self._get(f"/endpoints/{self.endpoint}/")
        if response.status_code != httpx.codes.FORBIDDEN:  # who may only read events may listen all the same
            self._json(response)

    def newest_first(self) -> Iterator[list[Arrival]]:
        """Yield the endpoint's events in pages, the one that was stored last first."""
        parameters: dict[str, Any] = {"endpoint": self.endpoint, "page_size": _FIRST_PAGE}
        while True:
            page = self._json(self._get("/events/", **parameters))
            yield [_arrival(item) for item in page["results"]]
            if not page["next"]:
                return
            # Of the address only the cursor is used: where it leads is for the operator to say.
            (cursor,) = parse_qs(urlsplit(page["next"]).query)["cursor"]
            parameters |= {"cursor": cursor, "page_size": _FURTHER_PAGES}

    def event(self, event: UUID) -> Arrival:
        """Return one event."""
        return _arrival(self._json(self._get(f"/events/{event}/")))

    def original(self, event: UUID) -> Original:
        """Return the request of ``event``; where the token may not read credentials, without them.

        Raises `NotToBeHad` if it is not kept any more, or its very body holds credentials.
        """
        if self._may_see_credentials:
            response = self._get(f"/events/{event}/request/")
            if response.status_code != httpx.codes.FORBIDDEN:
                return _original(self._json_of_event(response))
            self._may_see_credentials = False
        return self._masked(event)

    def _masked(self, event: UUID) -> Original:
        shown = self._json_of_event(self._get(f"/events/{event}/"))
        body = self._get(f"/events/{event}/body/")
        if not body.is_success:
            self._json_of_event(body)
        return Original(
            headers={name: text for name, text in shown["headers"].items() if MASK not in text},
            body=body.content,
            query_string="&".join(part for part in shown["query_string"].split("&") if MASK not in part),
            url="",
            received_at=datetime.fromisoformat(shown["received_at"]),
            is_complete=False,
        )

    def _get(self, path: str, **parameters: Any) -> httpx.Response:
        try:
            return self._client.get(path, params=parameters)
        except httpx.HTTPError as exc:
            raise HubAway(f"{self.url} does not answer ({type(exc).__name__})") from exc

    def _json_of_event(self, response: httpx.Response) -> Any:
        if response.status_code in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}:
            raise NotToBeHad(f"the hub answers {response.status_code}, its request cannot be had")
        return self._json(response)

    def _json(self, response: httpx.Response) -> Any:
        """Return the answer's JSON; raises by its status."""
        if response.status_code >= 500 or response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise HubAway(f"{self.url} answers {response.status_code}")
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.is_success and isinstance(answer, dict):
            return answer
        detail = answer.get("detail") if isinstance(answer, dict) else None
        raise HubRefuses(f"{self.url} answers {response.status_code}: {detail or 'that is not the API of a hub'}")


def uuid_ms(identifier: UUID) -> int:
    """Return when a UUIDv7 was made, in milliseconds since 1970."""
    return identifier.int >> 80


def is_loopback(url: str) -> bool:
    """Return whether ``url`` is an address of this machine."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def _arrival(item: Mapping[str, Any]) -> Arrival:
    return Arrival(
        id=UUID(item["id"]),
        batch=UUID(item["batch"]) if item.get("batch") else None,
        received_at=datetime.fromisoformat(item["received_at"]),
        event_type=item["event_type"],
        event_id=item["event_id"],
    )


def _original(answer: Mapping[str, Any]) -> Original:
    return Original(
        headers=answer["headers"],
        body=base64.b64decode(answer["body"]),
        query_string=answer["query_string"],
        url=answer["url"] or "",
        received_at=datetime.fromisoformat(answer["received_at"]),
        is_complete=True,
    )
