"""What operators read is marked, so that a language is a file and no change of the code."""

from __future__ import annotations

import ast
import re
from textwrap import dedent

from django.test import SimpleTestCase

from tests.marked_text import (
    caught_by_pages,
    made_up,
    marked,
    out_of_reach,
    python_sources,
    scripts,
    spoken,
    templates,
    unmarked,
    unmarked_errors,
)
from tests.running_hub import ROOT

PLACE = re.compile(r"%\((\w+)\)[sd]")


class TemplateTests(SimpleTestCase):
    def test_have_no_text_that_is_not_marked(self) -> None:
        found = {str(path.relative_to(ROOT)): texts for path in templates() if (texts := unmarked(path.read_text()))}

        self.assertEqual(found, {})

    def test_are_all_looked_at(self) -> None:
        self.assertGreater(len(templates()), 80)


class FinderTests(SimpleTestCase):
    def test_finds_text_between_tags(self) -> None:
        self.assertEqual(unmarked("<p>Held {{ since }} <b>long</b></p>"), ["Held", "long"])

    def test_finds_attributes_that_are_read(self) -> None:
        self.assertEqual(unmarked('<input title="Why" class="hub-input" placeholder="any">'), ["Why", "any"])

    def test_finds_text_in_branches_of_an_attribute(self) -> None:
        self.assertEqual(unmarked('<p aria-label="Switch {% if on %}off{% endif %}"></p>'), ["Switch off"])

    def test_finds_texts_that_filters_show(self) -> None:
        self.assertEqual(unmarked('{{ "paused"|label:"warning" }}{{ who|default:"nobody" }}'), ["paused", "nobody"])

    def test_finds_texts_that_an_included_template_is_given(self) -> None:
        source = """{% include "a.html" with title="Log" icon="history" link=url %}"""

        self.assertEqual(unmarked(source), ["Log"])

    def test_leaves_what_is_marked(self) -> None:
        source = (
            """<p title="{% translate 'Why' %}">{% translate "Held" %}, {{ _("paused")|label:"warning" }}</p>"""
            "{% blocktranslate count n=rows %}{{ n }} row{% plural %}{{ n }} rows{% endblocktranslate %}"
        )

        self.assertEqual(unmarked(source), [])

    def test_leaves_code_and_signs(self) -> None:
        self.assertEqual(unmarked("<code>manage.py tail</code><script>go()</script> {{ a }} → {{ b }}&nbsp;·"), [])


class ScriptTests(SimpleTestCase):
    """What a script puts on a page comes with the page, where it can be translated."""

    def test_have_no_text_of_their_own(self) -> None:
        found = {path.name: texts for path in scripts() if (texts := spoken(path.read_text()))}

        self.assertEqual(found, {})

    def test_are_found_out_by_what_they_set(self) -> None:
        source = """note.textContent = "Copied"; // "as here"
            note.title = ready ? 'Go on' : texts.pause; say("no answer", "warning"); made.className = "hub-label";"""

        self.assertEqual(spoken(source), ["Copied", "Go on", "no answer"])


class ErrorTests(SimpleTestCase):
    """What an order says when it cannot be carried out stands on a page."""

    def test_have_no_text_that_is_not_marked(self) -> None:
        errors = caught_by_pages()
        found = {name: texts for name, tree in python_sources().items() if (texts := unmarked_errors(tree, errors))}

        self.assertEqual(found, {})

    def test_are_those_that_pages_catch(self) -> None:
        self.assertLess({"NotEdited", "WrongPayload", "UnknownRoute", "CannotSign", "NotAView"}, caught_by_pages())

    def test_are_found_where_they_are_raised(self) -> None:
        source = """
            WHY = "It is gone."
            def look(row):
                if row.gone:
                    raise orders.Refused(WHY)
                if row.held:
                    raise Refused(f"It is held since {row.since}.")
                raise Refused("It has %s bytes." % row.size) if row.size else Refused(gettext("It is empty."))
                raise Other("code")
        """

        found = unmarked_errors(ast.parse(dedent(source)), {"Refused"})

        self.assertEqual(found, ["'It is gone.'", "f'It is held since {row.since}.'", "'It has %s bytes.' % row.size"])

    def test_are_found_in_fields_of_models(self) -> None:
        source = """
            name = CharField(
                validators=[RegexValidator("[a-z]", "Small letters only.")],
                help_text="What people read.",
                error_messages={"unique": "It is taken.", "blank": gettext_lazy("It is empty.")},
            )
        """

        found = unmarked_errors(ast.parse(dedent(source)), set())

        self.assertEqual(sorted(found), ["'It is taken.'", "'Small letters only.'", "'What people read.'"])

    def test_are_found_in_what_says_why_not(self) -> None:
        source = """
            EXPLANATIONS: dict[str, str] = {"late": "It came late.", "early": gettext_noop("It came early.")}
            def obstacle(row):
                return row.why or "Nobody knows." if row.gone else ""
        """

        found = unmarked_errors(ast.parse(dedent(source)), set())

        self.assertEqual(found, ["'It came late.'", "row.why or 'Nobody knows.' if row.gone else ''"])


class MessageTests(SimpleTestCase):
    def test_name_the_same_values_in_both_numbers(self) -> None:
        apart = [one for one, many in marked() if many and set(PLACE.findall(one)) != set(PLACE.findall(many))]

        self.assertEqual(apart, [])

    def test_have_no_sentence_that_begins_or_ends_with_a_gap(self) -> None:
        """Such a message is a piece: the sentence is to be marked as a whole."""
        self.assertEqual([one for one, _ in marked() if one != one.strip()], [])

    def test_are_where_makemessages_finds_them(self) -> None:
        self.assertEqual(out_of_reach(), [])

    def test_are_not_made_before_they_are_looked_up(self) -> None:
        """A message made of an f-string is in no catalogue."""
        self.assertEqual(made_up(), [])
