from __future__ import annotations

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from integrations.errors import MalformedPayload
from integrations.xml import MAX_DEPTH, MAX_ELEMENTS, xml_document


class XmlTests(SimpleTestCase):
    def refused(self, body: bytes) -> None:
        with self.assertRaises(MalformedPayload) as caught:
            xml_document(body)
        self.assertEqual(caught.exception.reason, "xml_invalid")
        self.assertIsNone(caught.exception.__cause__)

    def test_is_read_as_objects_lists_and_texts(self) -> None:
        document = """<?xml version="1.0" encoding="UTF-8"?>
            <a><b> text &amp; <![CDATA[<more>]]> </b><two-words>1</two-words><two-words>2</two-words><empty/>
            <list type="array"><item>x</item></list><none type="array"/><nil nil="true">0</nil>
            <yes type="boolean">true</yes><no type="boolean">false</no><n type="integer">12</n></a>"""

        self.assertEqual(
            xml_document(document.encode()),
            {
                "a": {
                    "b": "text & <more>",
                    "two_words": ["1", "2"],
                    "empty": "",
                    "list": ["x"],
                    "none": [],
                    "nil": None,
                    "yes": True,
                    "no": False,
                    "n": "12",
                }
            },
        )

    def test_keeps_the_letters_of_its_encoding(self) -> None:
        self.assertEqual(xml_document("<a>Grüße</a>".encode()), {"a": "Grüße"})
        self.assertEqual(
            xml_document('<?xml version="1.0" encoding="ISO-8859-1"?><a>ü</a>'.encode("latin-1")), {"a": "ü"}
        )

    def test_refuses_what_is_broken(self) -> None:
        for body in (b"", b"text", b"<a>", b"<a></b>", b"<a/><b/>", b"\xff\xfe", b"<a>\xff</a>", b"<a b='1' b='2'/>"):
            with self.subTest(body=body):
                self.refused(body)
        self.refused(b'<?xml version="1.0" encoding="no-such-encoding"?><a/>')

    def test_refuses_definitions_which_could_read_files_or_grow_without_end(self) -> None:
        for body in (
            b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
            b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>',
            b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
            b"<!DOCTYPE a><a/>",
            b"<a>&undefined;</a>",
        ):
            with self.subTest(body=body):
                self.refused(body)

    def test_has_bounds(self) -> None:
        xml_document(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
        self.refused(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
        self.refused(b"<a>" * 100_000)
        self.refused(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")

    @given(st.binary(max_size=200))
    def test_never_raises_anything_else(self, body: bytes) -> None:
        for document in (body, b"<a>" + body + b"</a>", b'<?xml version="1.0"?>' + body):
            try:
                xml_document(document)
            except MalformedPayload as error:
                self.assertEqual(error.reason, "xml_invalid")
