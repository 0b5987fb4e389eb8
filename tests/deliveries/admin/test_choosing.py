"""The box in which filters have their choices."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.test import SimpleTestCase
from unfold.contrib.filters.forms import DropdownForm

from deliveries.admin.choosing import ChoiceForm

pytestmark = pytest.mark.any_database
CHOICES = [("", "All"), ("a", "<b>A</b> & Co"), ('"q"', "“quoted”"), ("c", "C")]


class Box(HTMLParser):
    """What a box has to say: attributes of the select, and value, choice and text of each option."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.box: dict[str, str | None] = {}
        self.options: list[tuple[str | None, bool, str]] = []
        self.is_in_option = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "select":
            self.box = dict(attrs)
        elif tag == "option":
            self.options.append((dict(attrs)["value"], "selected" in dict(attrs), ""))
            self.is_in_option = True

    def handle_endtag(self, tag: str) -> None:
        self.is_in_option &= tag != "option"

    def handle_data(self, data: str) -> None:
        if self.is_in_option:
            value, chosen, text = self.options[-1]
            self.options[-1] = (value, chosen, text + data)


class ChoosingTests(SimpleTestCase):
    def test_offers_what_unfolds_own_does(self) -> None:
        for value in ("", "a", '"q"', "there is none", None):
            with self.subTest(value):
                ours, unfolds = (
                    Box(str(kind(name="which", label="By this", choices=CHOICES, data={"which": value})["which"]))
                    for kind in (ChoiceForm, DropdownForm)
                )
                self.assertEqual(ours.options, unfolds.options)
                self.assertEqual(ours.box, unfolds.box)

    def test_escapes_what_it_offers(self) -> None:
        html = str(ChoiceForm(name="which", label="", choices=CHOICES, data={})["which"])
        self.assertIn("&lt;b&gt;A&lt;/b&gt; &amp; Co", html)
        self.assertIn('value="&quot;q&quot;"', html)
        self.assertNotIn("<b>", html)
