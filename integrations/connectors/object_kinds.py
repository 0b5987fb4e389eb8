"""The kinds of connections that lead to objects: buckets, containers, and folders of this machine."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext

from integrations.connectors.addresses import validate_base_url
from integrations.connectors.kinds import ConnectionKind, kinds
from integrations.connectors.objects import put
from integrations.connectors.system import System

_END = r"(?![\s\S])"
_FOLDER = re.compile(rf"folder:(/[A-Za-z0-9_=-][A-Za-z0-9_=.-]{{0,99}}){{1,10}}{_END}")


def _of_form(pattern: re.Pattern[str], text: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not pattern.match(value):
            raise ValidationError(gettext("This has to be %(form)s.") % {"form": text})

    return check


def _with_bucket(value: str) -> None:
    validate_base_url(value)
    if not httpx.URL(value).path.strip("/"):
        raise ValidationError(gettext("This has to name the bucket or container, such as https://host/bucket/folder."))


def _probe(system: System, _path: str) -> str:
    """Write an object, which is what handlers do: a right to list or to remove is not asked for.

    It has another name each time, as a right to create is none to write over. What reads a folder of such files passes
    over names that begin with an underscore.
    """
    name = f"_hub-connection-test/{timezone.now():%Y%m%dT%H%M%S.%fZ}"
    put(system, name, b"Written by the test of a connection; it can be removed.\n")
    return f"took the object {name}"


kinds.register("s3")(
    ConnectionKind(
        "S3 bucket",
        "https://s3.eu-central-1.amazonaws.com/BUCKET",
        "aws",
        proofs=("aws",),
        form=_with_bucket,
        is_http=False,
        probe=_probe,
    )
)
kinds.register("gcs")(
    ConnectionKind(
        "Google Cloud Storage bucket",
        "https://storage.googleapis.com/BUCKET",
        "google_service_account",
        proofs=("google_service_account", "none"),
        form=_with_bucket,
        is_http=False,
        probe=_probe,
    )
)
kinds.register("azure")(
    ConnectionKind(
        "Azure Blob Storage container",
        "https://ACCOUNT.blob.core.windows.net/CONTAINER",
        "azure_key",
        proofs=("azure_key", "azure_sas"),
        form=_with_bucket,
        is_http=False,
        probe=_probe,
    )
)
kinds.register("folder")(
    ConnectionKind(
        "Folder below HUB_OBJECTS_DIR",
        "folder:/events",
        proofs=("none",),
        form=_of_form(_FOLDER, "folder:/NAME/NAME: letters, digits, - _ = and dots that do not come first"),
        is_http=False,
        probe=_probe,
    )
)
