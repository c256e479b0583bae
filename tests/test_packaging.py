"""What stands beside the code and would go stale unseen: containers, requirements, links."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.conf import settings as own_settings

from faceweb.management.commands.start import _parts
from faceweb.recognition import calibration
from faceweb.recognition.embedders import get_spec
from people.services import scoring

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OWN = ("web", "worker", "migrate")

# What the images of others understand.
THIRD_PARTY = {
    "postgres": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE"},
    "redis": set(),
    "qdrant": {"QDRANT__TELEMETRY_DISABLED"},
}
# What is not for docker-compose.yml to pass on, and why.
NOT_PASSED_ON = {
    "FACEWEB_SECRET_KEY": "comes as a secret, in a file",
    "FACEWEB_ADMIN_PASSWORD": "only `manage.py start` makes the first account",
    "FACEWEB_ADMIN_PASSWORD_FILE": "the same",
    "FACEWEB_DEBUG": "shows what nobody outside may see",
    "FACEWEB_DATA_DIR": "the image says where, and the volumes are mounted there",
    "FACEWEB_WEIGHTS_DIR": "a volume is mounted where it is anyway",
}
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> set[str]:
    """Every variable that the settings read, asked of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import faceweb.settings, faceweb.env; print(*faceweb.env.READ)"],
        cwd=ROOT,
        env={
            "PATH": os.environ.get("PATH", ""),
            "FACEWEB_DATA_DIR": str(tmp_path_factory.mktemp("d")),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


# --- containers ---------------------------------------------------------------------------------


def test_all_parts_are_services():
    assert set(SERVICES) == {*OWN, *THIRD_PARTY}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_are_given_only_variables_that_are_read(name, known):
    given = set(SERVICES[name].get("environment", {}))
    assert given - THIRD_PARTY.get(name, known) == set()


def test_the_compose_file_takes_only_variables_that_are_known(known):
    text = (ROOT / "docker-compose.yml").read_text()
    taken = set(re.findall(r"(?<!\$)\$\{([A-Z_0-9]+)", text))
    assert taken - known == {"PIP_EXTRA_INDEX_URL"}


def test_every_variable_of_the_documentation_is_passed_on():
    text = (ROOT / "docs" / "configuration.md").read_text()
    told = set(re.findall(r"^\| `(FACEWEB_[A-Z_]+)` ", text, flags=re.MULTILINE))
    given = {name for own in OWN for name in SERVICES[own]["environment"]}
    assert told - given == set(NOT_PASSED_ON)


def test_what_both_sides_read_is_passed_on_to_both():
    """What decides who is a match, and until when something is kept, must not differ."""
    both = {"FACEWEB_EMBEDDER", "FACEWEB_MATCH_FMR", "FACEWEB_POSSIBLE_FMR",
            "FACEWEB_SEARCH_RETENTION", "FACEWEB_PERSON_GRACE"}  # fmt: skip
    for name in ("web", "worker"):
        assert both <= set(SERVICES[name]["environment"])


def test_commands_that_look_at_photos_are_run_where_the_settings_of_detection_are():
    text = (ROOT / "docs" / "docker.md").read_text().replace("\\\n", "")
    told = re.findall(r"^ {4}docker compose .* (\w+) +python manage\.py (\w+)", text, re.MULTILINE)
    services = {command: service for service, command in told}
    assert services["evaluate"] == services.get("calibrate", "worker") == "worker"
    assert "FACEWEB_DETECTOR" in SERVICES["worker"]["environment"]


def test_each_part_of_faceweb_has_the_same_addresses_and_key():
    shared = {"FACEWEB_SECRET_KEY_FILE", "DATABASE_URL_FILE", "REDIS_URL", "QDRANT_URL"}
    for variable in shared:
        assert len({SERVICES[name]["environment"][variable] for name in OWN}) == 1


def _options(words: list[str]) -> dict[str, str]:
    """The options of a command line, each with the word behind it if that is no option."""
    followers = [*words[1:], "--"]
    return {
        word: "" if after.startswith("--") else after.strip('"')
        for word, after in zip(words, followers, strict=True)
        if word.startswith("--")
    }


def _embedded(name: str, settings):
    """A part as `manage.py start` runs it."""
    # With an address, no broker is made ready, which would take the tests' own socket away.
    settings.REDIS_URL = "redis://elsewhere"
    return next(part for part in _parts() if part.name == name)


def test_the_worker_has_the_options_of_the_embedded_one(settings):
    embedded = _embedded("worker", settings)
    words = SERVICES["worker"]["command"][-1].split()
    mine, theirs = _options(words), _options(embedded.command)
    # Each container's worker needs a node name of its own: Celery takes the host's.
    theirs.pop("--hostname")
    assert mine == theirs
    assert mine["--queues"].split(",") == list(settings.FACEWEB_QUEUES)
    for name, value in embedded.environment.items():
        assert f"{name}={value}" in words
    assert "hostname" not in SERVICES["worker"]


def test_the_web_server_has_the_options_of_the_embedded_one(settings):
    embedded = _embedded("web", settings)
    dockerfile = (ROOT / "Dockerfile").read_text().replace("\\\n", "")
    (command,) = re.findall(r"^CMD \[(.+)\]$", dockerfile, flags=re.MULTILINE)
    mine, theirs = _options(re.findall(r'"([^"]*)"', command)), _options(embedded.command)
    for both in (mine, theirs):  # these two are for each to choose
        both.pop("--bind")
        both.pop("--workers")
    assert mine == theirs


def test_volumes_networks_and_secrets_that_are_used_are_declared():
    for service in SERVICES.values():
        named = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert named <= set(COMPOSE["volumes"])
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
        files = [v for k, v in service.get("environment", {}).items() if k.endswith("_FILE")]
        assert {Path(file).name for file in files} <= set(service.get("secrets", []))


def test_nothing_but_the_web_can_be_reached_from_outside():
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name, service in SERVICES.items():
        if name != "web":
            assert service["networks"] == ["inside"]
            assert "ports" not in service


def test_services_that_are_waited_for_say_when_they_are_healthy():
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "test" in SERVICES[name]["healthcheck"]


def test_the_image_is_made_of_what_is_here_and_holds_no_secrets():
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    ignored = set((ROOT / ".dockerignore").read_text().split())
    for line in lines:
        if line.startswith("COPY "):
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), f"{source} is copied into the image"
                assert source not in ignored
    assert {".env", "data", "secrets", ".git"} <= ignored
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["faceweb"]


