"""What a sender says of its charset, and what comes of it; at every address in receiving/test_real_server.py."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable
from http import HTTPStatus
from ipaddress import ip_network
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import TooManyFieldsSent
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.test import SimpleTestCase, TestCase
from django.urls import clear_url_caches, get_resolver

import hub.wsgi
from deliveries.receiving.tally import tally
from hub.requests import ONLY_FOR_PEOPLE, Handler, Request

FORM = "application/x-www-form-urlencoded"


def request(content_type: str, *, query: str = "", body: bytes = b"") -> Request:
    return Request(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "QUERY_STRING": query,
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
    )


def marked(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Be a site's own middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["X-Marked"] = "yes"
        return response

    return middleware


class TestAnAnnouncedCharset:
    @pytest.mark.parametrize("charset", ["charset=hex", "charset=utf-16", "charset=undefined", "x*=hex''%41"])
    def test_is_not_believed(self, charset: str) -> None:
        made = request(f"{FORM}; {charset}", query="a=%C3%A4", body=b"b=%C3%B6")

        assert (made.content_type, made.GET["a"], made.POST["b"]) == (FORM, "ä", "ö")

    def test_leaves_too_many_parameters_to_who_asks_for_them(self) -> None:
        made = request("application/json; charset=utf-8", query="a&" * 1500)

        with pytest.raises(TooManyFieldsSent):
            _ = made.GET


class AWebhooksChainTests(TestCase):
    def answer(self, path: str, **environ: Any) -> tuple[int, dict[str, str]]:
        """Return status and headers of a PUT, which no endpoint takes, by the application that the server runs."""
        answers: list[tuple[str, list[tuple[str, str]]]] = []
        asked = {
            "REQUEST_METHOD": "PUT",
            "PATH_INFO": path,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            **environ,
        }
        Handler()(asked, lambda status, headers: answers.append((status, headers))).close()
        (status, headers) = answers[0]
        return int(status.split()[0]), {name: value for name, value in headers if name != "X-Request-ID"}

    def test_sends_the_headers_of_the_whole_chain(self) -> None:
        for path in ("/hooks", "/hooks/", "/hooks/orders", "/hooks/orders/", "/hooks/a/b"):
            with self.subTest(path=path):
                whole = self.client.put(path)
                headers = {name: value for name, value in whole.items() if name != "X-Request-ID"}

                self.assertEqual(self.answer(path), (whole.status_code, headers))
                self.assertEqual(whole.status_code, HTTPStatus.METHOD_NOT_ALLOWED)

    def test_sends_them_over_https_and_behind_a_proxy(self) -> None:
        proxied = {"HTTP_X_FORWARDED_PROTO": "https"}
        with self.settings(SECURE_HSTS_SECONDS=60, HUB_TRUSTED_PROXIES=[ip_network("127.0.0.0/8")]):
            whole = self.client.put("/hooks/orders", **proxied)
            headers = {name: value for name, value in whole.items() if name != "X-Request-ID"}

            self.assertEqual(self.answer("/hooks/orders", **proxied), (405, headers))
            self.assertIn("Strict-Transport-Security", headers)
            self.assertNotIn("Strict-Transport-Security", self.answer("/hooks/orders")[1])

    def test_is_the_one_that_django_makes_where_a_site_adds_to_it(self) -> None:
        self.assertIsNotNone(Handler()._webhook)
        with self.settings(MIDDLEWARE=[*settings.MIDDLEWARE, "tests.hub.test_requests.marked"]):
            self.assertIsNone(Handler()._webhook)
            status, headers = self.answer("/hooks/orders")
        whole = self.answer("/hooks/orders")

        self.assertEqual((status, headers.pop("X-Marked")), (405, "yes"))
        self.assertEqual((status, headers), whole)

    def test_tells_whoever_else_listens_of_its_beginning_and_end(self) -> None:
        told: list[Any] = []

        def listens(sender: Any, **_: Any) -> None:
            told.append(sender)

        self.answer("/hooks/orders")
        for signal in (request_started, request_finished):
            signal.connect(listens)
            self.addCleanup(signal.disconnect, listens)
        self.answer("/hooks/orders")

        self.assertEqual(told, [Handler, Handler])

    def test_writes_the_counts_of_refusals_at_its_end(self) -> None:
        with patch.object(tally, "flush_if_due") as flush:
            self.answer("/hooks/orders")

        self.assertEqual(flush.call_count, 1)

    def test_takes_over_a_sane_request_id(self) -> None:
        answers: list[dict[str, str]] = []
        environ = {"REQUEST_METHOD": "PUT", "PATH_INFO": "/hooks/orders", "HTTP_HOST": "testserver"}
        for offered in ("order-4711", "a b"):
            asked = {**environ, "HTTP_X_REQUEST_ID": offered, "wsgi.input": io.BytesIO()}
            Handler()(asked, lambda _, headers: answers.append(dict(headers))).close()

        self.assertEqual(answers[0]["X-Request-ID"], "order-4711")
        self.assertRegex(answers[1]["X-Request-ID"], r"^[0-9a-f]{32}$")

    def test_refuses_a_host_that_is_not_the_hubs(self) -> None:
        for allowed in (["hub.example.com"], ["other.example.com", "hub.example.com"], ["*"], [".example.com"]):
            with self.settings(ALLOWED_HOSTS=allowed):
                whole = self.client.put("/hooks/orders", headers={"host": "other.example.com:8000"})
                headers = {name: value for name, value in whole.items() if name != "X-Request-ID"}
                answer = self.answer("/hooks/orders", HTTP_HOST="other.example.com:8000")

                self.assertEqual(answer, (whole.status_code, headers))
                self.assertEqual(answer[0] == HTTPStatus.BAD_REQUEST, allowed == ["hub.example.com"])
        self.assertEqual(self.answer("/hooks/orders", HTTP_HOST="a b")[0], HTTPStatus.BAD_REQUEST)

    def test_opens_no_session(self) -> None:
        with patch.object(SessionMiddleware, "process_request", side_effect=AssertionError) as opened:
            self.answer("/hooks/orders")
            self.assertFalse(opened.called)

            self.client.raise_request_exception = False
            self.answer("/hooks.txt")
            self.assertTrue(opened.called)

    def test_leaves_out_only_what_there_is(self) -> None:
        self.assertEqual(ONLY_FOR_PEOPLE - set(settings.MIDDLEWARE), frozenset())


class TheApplication(SimpleTestCase):
    def test_has_its_views_at_hand_before_the_first_request(self) -> None:
        clear_url_caches()

        importlib.reload(hub.wsgi)

        self.assertIn("url_patterns", vars(get_resolver()))
