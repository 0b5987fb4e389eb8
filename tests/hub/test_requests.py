"""What a sender says of its charset, and what comes of it; at every address in receiving/test_real_server.py."""

from __future__ import annotations

import io

import pytest
from django.core.exceptions import TooManyFieldsSent

from hub.requests import Request

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


class TestAnAnnouncedCharset:
    @pytest.mark.parametrize("charset", ["charset=hex", "charset=utf-16", "charset=undefined", "x*=hex''%41"])
    def test_is_not_believed(self, charset: str) -> None:
        made = request(f"{FORM}; {charset}", query="a=%C3%A4", body=b"b=%C3%B6")

        assert (made.content_type, made.GET["a"], made.POST["b"]) == (FORM, "ä", "ö")

    def test_leaves_too_many_parameters_to_who_asks_for_them(self) -> None:
        made = request("application/json; charset=utf-8", query="a&" * 1500)

        with pytest.raises(TooManyFieldsSent):
            _ = made.GET