# --- requirements -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(p.name for p in ROOT.glob("requirements*.txt")))
def test_every_requirement_is_pinned(name):
    for line in (ROOT / name).read_text().splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted:
            assert re.fullmatch(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.]*", wanted)


def test_what_make_installs_is_here():
    """The files that the Makefile and the Dockerfile name."""
    for text in ((ROOT / "Makefile").read_text(), (ROOT / "Dockerfile").read_text()):
        for name in set(re.findall(r"\b(?:requirements[a-z-]*|constraints)\.txt", text)):
            assert (ROOT / name).is_file(), f"{name} is missing"


# --- continuous integration ---------------------------------------------------------------------


def test_the_build_server_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[0].endswith("bash")
    assert "set -euo pipefail" in lines
    assert lines[-1] == "exec make test"


# --- documents ----------------------------------------------------------------------------------


def _links(document: Path, *, pictures: bool) -> list[str]:
    """The relative targets of a document's links, or of its pictures."""
    return [
        target.partition("#")[0]
        for mark, target in _LINK.findall(document.read_text())
        if bool(mark) == pictures and not re.match(r"[a-z]+:|#", target)
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in _links(document, pictures=False):
        assert (document.parent / target).exists(), target


def test_pictures_are_there():
    for document in DOCUMENTS:
        for target in _links(document, pictures=True):
            assert (document.parent / target).is_file(), target


def test_the_readme_names_the_thresholds_in_use():
    spec = get_spec(own_settings.FACEWEB_EMBEDDER)
    known = calibration.shipped(spec.slug, spec.version)
    scale = scoring.Scale(spec.slug, spec.version, known, scoring.default_rates())
    sizes = [scale.thresholds(size) for size in (500, 5_000, 100_000)]
    text = (ROOT / "README.md").read_text()
    for verdict in ("match", "possible"):
        row = next(line for line in text.splitlines() if line.startswith(f"| {verdict} |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2:] == [f"{getattr(one, verdict):.3f}" for one in sizes]
