"""The systemd units and the Kubernetes manifests: they are valid, and keep what the documents promise of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema import ValidationError
from ruamel.yaml import YAML

from hub import env
from tests import kubernetes_schemas
from tests.kubernetes_schemas import RELEASES
from tests.running_hub import ROOT
from tests.test_deployment import checked, made_secrets

pytestmark = pytest.mark.any_database
SYSTEMD = ROOT / "docs" / "deployment" / "systemd"
KUBERNETES = ROOT / "docs" / "deployment" / "kubernetes"
SERVICES = ("hub-web.service", "hub-worker.service", "hub-backup.service")
#: Of a definition that KEDA brings along: no schema of Kubernetes' own.
FOREIGN = {"ScaledObject"}


def directives(name: str) -> dict[str, list[str]]:
    """Return the values of each directive of a unit, in order."""
    found: dict[str, list[str]] = {}
    for line in (SYSTEMD / name).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(\w+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def runnable(folder: Path, units: dict[str, str]) -> list[str]:
    """Write ``units`` to ``folder`` with a program that is on this machine, and return their paths."""
    for name, text in units.items():
        text = re.sub(r"/srv/hub/\.venv/bin/\w+", "/bin/true", text)
        (folder / name).write_text(text.replace("WorkingDirectory=/srv/hub", "WorkingDirectory=/"))
    return sorted(map(str, folder.iterdir()))


def ours() -> dict[str, str]:
    """Return the units that are files, by name."""
    return {path.name: path.read_text(encoding="utf-8") for path in SYSTEMD.iterdir()}


def shown(page: str) -> list[str]:
    """Return the units that a page shows."""
    text = (ROOT / "docs" / "how-to" / page).read_text(encoding="utf-8")
    return re.findall(r"^```ini\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def asked(*arguments: str) -> str:
    """Return what ``systemd-analyze`` says; it fails where a unit is not good enough."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


class TestUnits:
    def test_are_taken_by_systemd_without_a_word(self, tmp_path: Path) -> None:
        assert asked("verify", "--man=no", *runnable(tmp_path, ours())) == ""

    def test_of_the_pages_are_taken_by_systemd_without_a_word(self, tmp_path: Path) -> None:
        (hub,), (backup, timer) = shown("deploy.md"), shown("back-up-and-restore.md")
        units = {"hub.service": hub, "hub-backup.service": backup, "hub-backup.timer": timer}
        assert asked("verify", "--man=no", *runnable(tmp_path, units)) == ""

    def test_would_be_found_fault_with(self, tmp_path: Path) -> None:
        wrong = {"hub.service": shown("deploy.md")[0].replace("KillMode=mixed", "KillMode=mixd\nRestartSecs=2")}
        said = asked("verify", "--man=no", *runnable(tmp_path, wrong))
        assert "kill mode" in said
        assert "RestartSecs" in said

    def test_are_exposed_to_little_by_systemds_own_measure(self, tmp_path: Path) -> None:
        for path in runnable(tmp_path, ours()):
            if path.endswith(".service"):
                asked("security", "--offline=true", "--threshold=20", path)

    @pytest.mark.parametrize("name", SERVICES)
    def test_write_to_the_state_directory_alone_and_gain_no_rights(self, name: str) -> None:
        found = directives(name)
        assert found["ProtectSystem"] == ["strict"]
        assert found["NoNewPrivileges"] == ["yes"]
        assert found["CapabilityBoundingSet"] == [""]
        assert found["StateDirectory"][0].split()[0] == "hub"
        assert "ReadWritePaths" not in found
        assert found["MemoryMax"] == ["1G"]

    def test_leave_more_time_to_stop_than_the_hub_takes(self) -> None:
        most = int(env.declared()["HUB_STOP_SECONDS"].default) + 5
        for name in ("hub-web.service", "hub-worker.service"):
            assert int(directives(name)["TimeoutStopSec"][0]) > most
            assert directives(name)["KillMode"] == ["mixed"]

    def test_run_programs_and_commands_that_there_are(self) -> None:
        started = {name: directives(name)["ExecStart"][0].removeprefix("/srv/hub/.venv/bin/") for name in SERVICES}
        assert started == {
            "hub-web.service": "gunicorn --config python:hub.gunicorn hub.wsgi",
            "hub-worker.service": "python manage.py worker",
            "hub-backup.service": "python manage.py backup /var/lib/hub/backups --keep 14",
        }


def manifests() -> Iterator[Any]:
    for path in sorted(KUBERNETES.glob("*.yaml")):
        yield from YAML(typ="safe").load_all(path)


def named(kind: str, name: str) -> Any:
    return next(each for each in manifests() if (each["kind"], each["metadata"]["name"]) == (kind, name))


def pods() -> dict[str, Any]:
    found = (each for each in manifests() if each["kind"] in {"Deployment", "Job"})
    return {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in found}


def containers(pod: Any) -> list[Any]:
    return [*pod.get("initContainers", []), *pod["containers"]]


