"""`manage.py hub`, started, used, stopped and killed as on a real machine."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.integrations.connectors.servers import Server, serving
from tests.running_hub import ROOT, RunningHub, running_hub, wait_until

pytestmark = pytest.mark.journey

DELIVERIES = """
import json
from deliveries.models import Delivery, Event
statuses = list(Delivery.objects.values_list("status", flat=True))
print(json.dumps({"events": Event.objects.count(), "statuses": statuses}))
"""
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
#: A minute in milliseconds, so that no trace is sent but by the end of a process.
SELDOM = "60000"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RunningHub]:
    with running_hub(tmp_path, HUB_LEASE_SECONDS="3", HUB_FROZEN_SECONDS="6") as hub:
        yield hub


def state(hub: RunningHub) -> dict[str, object]:
    found: dict[str, object] = json.loads(hub.python(DELIVERIES))
    return found


def traces_of(collector: Server) -> dict[str, str]:
    """Return the trace of each span by the span's name."""
    service = importlib.import_module("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    requests = [service.ExportTraceServiceRequest.FromString(seen.body) for seen in collector.seen]
    scopes = [scope for request in requests for resource in request.resource_spans for scope in resource.scope_spans]
    return {span.name: span.trace_id.hex() for scope in scopes for span in scope.spans}


def printed_curl_line(hub: RunningHub) -> str:
    wait_until(lambda: "curl " in hub.output.read_text(), what="the curl line")
    return next(line for line in hub.output.read_text().splitlines() if line.startswith("curl "))


def paste(line: str) -> dict[str, object]:
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=20)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def descendants(hub: RunningHub) -> list[psutil.Process]:
    return hub.processes()[1:]


def named(hub: RunningHub, *words: str) -> list[psutil.Process]:
    return [p for p in descendants(hub) if all(word in " ".join(p.cmdline()) for word in words)]


def none_left(processes: list[psutil.Process]) -> bool:
    return all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes)


@pytest.mark.any_database
class TestTheHub:
    def test_prints_a_login_and_a_curl_line_whose_event_is_handled_within_a_second(self, hub: RunningHub) -> None:
        hub.start("--quickstart")
        line = printed_curl_line(hub)
        token = hub.manage("create_token", "admin").stdout.split()[-1]

        first, second = paste(line), paste(line)
        pasted_at = time.monotonic()

        assert first["status"] == second["status"] == "accepted"
        assert first["event"] != second["event"]
        wait_until(
            lambda: (
                [
                    item["status"]
                    for item in httpx.get(
                        f"{hub.url}/api/v1/deliveries/", headers={"Authorization": f"Token {token}"}
                    ).json()["results"]
                ]
                == ["succeeded", "succeeded"]
            ),
            seconds=10,
            what="success",
        )
        assert time.monotonic() - pasted_at < 10
        text = hub.output.read_text()
        assert f"{hub.url}/admin/" in text
        assert re.search(r"First administrator: admin, password \S{12,} ", text)

    @pytest.mark.any_database
    def test_keeps_everything_at_the_next_start_and_owes_no_trace_and_no_second_look_at_the_password(
        self, hub: RunningHub
    ) -> None:
        with serving(Server(body=b"")) as collector:
            traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": SELDOM}
            hub.environment, usual = {**hub.environment, **traced}, hub.environment
            hub.start("--quickstart")
            paste(f"{printed_curl_line(hub)} -H 'traceparent: 00-{TRACE}-00f067aa0ba902b7-01'")
            wait_until(lambda: state(hub)["statuses"] == ["succeeded"], what="success")
            assert traces_of(collector) == {}
            assert hub.stop() == 0

        # Web server and workers are processes of their own, forked after all was loaded.
        assert traces_of(collector) == {"POST /hooks": TRACE, "log": TRACE}
        hub.output.write_text("")
        hub.environment = usual

        hub.start("--quickstart")

        assert "password" not in hub.output.read_text()
        assert state(hub) == {"events": 1, "statuses": ["succeeded"]}

    @pytest.mark.any_database
    def test_takes_the_administrator_from_the_environment_without_printing_the_password(self, hub: RunningHub) -> None:
        hub.environment = {**hub.environment, "HUB_ADMIN_USERNAME": "olga", "HUB_ADMIN_PASSWORD": "given-pass-77"}
        hub.start("--quickstart")

        assert hub.python(
            "from django.contrib.auth import authenticate\n"
            "print(authenticate(username='olga', password='given-pass-77').is_superuser)"
        ).endswith("True")
        assert "given-pass-77" not in hub.output.read_text()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_ends_cleanly_and_leaves_no_process(self, hub: RunningHub, number: signal.Signals) -> None:
        hub.start()
        children = descendants(hub)
        assert len(children) >= 6
        assert hub.process is not None

        hub.process.send_signal(number)

        assert hub.process.wait(20) == 0
        assert none_left(children)
        assert "Traceback" not in hub.output.read_text()


