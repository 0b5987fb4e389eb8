"""Values within a path: ``contacts/{customer.id}``, each a JMESPath."""

from __future__ import annotations

import re

from integrations.routing import compiled

#: A place of a path; its first group is the expression.
PLACE = re.compile(r"\{([^{}]+)\}")


def expressions_in(path: str) -> list[str]:
    """Return the JMESPaths that stand in ``path``."""
    return PLACE.findall(path)


def check_path(path: str) -> None:
    """Raise `JMESPathError` if what stands in braces is none."""
    for expression in expressions_in(path):
        compiled(expression)
