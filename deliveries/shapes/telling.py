"""Changes of shapes in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext

from deliveries.models.shape import Change, ChangeKind
from deliveries.shapes.paths import ARRAY, BOOLEAN, NULL, NUMBER, OBJECT, STRING

TYPES: Mapping[str, str | Promise] = {
    OBJECT: gettext_lazy("object"),
    ARRAY: gettext_lazy("list"),
    STRING: gettext_lazy("text"),
    NUMBER: gettext_lazy("number"),
    BOOLEAN: gettext_lazy("true or false"),
    NULL: gettext_lazy("null"),
}


def types_in_words(types: Sequence[str]) -> str:
    """Return types as people say them; those that make up most come first if they are given so."""
    return ", ".join(str(TYPES.get(name, name)) for name in types)


def path_in_words(path: str) -> str:
    """Return the path, or what the whole payload is called."""
    return path or gettext("(the payload)")


def in_words(change: Change) -> str:
    """Return what has changed, in a sentence."""
    path, types = path_in_words(change["path"]), types_in_words(change["types"])
    if change["kind"] == ChangeKind.NEW_TYPE:
        return gettext("The event type never came before.")
    if change["kind"] == ChangeKind.TYPE:
        was = types_in_words(change["before"])
        return gettext("%(path)s was: %(before)s, and is now: %(types)s.") % {
            "path": path,
            "before": was,
            "types": types,
        }
    if change["kind"] == ChangeKind.APPEARED:
        text = gettext("%(path)s is new: %(types)s.") % {"path": path, "types": types}
    else:
        text = gettext("%(path)s is gone.") % {"path": path}
    if not change["below"]:
        return text
    more = ngettext("(With %(count)s field in it.)", "(With %(count)s fields in it.)", change["below"])
    return f"{text} " + more % {"count": change["below"]}
