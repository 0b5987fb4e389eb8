"""What tests of `object.append` begin with: a connection that leads to a folder, and events to write there."""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.test import TransactionTestCase, override_settings
from django.utils import timezone

from integrations.calling.opening import StoredConnections
from integrations.calling.trying import Trial, try_connection
from integrations.handlers import handlers
from integrations.models import Connection
from integrations.validation import validate_handler_config
from tests.integrations.handlers.contexts import Kept, context_of, event_of


def numbered(number: int, **changes: Any) -> Any:
    return event_of({"number": number}, id=f"0196f0a0-{number:012d}", **changes)


def numbers_of(content: bytes) -> list[int]:
    """Return the numbers of the events in an object."""
    return [json.loads(line)["payload"]["number"] for line in gzip.decompress(content).splitlines()]


def append(event: Any, **config: Any) -> Any:
    """Run the handler as a worker does, for one attempt."""
    config = {"connection": "lake", **config}
    validate_handler_config("object.append", config)
    deadline = timezone.now() + timedelta(seconds=20)
    context = replace(context_of(config, Kept()), deadline=deadline, connections=StoredConnections(uuid4()))
    return handlers["object.append"].run(event, context)


class ObjectsTestCase(TransactionTestCase):
    """No transaction around it: an outside system is not called within one."""

    def setUp(self) -> None:
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(override_settings(HUB_OBJECTS_DIR=str(self.root)))
        self.connection = Connection.objects.create(name="lake", kind="folder", base_url="folder:/events")
        self.connection.full_clean()

    def tried(self) -> Trial:
        """Return what the button of the connection says."""
        return try_connection(Connection.objects.get())

    def objects(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file())

    def numbers(self) -> list[list[int]]:
        return [numbers_of(path.read_bytes()) for path in self.objects()]
