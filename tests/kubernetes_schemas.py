"""Kubernetes' own schemas of the kinds that the manifests use, and nothing else of them.

They are in `tests/fixtures/kubernetes`, cut out of the package kubernetes-validate by this module; where from, under
which licence, and how to cut them anew stands beside them.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parent / "fixtures" / "kubernetes"
#: The oldest and the newest that the manifests are checked for.
RELEASES = ("1.31", "1.37")
#: The definition of each kind.
KINDS = {
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "Ingress": "io.k8s.api.networking.v1.Ingress",
    "Job": "io.k8s.api.batch.v1.Job",
    "PodDisruptionBudget": "io.k8s.api.policy.v1.PodDisruptionBudget",
    "Service": "io.k8s.api.core.v1.Service",
}
_OWN = "#/$defs/"


def validate(document: dict[str, Any], release: str) -> None:
    """Raise `jsonschema.ValidationError` unless Kubernetes takes ``document``; names that it does not know included."""
    _validator(KINDS[document["kind"]], release).validate(document)


@cache
def _validator(definition: str, release: str) -> Draft202012Validator:
    definitions = json.loads((FOLDER / f"{release}.json").read_text())
    return Draft202012Validator({"$ref": _OWN + definition, "$defs": definitions})


def cut_out(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return of all ``definitions`` those of the kinds, and what these refer to, without what is meant for people."""
    found: dict[str, Any] = {}
    waiting = list(KINDS.values())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _bare(definitions[name], waiting)
    return dict(sorted(found.items()))


def _bare(value: Any, referred: list[str]) -> Any:
    """Return ``value`` without descriptions, and add to ``referred`` the definitions that it refers to."""
    if isinstance(value, list):
        return [_bare(item, referred) for item in value]
    if not isinstance(value, dict):
        return value
    bare = {name: _bare(item, referred) for name, item in value.items() if not _is_for_people(name, item)}
    if isinstance(reference := bare.get("$ref"), str):
        name = reference.rpartition(_OWN)[2]
        bare["$ref"] = _OWN + name
        referred.append(name)
    return bare


def _is_for_people(name: str, item: Any) -> bool:
    """Return whether it is no rule; a property that is called ``description`` is an object of its own."""
    return (name == "description" and isinstance(item, str)) or name.startswith("x-kubernetes-")


def main(package: Path) -> None:
    """Write the files anew from the ``package``'s folder."""
    for release in RELEASES:
        source = package / "kubernetes-json-schema" / f"v{release}.0-local-strict" / "_definitions.json"
        kept = cut_out(json.loads(source.read_text())["$defs"])
        lines = (f"{json.dumps(name)}:{json.dumps(each, separators=(',', ':'))}" for name, each in kept.items())
        (FOLDER / f"{release}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
