"""The hub's own settings for a test run: fixed keys, a database of its own, fast password hashes.

``TEST_DATABASE_URL`` names a PostgreSQL server to test on; without it the tests run on SQLite. What else stands in the
environment, or in ``.env``, counts: ``HUB_AUTOMATIONS`` above all.
"""

import os
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet

_FOLDER = Path(tempfile.mkdtemp(prefix="hub-test-"))

os.environ.update(
    SECRET_KEY="only-for-tests-" + "x" * 50,
    HUB_ENCRYPTION_KEYS=Fernet.generate_key().decode(),
    HUB_BASE_URL="http://testserver",
    HUB_ALLOW_HTTP="true",
    ALLOWED_HOSTS="testserver,127.0.0.1,localhost",
)
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or f"sqlite:///{_FOLDER / 'unused.sqlite3'}"

from hub.settings import *  # noqa: E402, F403
from hub.settings import _SQLITE, DATABASES  # noqa: E402

if _SQLITE:
    # A file, not memory: threads and other processes take part in the tests.
    DATABASES["default"]["TEST"] = {"NAME": str(_FOLDER / "test.sqlite3")}
else:
    # Threads of a test end with it; kept connections would hold the test database open.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
# whitenoise warns of a folder that is not there.
STATIC_ROOT = _FOLDER / "static"
STATIC_ROOT.mkdir()
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
