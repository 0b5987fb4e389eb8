"""Small servers that speak the providers' documented APIs, on loopback.

Where the provider publishes an OpenAPI description (`described`), each request and answer is held against it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.integrations.history.described import Description, description

#: (path, parameters) -> (status, headers, JSON)
Answer = Callable[[str, dict[str, str]], tuple[int, dict[str, str], Any]]
TOKEN = "a-token-for-tests"


@contextmanager
def serving(
    answer: Answer, *, header: str = "Authorization", credentials: str = f"Bearer {TOKEN}"
) -> Iterator[httpx.Client]:
    """Yield a client, with the credentials, of a server that answers as ``answer`` says, and 401 without them.

    An ``answer`` that has a ``description`` fails in the end if a request or an answer is not as that says.
    """
    described: Description | None = getattr(answer, "description", None)
    drift: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            params = {name: values[-1] for name, values in parse_qs(url.query).items()}
            if self.headers.get(header) != credentials:
                status, headers, value = 401, {}, {"message": "Bad credentials"}
            else:
                status, headers, value = answer(url.path, params)
                if described is not None:
                    drift.extend(described.problems(url.path, params, status=status, answer=value))
            body = json.dumps(value).encode()
            self.send_response(status)
            for name, text in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}"
    try:
        with httpx.Client(base_url=base, headers={header: credentials}, trust_env=False) as client:
            yield client
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    if drift:
        raise AssertionError(f"not as the provider describes its API: {drift}")


class GitHub:
    """The deliveries of a hook, two on a page."""

    description = description("github")

    def __init__(self, guids: list[tuple[str, str]], *, page: int = 2) -> None:
        """Take (guid, delivered_at), the newest first."""
        self.page = page
        self.asked: list[str] = []
        self.failing: dict[str, int] = {}
        self.failing_headers: dict[str, str] = {}
        self.items = [
            {
                "id": 1000 - number,
                "guid": guid,
                "delivered_at": at,
                "redelivery": False,
                "duration": 0.27,
                "status": "Service Unavailable",
                "status_code": 503,
                "event": "issues",
                "action": "opened",
                "installation_id": None,
                "repository_id": 123,
                "throttled_at": None,
            }
            for number, (guid, at) in enumerate(guids)
        ]

    def __call__(self, path: str, params: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        self.asked.append(path)
        root = "/repos/octo-org/hello/hooks/42/deliveries"
        key = params.get("cursor", "") if path == root else path.rpartition("/")[2]
        if key in self.failing:
            return self.failing[key], self.failing_headers, {"message": "no"}
        if path == root:
            start = int(params.get("cursor", "v0")[1:])
            end = start + self.page
            more = {"Link": f'<http://elsewhere.invalid{root}?per_page=100&cursor=v{end}>; rel="next"'}
            return 200, more if end < len(self.items) else {}, self.items[start:end]
        found = [item for item in self.items if path == f"{root}/{item['id']}"]
        return (200, {}, self._whole(found[0])) if found else (404, {}, {"message": "Not Found"})

    def _whole(self, item: dict[str, Any]) -> dict[str, Any]:
        headers = {
            "X-GitHub-Delivery": item["guid"],
            "X-GitHub-Event": "issues",
            "X-Hub-Signature-256": "sha256=6dcb09b5b57875f334f61aebed695e2e4193db5e",
            "content-type": "application/x-www-form-urlencoded",
        }
        payload = {"action": "opened", "issue": {"number": item["id"], "title": "Größe"}}
        return {
            **item,
            "url": "https://hub.example",
            "request": {"headers": headers, "payload": payload},
            "response": {"headers": {}, "payload": "Service Unavailable"},
        }


class Stripe:
    """The list of events, two on a page."""

    description = description("stripe")

    def __init__(self, events: list[tuple[str, int]]) -> None:
        """Take (id, created), the newest first."""
        self.asked: list[dict[str, str]] = []
        self.events = [
            {
                "id": name,
                "object": "event",
                "api_version": "2025-09-30.clover",
                "created": created,
                "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
                "livemode": False,
                "pending_webhooks": 0,
                "request": {"id": None, "idempotency_key": None},
                "type": "payment_intent.succeeded",
            }
            for name, created in events
        ]

    def __call__(self, path: str, params: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        self.asked.append(params)
        if path != "/v1/events":
            return 404, {}, {"error": {"type": "invalid_request_error"}}
        low, high = int(params["created[gte]"]), int(params["created[lte]"])
        found = [event for event in self.events if low <= event["created"] <= high]
        if "starting_after" in params:
            names = [event["id"] for event in found]
            found = found[names.index(params["starting_after"]) + 1 :]
        page = {"object": "list", "url": "/v1/events", "has_more": len(found) > 2, "data": found[:2]}
        return 200, {}, page


class Shopify:
    """https://shopify.dev/docs/api/admin-rest: lists of resources by time, pages by ``page_info``; two on a page.

    Shopify publishes no OpenAPI description; what its pages say of parameters is refused here.
    """

    VERSION = "2026-10"

    def __init__(self, **listed: list[dict[str, Any]]) -> None:
        """Take the resources by family (``orders``, ``products``, ``customers``), as they are now."""
        self.listed = listed
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.failing: dict[str, int] = {}
        self._pages: dict[str, list[dict[str, Any]]] = {}

    def __call__(self, path: str, params: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        self.asked.append((path, params))
        family = path.removeprefix(f"/admin/api/{self.VERSION}/").removesuffix(".json")
        if family not in self.listed:
            return 404, {}, {"errors": "Not Found"}
        if status := self.failing.get(params.get("page_info", "")):
            return status, {"Retry-After": "2.0", "X-Shopify-Shop-Api-Call-Limit": "40/40"}, {"errors": "Exceeded"}
        if "page_info" in params:  # no other filter may stand beside it
            if params.keys() != {"page_info", "limit"}:
                return 400, {}, {"errors": "page_info does not go with other parameters"}
            found = self._pages[params["page_info"]]
        else:
            found = self._filtered(family, params)
        headers = {"X-Shopify-API-Version": self.VERSION, "X-Shopify-Shop-Api-Call-Limit": "1/40"}
        if len(found) > 2:
            name = f"page-{len(self._pages)}"
            self._pages[name] = found[2:]
            headers["Link"] = f'<https://elsewhere.invalid{path}?limit=2&page_info={name}>; rel="next"'
        return 200, headers, {family: found[:2]}

    def _filtered(self, family: str, params: dict[str, str]) -> list[dict[str, Any]]:
        by = "created_at" if "created_at_min" in params else "updated_at"
        low, high = (datetime.fromisoformat(params[f"{by}_{end}"]) for end in ("min", "max"))
        is_all = family != "orders" or params.get("status") == "any"  # else open ones alone
        rows = [row for row in self.listed[family] if is_all or row.get("closed_at") is None]
        return [row for row in rows if low <= datetime.fromisoformat(row[by]) <= high]


def order(number: int, *, created: datetime, updated: datetime, **values: Any) -> dict[str, Any]:
    """Return an order as Shopify's webhooks and its REST Admin API have it, in the shop's own time zone."""
    zone = timezone(timedelta(hours=-5))
    return {
        "id": number,
        "admin_graphql_api_id": f"gid://shopify/Order/{number}",
        "created_at": created.astimezone(zone).isoformat(timespec="seconds"),
        "updated_at": updated.astimezone(zone).isoformat(timespec="seconds"),
        "name": f"#{number}",
        "total_price": "404.95",
        **values,
    }
