"""What lists are made of: the boxes in which filters have their choices, and those that tick rows."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import SimpleTestCase, TestCase
from django.utils.translation import override
from unfold.admin import checkbox
from unfold.contrib.filters.forms import DropdownForm

from deliveries.admin.choosing import ChoiceForm
from deliveries.models import Event
from tests.factories import make_endpoint, make_event

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


class TickingTests(TestCase):
    def test_draws_the_box_that_unfold_draws_in_the_language_of_the_page(self) -> None:
        event = make_event(make_endpoint())
        pages = admin.site.get_model_admin(Event)
        for language in ("en", "de", "en"):
            with self.subTest(language), override(language):
                self.assertEqual(
                    pages.action_checkbox(event),  # type: ignore[attr-defined]
                    checkbox.render(ACTION_CHECKBOX_NAME, str(event.pk)),
                )
