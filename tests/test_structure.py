"""What the code's parts may load: the web side stays light."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

HEAVY = {"torch", "transformers", "qdrant_client", "qdrant_edge", "cv2", "onnx"}

WEB = """
import importlib, json, pkgutil, sys
import django
django.setup()
import faceweb.wsgi, faceweb.urls

imported = []
for name in ("people", "search"):
    package = importlib.import_module(name)
    for part in ("models", "forms", "views", "admin", "tasks", "urls"):
        module = importlib.import_module(f"{name}.{part}")
        imported.append(module.__name__)
        for found in pkgutil.iter_modules(getattr(module, "__path__", [])):
            imported.append(importlib.import_module(f"{module.__name__}.{found.name}").__name__)

def patterns(resolver):
    for pattern in resolver.url_patterns:
        if hasattr(pattern, "url_patterns"):
            yield from patterns(pattern)
        else:
            yield pattern.callback

from django.urls import get_resolver
callbacks = list(patterns(get_resolver()))
assert all(callable(callback) for callback in callbacks)
print(json.dumps({
    "imported": imported,
    "callbacks": len(callbacks),
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
}))
"""


def test_the_web_side_starts_without_models_and_index(tmp_path):
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "FACEWEB_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "faceweb.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", WEB], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {"people.models", "people.tasks", "search.views"} <= set(report["imported"])
    assert report["callbacks"] > 20
    assert "django" in report["modules"]
    assert HEAVY & set(report["modules"]) == set()
