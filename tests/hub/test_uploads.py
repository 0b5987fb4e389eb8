"""What a stranger can make the hub write to disk by a form: nothing."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client


@pytest.mark.django_db
class TestAFileInALoginForm:
    def test_is_not_written_to_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        written: list[Any] = []
        original = tempfile.NamedTemporaryFile
        monkeypatch.setattr(
            "tempfile.NamedTemporaryFile", lambda *args, **kwargs: written.append(args) or original(*args, **kwargs)
        )
        large = SimpleUploadedFile("large.bin", b"x" * 3 * 1024 * 1024)

        answer = Client().post("/admin/login/", {"file": large, "username": "ada", "password": "x"})

        assert answer.status_code == 200
        assert written == []
        assert not answer.wsgi_request.FILES
