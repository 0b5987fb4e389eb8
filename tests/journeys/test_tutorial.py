"""The tutorial, done as it says: its commands are taken from the page, and so is what they are said to answer."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.running_hub import ROOT, RunningHub, free_port, running_hub, wait_until

pytestmark = [pytest.mark.journey, pytest.mark.any_database]

PAGE = (ROOT / "docs" / "tutorial" / "first-automation.md").read_text(encoding="utf-8")

#: What the reader enters in the forms of steps 2 and 3.
ENTER = """
from integrations.models import Endpoint, Route, Secret
endpoint = Endpoint.objects.create(slug={slug!r}, name="GitHub", provider="github")
Secret.objects.create(endpoint=endpoint, label="tutorial", value={secret!r})
Route.objects.create(
    endpoint=endpoint, name={route!r}, events={events!r}, handler="http.forward", config={config!r}, retry={retry!r}
)
"""
#: What the reader sees on the delivery's page.
LOOK = """
import json
from deliveries.models import Delivery
from deliveries.why import reason_of
rows = Delivery.objects.order_by("created_at")
print(json.dumps([[str(row.pk), row.event.event_type, row.status, str(reason_of(row))] for row in rows]))
"""
#: What the button *Replay* does.
REPLAY = """
from django.contrib.auth.models import User
from deliveries.models import Delivery
from deliveries.replay import replay
print(replay(Delivery.objects.filter(pk={pk!r}), by=User.objects.create_superuser("ada")))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def entered(label: str) -> str:
    """Return what the page says to enter under ``label``."""
    found = re.search(rf"\*\*{label}\*\*: `([^`]+)`", PAGE)
    assert found, label
    return found.group(1)


class Reader:
    """Somebody who does what the page says, at ports that are free here."""

    def __init__(self, hub: RunningHub, folder: Path) -> None:
        self.hub = hub
        self.folder = folder
        self.ticket_port = free_port()

    def here(self, text: str) -> str:
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.hub.port}").replace("9000", str(self.ticket_port))

    def enters(self) -> None:
        values = {
            "slug": entered("Slug"),
            "secret": entered("Value"),
            "route": entered("Name"),
            "events": [entered("Event types")],
            "config": json.loads(self.here(entered("Handler's config"))),
            "retry": json.loads(entered("Retry")),
        }
        self.hub.python(ENTER.format(**values))

    def runs(self, *commands: str) -> dict[str, object]:
        """Return the answer to the last of ``commands``, run in one shell."""
        done = subprocess.run(
            ["bash", "-c", "set -e\n" + self.here("\n".join(commands))],
            cwd=ROOT,
            env=self.hub.environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, object] = json.loads(done.stdout[done.stdout.rindex("{") :])
        return answer

    def deliveries(self) -> list[list[str]]:
        found: list[list[str]] = json.loads(self.hub.python(LOOK))
        return found

    @contextmanager
    def ticket_system(self) -> Iterator[Path]:
        """Run the page's program; yield the file with what it prints."""
        program, output = self.folder / "tickets.py", self.folder / "tickets.log"
        program.write_text(self.here(blocks("python")[0]), encoding="utf-8")
        with output.open("wb") as log:
            process = subprocess.Popen([sys.executable, str(program)], stdout=log, stderr=subprocess.DEVNULL)
        try:
            wait_until(self.ticket_system_listens, what="the ticket system")
            yield output
        finally:
            process.kill()
            process.wait(10)

    def ticket_system_listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.ticket_port)) == 0


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with running_hub(tmp_path) as hub:
        hub.start()
        yield Reader(hub, tmp_path)


class TestTheTutorial:
    def test_leads_to_what_it_shows(self, reader: Reader) -> None:
        _, send, send_changed, _, send_by_command = blocks("sh")
        accepted, refused = [json.loads(answer) for answer in blocks("json")]
        reader.enters()

        first = reader.runs(send)
        assert first | {"event": ""} == accepted | {"event": ""}
        assert reader.runs(send) == {"status": "duplicate", "event": first["event"]}
        assert reader.runs(send.partition("\n\ncurl")[0], send_changed) == refused

        def dead() -> list[list[str]]:
            return [row for row in reader.deliveries() if row[2] == "dead"]

        [(pk, event_type, _, why)] = wait_until(dead, seconds=30, what="the dead letter")
        shown = re.search(r"^> (Gave up .*?)http", PAGE, re.MULTILINE)
        assert shown
        assert event_type == "issues.opened"
        assert why.startswith(shown.group(1)), why

        with reader.ticket_system() as printed:
            reader.hub.python(REPLAY.format(pk=pk))
            [line] = [text for text in blocks("text") if text.startswith("issues.opened")]
            wait_until(lambda: line in printed.read_text(), what="the ticket")
            wait_until(lambda: reader.deliveries()[0][2] == "succeeded", what="the success")
            assert "attempt 3" in reader.deliveries()[0][3]

            assert reader.runs(send_by_command.replace(".venv/bin/python", sys.executable))["status"] == "accepted"
            wait_until(lambda: "issues.closed in octo-org/hello-world" in printed.read_text(), what="the second ticket")