class TestAKilledHub:
    @pytest.mark.any_database
    def test_leaves_no_process_and_comes_up_at_once(self, hub: RunningHub) -> None:
        hub.start()
        children = descendants(hub)
        assert hub.process is not None

        hub.process.kill()
        hub.process.wait()
        hub.start()

        assert none_left(children)

    @pytest.mark.any_database
    def test_comes_up_after_its_whole_group_was_killed(self, hub: RunningHub) -> None:
        hub.start()
        assert hub.process is not None

        os.killpg(hub.process.pid, signal.SIGKILL)
        hub.process.wait()

        hub.start()

    @pytest.mark.any_database
    def test_replaces_a_cluster_that_is_frozen_by_an_idle_workers_death(self, hub: RunningHub) -> None:
        hub.start("--quickstart")
        line = printed_curl_line(hub)
        cluster = named(hub, "django", "worker")
        main = next(p for p in cluster if p.ppid() == hub.process.pid)  # type: ignore[union-attr]
        sentinel = main.children()[0]
        for process in sentinel.children():
            process.kill()

        paste(line)

        wait_until(lambda: state(hub)["statuses"] == ["succeeded"], seconds=40, what="the handling of the event")

    @pytest.mark.any_database
    def test_replaces_a_web_server_that_was_killed(self, hub: RunningHub) -> None:
        hub.start("--quickstart")
        line = printed_curl_line(hub)
        for process in named(hub, "gunicorn"):
            process.kill()

        # The supervisor holds the listening socket: the connection waits instead of being refused.
        assert paste(line)["status"] == "accepted"


@pytest.mark.any_database
class TestAStart:
    def test_names_a_port_that_another_program_has(self, hub: RunningHub) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", hub.port))
            other.listen()
            hub.start(wait=False)
            assert hub.process is not None
            assert hub.process.wait(30) == 1

        assert hub.output.read_text().strip().splitlines() == [
            f"CommandError: port {hub.port} on 127.0.0.1 is taken by another program; stop it, or set HUB_PORT"
        ]

    def test_names_a_hub_that_is_running_here(self, hub: RunningHub) -> None:
        hub.start()
        assert hub.process is not None

        second = hub.manage("hub", check=False)

        assert second.returncode == 1
        assert f"another hub is running here (process {hub.process.pid})" in second.stderr

    def test_names_unapplied_migrations_instead_of_applying_them(self, hub: RunningHub) -> None:
        hub.manage("migrate", "deliveries", "0056", "--verbosity", "0")

        done = hub.manage("hub", check=False)

        assert done.returncode == 1
        assert re.fullmatch(r"CommandError: unapplied migrations: deliveries\.0057_payload_index.*\n", done.stderr)

    def test_names_a_setting_that_is_missing(self, hub: RunningHub, tmp_path: Path) -> None:
        environment = {**hub.environment, "HUB_PORT": "eighty"}

        done = subprocess.run(
            [sys.executable, "manage.py", "hub"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

        assert done.returncode == 1
        assert done.stderr == "hub: HUB_PORT has to be a whole number from 1 to 65535\n"
