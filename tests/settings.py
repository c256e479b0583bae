"""Settings for tests: a data folder of their own, plain static files, quick passwords."""

import os
import tempfile
from pathlib import Path

_folder = os.environ.setdefault("FACEWEB_TEST_DIR", tempfile.mkdtemp(prefix="faceweb-test-"))
os.environ["FACEWEB_DATA_DIR"] = _folder
for _name in ("DATABASE_URL", "REDIS_URL", "STORAGE_URL"):
    # A developer's own services are used in tests only when they are named for tests.
    os.environ.pop(_name, None)
    if _value := os.environ.get(f"TEST_{_name}"):
        os.environ[_name] = _value

from faceweb.settings import *  # noqa: E402, F403

STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DATA_DIR = Path(_folder)
STATIC_ROOT.mkdir(exist_ok=True)  # noqa: F405
