from __future__ import annotations

import nacl.bindings

from integrations.verification import Ed25519
from tests.integrations.requests import NOW, make_request
from tests.integrations.verification.cases import SchemeTestCase


class Ed25519Tests(SchemeTestCase):
    def test_refuses_keys_under_which_anyone_can_sign(self) -> None:
        """libsodium is the judge of what is a point of small order."""
        scheme = Ed25519(headers=("X-Sig",))
        ones = b"\xff"
        for low in (
            bytes(32),
            b"\x01" + bytes(31),
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            b"\xec" + ones * 30 + b"\x7f",
            b"\xed" + ones * 30 + b"\x7f",
            b"\xee" + ones * 30 + b"\x7f",
        ):
            for point in (low, low[:-1] + bytes([low[-1] | 0x80])):
                with self.subTest(point=point.hex()):
                    self.assertFalse(nacl.bindings.crypto_core_ed25519_is_valid_point(point))
                    with self.assertRaises(ValueError):
                        scheme.check_key(point.hex())

    def test_proves_nothing_under_the_neutral_point(self) -> None:
        """With it for a key, R = B and S = 1 is a signature of every message."""
        neutral = (b"\x01" + bytes(31)).hex()
        base_point = "5866666666666666666666666666666666666666666666666666666666666666"
        forged = make_request(headers={"X-Sig": base_point + (b"\x01" + bytes(31)).hex()})

        self.assertEqual(self.refused(Ed25519(headers=("X-Sig",)), forged, neutral), "no_live_secret")

    def test_refuses_what_is_no_public_key(self) -> None:
        scheme = Ed25519(headers=("X-Sig",))
        public, private = scheme.new_pair()
        for key in ("", " ", "ab", public[:-2], public + "00", "zz" * 32, "ü" * 64):
            with self.subTest(key=key), self.assertRaises(ValueError):
                scheme.check_key(key)
        self.assertNotEqual(public, private)

    def test_writes_its_keys_as_the_provider_does(self) -> None:
        scheme = Ed25519(headers=("X-Sig",), key_encoding="base64", public_prefix="whpk_", private_prefix="whsk_")
        public, private = scheme.new_pair()

        self.assertTrue(public.startswith("whpk_"))
        self.assertEqual(scheme.verify(scheme.sign(make_request(), private, now=NOW), [public]), 0)
