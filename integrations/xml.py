"""XML as a payload: elements become objects, lists and texts. Documents that define types or entities are refused.

https://docs.python.org/3/library/xml.html#xml-security
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.parsers import expat

from integrations.verification.reasons import Reason, malformed

#: Elements within elements.
MAX_DEPTH = 100
#: Elements in all.
MAX_ELEMENTS = 10_000


def xml_document(body: bytes) -> dict[str, Any]:
    """Return ``{root: value}``; a value is a text, or an object by the names of the elements inside.

    An element that comes several times, or that has ``type="array"``, is a list. ``nil="true"`` is null,
    ``type="boolean"`` a truth value; every other text stays one. Dashes in names become underscores, so that paths
    need no quotes. Raises `MalformedPayload`.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = reader.refuse_definitions
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError):  # the last two: encodings that Python does not know
        # Not chained: the error's text can quote the body.
        raise malformed(Reason.XML_INVALID) from None
    return reader.root


class _Element:
    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.texts: list[str] = []
        self.children: dict[str, list[Any]] = {}

    def value(self) -> Any:
        if self.attributes.get("nil") == "true":
            return None
        if self.attributes.get("type") == "array":
            return [value for values in self.children.values() for value in values]
        if self.children:
            return {name: values[0] if len(values) == 1 else values for name, values in self.children.items()}
        text = "".join(self.texts).strip()
        return text == "true" if self.attributes.get("type") == "boolean" else text


class _Reader:
    """Builds the value while the parser reads, without recursion."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self._open: list[_Element] = []
        self._seen = 0

    def refuse_definitions(self, *_: Any) -> None:
        raise malformed(Reason.XML_INVALID)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._seen += 1
        if len(self._open) >= MAX_DEPTH or self._seen > MAX_ELEMENTS:
            raise malformed(Reason.XML_INVALID, levels_allowed=MAX_DEPTH, elements_allowed=MAX_ELEMENTS)
        self._open.append(_Element(attributes))

    def end(self, name: str) -> None:
        value = self._open.pop().value()
        key = name.replace("-", "_")
        if self._open:
            self._open[-1].children.setdefault(key, []).append(value)
        else:
            self.root = {key: value}

    def text(self, data: str) -> None:
        self._open[-1].texts.append(data)
