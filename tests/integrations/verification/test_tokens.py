from __future__ import annotations

import base64
from dataclasses import replace

from django.test import SimpleTestCase

from integrations.errors import VerificationFailed
from integrations.verification import Basic, Scheme, Token
from tests.integrations.requests import NOW, make_request


class TokenTestCase(SimpleTestCase):
    def refused(self, scheme: Scheme, headers: dict[str, str], *keys: str) -> str:
        with self.assertRaises(VerificationFailed) as caught:
            scheme.verify(make_request(headers=headers), keys)
        return caught.exception.reason


class TokenTests(TokenTestCase):
    def test_is_compared_as_the_bytes_that_came(self) -> None:
        on_the_wire = "grün".encode().decode("latin-1")

        self.assertEqual(Token(header="X-Token").verify(make_request(headers={"X-Token": on_the_wire}), ["grün"]), 0)
        self.assertEqual(self.refused(Token(header="X-Token"), {"X-Token": "grün"}, "grün"), "token_mismatch")

    def test_stands_behind_its_word_in_any_case(self) -> None:
        bearer = Token(header="Authorization", word="Bearer")
        for text in ("Bearer t0ken", "bearer t0ken", "BEARER  t0ken "):
            self.assertEqual(bearer.verify(make_request(headers={"Authorization": text}), ["t0ken"]), 0)
        for text in ("t0ken", "Basic t0ken", "Bearert0ken", "Bearer", "Bearer ", "Token t0ken"):
            self.assertEqual(self.refused(bearer, {"Authorization": text}, "t0ken"), "token_missing")

    def test_in_the_query_string_counts_only_under_its_plain_name(self) -> None:
        in_query = Token(parameter="token")
        for query_string, accepted in (
            ("token=a%20b", True),
            ("x=1&token=a+b", True),
            ("token=wrong&token=a+b", True),
            ("token=a+b&token=wrong", False),
            ("%74oken=a+b", False),
            ("Token=a+b", False),
            ("token", False),
        ):
            request = make_request(url=f"https://h/x?{query_string}")
            with self.subTest(query_string=query_string):
                if accepted:
                    self.assertEqual(in_query.verify(request, ["a b"]), 0)
                else:
                    with self.assertRaises(VerificationFailed):
                        in_query.verify(request, ["a b"])

    def test_survives_any_number_of_parameters(self) -> None:
        request = make_request(url="https://h/x?" + "a=1&" * 5000 + "token=t")

        self.assertEqual(Token(parameter="token").verify(request, ["t"]), 0)

    def test_is_added_to_the_query_string_that_is_there(self) -> None:
        signed = Token(parameter="token").sign(make_request(url="https://h/x?a=1"), "a&b", now=NOW)

        self.assertEqual((signed.url, signed.query_string), ("https://h/x?a=1&token=a%26b", "a=1&token=a%26b"))

    def test_can_neither_be_empty_nor_break_a_header(self) -> None:
        for key in ("", " ", "a\r\nX-Evil: 1", "a\x00", " a", "a "):
            with self.subTest(key=key), self.assertRaises(ValueError):
                Token(header="X-Token").check_key(key)

    def test_has_exactly_one_place(self) -> None:
        for places in ({}, {"header": "X", "parameter": "y"}):
            with self.assertRaises(ValueError):
                Token(**places)

    def test_names_its_place_for_sealing(self) -> None:
        self.assertEqual(Token(header="X-Token").proof_headers, {"x-token"})
        self.assertEqual(Token(parameter="Key").proof_parameters, {"key"})


class BasicTests(TokenTestCase):
    def test_takes_user_and_password(self) -> None:
        for key in ("user:pass", ":pass", "user:pa:ss", "üser:pä€"):
            encoded = base64.b64encode(key.encode()).decode()
            with self.subTest(key=key):
                self.assertEqual(Basic().verify(make_request(headers={"Authorization": f"basic {encoded}"}), [key]), 0)

    def test_refuses_other_spellings_of_the_same_credentials(self) -> None:
        encoded = base64.b64encode(b"user:pass").decode()  # dXNlcjpwYXNz
        padded = base64.b64encode(b"user:passw").decode()  # dXNlcjpwYXNzdw==
        for text, key in (
            (f"{encoded}=", "user:pass"),
            (f"{encoded[:4]} {encoded[4:]}", "user:pass"),
            (f"{encoded}!", "user:pass"),
            (padded.rstrip("="), "user:passw"),
            (padded.replace("w==", "x=="), "user:passw"),
            ("ü", "user:pass"),
        ):
            with self.subTest(text=text):
                reason = self.refused(Basic(), {"Authorization": f"Basic {text}"}, key)
                self.assertEqual(reason, "token_undecodable")

    def test_never_takes_an_empty_password(self) -> None:
        encoded = base64.b64encode(b"user:").decode()

        self.assertEqual(self.refused(Basic(), {"Authorization": f"Basic {encoded}"}, "user:"), "no_live_secret")
        for key in ("user", "user:", "user: ", ":", "a:b\n"):
            with self.subTest(key=key), self.assertRaises(ValueError):
                Basic().check_key(key)

    def test_is_not_satisfied_by_another_scheme_of_authorization(self) -> None:
        encoded = base64.b64encode(b"user:pass").decode()
        for text in (f"Bearer {encoded}", encoded, "Basic", "Basic "):
            self.assertEqual(self.refused(Basic(), {"Authorization": text}, "user:pass"), "token_missing")


class ProofTests(SimpleTestCase):
    def test_takes_the_place_of_one_that_was_there_in_another_case(self) -> None:
        request = make_request(headers={"x-token": "old"})

        signed = Token(header="X-Token").sign(request, "new", now=NOW)

        self.assertEqual([text for name, text in signed.headers.items() if name.lower() == "x-token"], ["new"])
        self.assertEqual(replace(signed, headers=request.headers), request)
