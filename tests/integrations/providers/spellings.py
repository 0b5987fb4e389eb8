"""What a stranger may write where a proof is expected."""

from __future__ import annotations

import base64

NASTY = ["ü", "é" * 64, "€", "\udcff", "١٢٣٤", "\x00", " ", "=", "====", ",", ", ,", "a" * 100_000, "-1", "nan"]

#: How a good encoded proof may be spelled anew; each differs from it, and no decoder may take it for the same.
RESPELLINGS = {
    "a space inside": lambda text: f"{text[:5]} {text[5:]}",
    "a tab inside": lambda text: f"{text[:5]}\t{text[5:]}",
    "a foreign character inside": lambda text: f"{text[:5]}!{text[5:]}",
    "text after the end": lambda text: f"{text}AAAA",
    "more padding": lambda text: f"{text}=",
    "stray bits": lambda text: stray_bits(text),
    "hex in base64": lambda text: base64.b64encode(text.encode()).decode(),
    "a sign of hex before it": lambda text: f"0x{text}",
    "full-width digits": lambda text: text.translate({ord("0") + n: 0xFF10 + n for n in range(10)}) + "\uff10",
    "upside down": lambda text: text[::-1],
}


def stray_bits(text: str) -> str:
    """Return base64 whose last letter differs in bits that the decoded bytes do not hold, where there are any."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    stripped = text.rstrip("=")
    if stripped == text or stripped[-1:] not in alphabet:
        return f"{text}A"
    return stripped[:-1] + alphabet[alphabet.index(stripped[-1]) + 1] + "=" * (len(text) - len(stripped))