class TestManifests:
    @pytest.mark.parametrize("release", RELEASES)
    def test_are_what_kubernetes_takes(self, release: str) -> None:
        checked = [each for each in manifests() if each["kind"] not in FOREIGN]
        for each in checked:
            kubernetes_schemas.validate(each, release)
        assert len(checked) == 8

    @pytest.mark.parametrize(
        ("kind", "name", "path", "value"),
        [
            ("Deployment", "hub-web", ("spec", "replcas"), 2),
            ("Deployment", "hub-web", ("spec", "replicas"), "two"),
            ("Deployment", "hub-web", ("spec", "selector"), None),
            ("Deployment", "hub-web", ("spec", "template", "spec", "containers"), None),
            ("Deployment", "hub-worker", ("spec", "template", "spec", "securityContext", "runAsRoot"), False),
            ("Job", "hub-migrate", ("spec", "backoffLimits"), 2),
            ("Service", "hub", ("spec", "ports"), [{"port": "http"}]),
            ("Ingress", "hub", ("spec", "rules"), [{"http": {"paths": [{"path": "/"}]}}]),
            ("PodDisruptionBudget", "hub-web", ("spec", "maxUnavailabl"), 1),
            ("ConfigMap", "hub", ("data", "HUB_WORKERS"), 2),
            ("Deployment", "hub-web", ("apiVersion",), "apps/v1beta1"),
        ],
    )
    @pytest.mark.parametrize("release", RELEASES)
    def test_would_be_refused(self, kind: str, name: str, path: tuple[str, ...], value: object, release: str) -> None:
        wrong = inner = named(kind, name)
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        if value is None:
            del inner[path[-1]]
        with pytest.raises(ValidationError):
            kubernetes_schemas.validate(wrong, release)

    def test_run_everything_read_only_and_without_rights(self) -> None:
        assert set(pods()) == {"hub-migrate", "hub-web", "hub-worker"}
        for name, pod in pods().items():
            assert pod["securityContext"]["runAsNonRoot"] is True, name
            assert pod["securityContext"]["runAsUser"] == 10001, name
            assert pod["automountServiceAccountToken"] is False, name
            for each in containers(pod):
                assert each["securityContext"] == {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                }, name
                assert "memory" in each["resources"]["limits"], name

    def test_keep_the_services_variables_away_from_the_settings(self) -> None:
        # A Service named hub makes HUB_PORT=tcp://..., which is no port.
        assert named("Service", "hub")
        assert all(pod["enableServiceLinks"] is False for pod in pods().values())

    def test_name_settings_that_there_are(self) -> None:
        data = named("ConfigMap", "hub")["data"]
        assert {name.removesuffix("_FILE") for name in data} <= set(env.declared())

    @pytest.mark.parametrize("role", ["owner", "web", "worker"])
    def test_give_settings_with_which_the_hub_starts_and_has_nothing_to_warn_of(
        self, role: str, tmp_path: Path
    ) -> None:
        secrets = made_secrets(tmp_path)
        (secrets / f"{role}_url").rename(secrets / "database_url")  # as the page has it
        data = named("ConfigMap", "hub")["data"]

        assert checked({key: value.replace("/run/secrets/hub", str(secrets)) for key, value in data.items()}) == ""

    def test_give_each_process_its_own_role_in_the_database(self) -> None:
        secrets = {name: pod["volumes"][0]["secret"]["secretName"] for name, pod in pods().items()}
        assert secrets == {"hub-migrate": "hub-owner", "hub-web": "hub-web", "hub-worker": "hub-worker"}

    def test_start_no_pod_before_its_migrations(self) -> None:
        for name in ("hub-web", "hub-worker"):
            first = pods()[name]["initContainers"][0]
            assert first["command"] == ["python", "manage.py", "migrate", "--check"]

    def test_ask_web_pods_for_nothing_that_workers_could_owe(self) -> None:
        container = pods()["hub-web"]["containers"][0]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            asked_for = container[probe]["httpGet"]
            assert asked_for["path"] == "/health/live"
            assert asked_for["httpHeaders"][0]["value"] == named("ConfigMap", "hub")["data"]["ALLOWED_HOSTS"]

    def test_lead_from_the_ingress_to_a_web_pod(self) -> None:
        backend = named("Ingress", "hub")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
        service = named("Service", backend["name"])
        pod = named("Deployment", "hub-web")["spec"]["template"]
        assert backend["port"]["name"] == service["spec"]["ports"][0]["name"]
        assert service["spec"]["selector"] == pod["metadata"]["labels"]
        assert service["spec"]["ports"][0]["targetPort"] == pod["spec"]["containers"][0]["ports"][0]["name"]

    def test_send_the_self_check_through_the_service_of_the_web_pods(self) -> None:
        to = urlsplit(named("ConfigMap", "hub")["data"]["HUB_SELF_CHECK_URL"])
        service = named("Service", to.hostname or "")
        assert (to.scheme, to.path) == ("http", "")
        assert (to.port or 80) in {port["port"] for port in service["spec"]["ports"]}
        assert service["spec"]["selector"] == named("Deployment", "hub-web")["spec"]["template"]["metadata"]["labels"]

    def test_scale_workers_by_the_age_of_the_queue(self) -> None:
        scaled = named("ScaledObject", "hub-worker")["spec"]
        assert scaled["scaleTargetRef"]["name"] == "hub-worker"
        assert "hub_queue_age_seconds" in scaled["triggers"][0]["metadata"]["query"]
        # The number of replicas is the scaler's: an `apply` would set it back.
        assert "replicas" not in named("Deployment", "hub-worker")["spec"]

    def test_keep_all_but_one_pod_while_a_node_is_emptied(self) -> None:
        for name in ("hub-web", "hub-worker"):
            budget = named("PodDisruptionBudget", name)["spec"]
            assert budget["maxUnavailable"] == 1
            assert budget["selector"] == named("Deployment", name)["spec"]["selector"]
