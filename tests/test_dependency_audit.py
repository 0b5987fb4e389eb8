"""The audit of the pinned packages: a known hole fails, an index that nobody can reach is said and does not."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.dependency_audit import audit, judged

pytestmark = pytest.mark.any_database
HOLE = {
    "id": "PYSEC-0000-1",
    "summary": "Anybody may do anything.",
    "affected": [
        {
            "package": {"name": "holey", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
        }
    ],
}


class Index(BaseHTTPRequestHandler):
    """Answers as OSV does; it knows of one hole."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"vulns": [HOLE]} if asked["package"]["name"] == "holey" else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


class TestTheAudit:
    def ask(self, folder: Path, address: str, text: str) -> tuple[int, str]:
        pinned = folder / "requirements.txt"
        pinned.write_text(text)
        return audit([str(pinned)], "--vulnerability-service", "osv", "--osv-url", address)

    def test_fails_at_a_known_hole_and_names_what_mends_it(self, tmp_path: Path) -> None:
        with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            address = f"http://127.0.0.1:{server.server_port}/"
            found = self.ask(tmp_path, address, "holey==1.0\nwhole==3.1\n")
            server.shutdown()
        assert found == (
            1,
            "audit: 2 of 2 packages asked for, 1 known holes\nholey 1.0: PYSEC-0000-1, mended in 2.0",
        )

    def test_says_what_nothing_mends_yet_and_goes_on(self) -> None:
        hole = {"id": "PYSEC-0000-2", "fix_versions": []}
        code, text = judged([{"name": "holey", "version": "1.0", "vulns": [hole]}])
        assert (code, text.splitlines()[-1]) == (0, "holey 1.0: PYSEC-0000-2, mended in none")

    def test_says_that_it_was_not_done_where_the_index_is_away(self, tmp_path: Path) -> None:
        code, text = self.ask(tmp_path, "http://127.0.0.1:9/", "holey==1.0\n")
        assert code == 0
        assert text.startswith("audit: NOT DONE, the index of known holes cannot be asked: ")

    def test_says_which_packages_the_index_does_not_know(self) -> None:
        code, text = judged([{"name": "ours", "skip_reason": "not found"}, {"name": "a", "version": "1", "vulns": []}])
        assert code == 0
        assert "audit: 1 of 2 packages asked for" in text
        assert "NOT ASKED FOR, the index does not know them: ours" in text
