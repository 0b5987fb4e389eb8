from __future__ import annotations

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from integrations.errors import MalformedPayload
from integrations.multipart import MULTIPART, multipart_fields
from integrations.payloads import decode


def form(*parts: str, boundary: str = "b0und+ary") -> bytes:
    return "".join(f"--{boundary}\r\n{part}\r\n" for part in parts).encode() + f"--{boundary}--\r\n".encode()


def field(name: str, text: str) -> str:
    return f'Content-Disposition: form-data; name="{name}"\r\n\r\n{text}'


class MultipartTests(SimpleTestCase):
    def test_is_read_as_its_fields(self) -> None:
        self.assertEqual(
            multipart_fields(form(field("json", '{"a": "ü"}'), field("n", "1"), field("n", "2"))),
            {"json": '{"a": "ü"}', "n": ["1", "2"]},
        )

    def test_passes_files_over(self) -> None:
        file = 'Content-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nhello'

        self.assertEqual(multipart_fields(form(file, field("json", "1"))), {"json": "1"})

    def test_takes_the_boundary_from_the_body(self) -> None:
        for boundary in ("-" * 24 + "3a1b", "a", "(a,b;c)".replace(";", ":"), "x" * 70):
            with self.subTest(boundary=boundary):
                self.assertEqual(multipart_fields(form(field("a", "b"), boundary=boundary)), {"a": "b"})

    def test_refuses_what_is_none(self) -> None:
        for body in (b"", b"a=1", b"--\r\n", b"--x", b"--" + b"x" * 71 + b"\r\n", form(*[field("a", "")] * 20_000)):
            with self.subTest(body=body[:20]), self.assertRaises(MalformedPayload) as caught:
                multipart_fields(body)
            self.assertEqual(caught.exception.reason, "form_invalid")
            self.assertIsNone(caught.exception.__cause__)

    @given(st.binary(max_size=300))
    def test_never_raises_anything_else(self, body: bytes) -> None:
        for text in (body, b"--x\r\n" + body, b'--x\r\nContent-Disposition: form-data; name="a"\r\n' + body):
            try:
                multipart_fields(text)
            except MalformedPayload as error:
                self.assertEqual(error.reason, "form_invalid")

    def test_is_opaque_where_no_field_holds_the_payload(self) -> None:
        body = form(field("json", '{"a": 1}'))

        self.assertIsNone(decode(MULTIPART, body))
        self.assertEqual(decode(MULTIPART, body, json_field="json"), {"a": 1})
