"""References to secrets: what they may read, and what they never do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.test import override_settings

from integrations.errors import ReferenceMissing
from integrations.references import is_reference, resolve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "github").write_text(" s3cret\n")
    (tmp_path / "outside").write_text("the hub's own key")
    return secrets


class TestAValue:
    @pytest.mark.parametrize("value", ["", "s3cret", "ENV:X", "environment", "https://a.example", "whsec_env:x"])
    def test_is_itself_if_it_is_no_reference(self, value: str) -> None:
        assert not is_reference(value)
        assert resolve(value) == value


class TestAnEnvReference:
    def test_reads_variables_with_the_prefix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUB_SECRET_GITHUB", " s3cret\n")
        assert resolve("env:HUB_SECRET_GITHUB") == "s3cret"

    @pytest.mark.parametrize(
        "name", ["SECRET_KEY", "HUB_ENCRYPTION_KEYS", "PATH", "hub_secret_github", "HUB_SECRET_EMPTY"]
    )
    def test_leads_nowhere_otherwise_and_is_named(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, "" if "EMPTY" in name else "s3cret")
        with pytest.raises(ReferenceMissing, match=f"^env:{name} leads nowhere$"):
            resolve(f"env:{name}")


class TestAFileReference:
    def test_reads_a_file_directly_under_the_folder(self, folder: Path) -> None:
        with override_settings(HUB_SECRETS_DIR=str(folder)):
            assert resolve("file:github") == "s3cret"

    def test_follows_links_that_stay_in_the_folder_as_kubernetes_mounts_them(self, folder: Path) -> None:
        (folder / "..2026_01_01").mkdir()
        (folder / "..2026_01_01" / "stripe").write_text("k8s")
        (folder / "..data").symlink_to("..2026_01_01")
        (folder / "stripe").symlink_to("..data/stripe")
        with override_settings(HUB_SECRETS_DIR=str(folder)):
            assert resolve("file:stripe") == "k8s"

    def test_does_not_follow_links_out_of_the_folder(self, folder: Path) -> None:
        (folder / "absolute").symlink_to(folder.parent / "outside")
        (folder / "relative").symlink_to("../outside")
        (folder / "circle").symlink_to("circle")
        with override_settings(HUB_SECRETS_DIR=str(folder)):
            for name in ("absolute", "relative", "circle"):
                with pytest.raises(ReferenceMissing):
                    resolve(f"file:{name}")

    @pytest.mark.parametrize(
        "name",
        ["../outside", "..", ".", "", "a/b", "/etc/passwd", ".hidden", "github\n", "git\x00hub", "a" * 300, " github"],
    )
    def test_does_not_read_a_name_that_is_none(self, name: str, folder: Path) -> None:
        (folder / ".hidden").write_text("x")
        with override_settings(HUB_SECRETS_DIR=str(folder)), pytest.raises(ReferenceMissing) as failure:
            resolve(f"file:{name}")
        # It may be a secret that only begins like a reference.
        assert str(failure.value) == "a reference is env:HUB_SECRET_NAME or file:NAME"

    def test_leads_nowhere_if_the_file_is_missing_empty_no_text_too_large_or_no_file(self, folder: Path) -> None:
        (folder / "empty").write_text("\n")
        (folder / "latin").write_bytes(b"\xff")
        (folder / "large").write_text("x" * 70_000)
        (folder / "folder").mkdir()
        os.mkfifo(folder / "pipe")
        with override_settings(HUB_SECRETS_DIR=str(folder)):
            for name in ("missing", "empty", "latin", "large", "folder", "pipe"):
                with pytest.raises(ReferenceMissing, match=f"^file:{name} leads nowhere$"):
                    resolve(f"file:{name}")

    def test_does_not_read_the_hubs_own_settings_that_are_mounted_beside_it(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "secret_key").write_text("the hub's own key")
        (folder / "another_name").symlink_to("secret_key")
        monkeypatch.setenv("SECRET_KEY_FILE", f"{folder}/../{folder.name}/secret_key")
        monkeypatch.setenv("MISSING_FILE", str(folder / "missing"))
        with override_settings(HUB_SECRETS_DIR=str(folder)):
            assert resolve("file:github") == "s3cret"
            for name in ("secret_key", "another_name"):
                with pytest.raises(ReferenceMissing):
                    resolve(f"file:{name}")

    def test_leads_nowhere_without_a_folder(self, folder: Path) -> None:
        for setting in ("", str(folder / "missing")):
            with override_settings(HUB_SECRETS_DIR=setting), pytest.raises(ReferenceMissing):
                resolve("file:github")
