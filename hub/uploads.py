"""Files in forms: no page takes any."""

from __future__ import annotations

from typing import Any, NoReturn

from django.core.files.uploadhandler import FileUploadHandler, StopUpload


class NoFiles(FileUploadHandler):
    """Ends a form at its first file. Django would write files of any size to disk, also for a stranger's login."""

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Stop reading; the fields before the file are the form."""
        raise StopUpload(connection_reset=True)

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        """Take nothing; not called, as no file begins."""
        return None

    def file_complete(self, file_size: int) -> None:
        """Return no file; not called, as no file begins."""
