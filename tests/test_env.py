"""The readers of environment variables, and that every variable is documented."""

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from faceweb import env

ROOT = Path(__file__).resolve().parent.parent
NAME = "THING_FOR_TESTS"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    monkeypatch.setattr(env, "READ", set())
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.delenv(f"{NAME}_FILE", raising=False)


def test_text_is_stripped_and_empty_means_default(monkeypatch):
    assert env.text(NAME, "default") == "default"
    monkeypatch.setenv(NAME, "  a value ")
    assert env.text(NAME, "default") == "a value"
    monkeypatch.setenv(NAME, "   ")
    assert env.text(NAME, "default") == "default"


def test_what_is_read_is_remembered():
    env.text(NAME)
    env.secret("OTHER_THING_FOR_TESTS")
    assert {NAME, "OTHER_THING_FOR_TESTS", "OTHER_THING_FOR_TESTS_FILE"} == env.READ


# --- secrets ------------------------------------------------------------------------------------


def test_a_secret_comes_from_its_variable_or_the_default(monkeypatch):
    assert env.secret(NAME, "default") == "default"
    monkeypatch.setenv(NAME, "word")
    assert env.secret(NAME, "default") == "word"


def test_a_secret_comes_from_the_file_that_is_named(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("word\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    assert env.secret(NAME, "default") == "word"


def test_a_secret_given_twice_is_refused(monkeypatch, tmp_path):
    (tmp_path / "secret").write_text("word")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv(NAME, "another")
    with pytest.raises(ImproperlyConfigured, match=rf"{NAME} or {NAME}_FILE"):
        env.secret(NAME)


def test_a_secret_file_that_cannot_be_read_is_refused(monkeypatch, tmp_path):
    for path in (tmp_path / "absent", tmp_path):
        monkeypatch.setenv(f"{NAME}_FILE", str(path))
        with pytest.raises(ImproperlyConfigured, match=rf"{NAME}_FILE.*{re.escape(str(path))}"):
            env.secret(NAME)


def test_a_secret_file_that_is_no_text_is_refused(monkeypatch, tmp_path):
    (tmp_path / "secret").write_bytes(b"\xff\xfe\x80")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))
    with pytest.raises(ImproperlyConfigured, match=f"{NAME}_FILE"):
        env.secret(NAME)


# --- numbers, switches, lengths of time ---------------------------------------------------------


@pytest.mark.parametrize(("value", "result"), [("1", 1), ("10", 10), (" 7 ", 7), ("", 5)])
def test_whole_numbers_within_the_limits_are_read(monkeypatch, value, result):
    monkeypatch.setenv(NAME, value)
    assert env.integer(NAME, 5, least=1, most=10) == result


@pytest.mark.parametrize("value", ["0", "11", "-3", "2.5", "ten", "1e1", "0x5", "5 6", "99999999"])
def test_other_numbers_are_refused_by_name_with_the_limits(monkeypatch, value):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"{NAME} must be .* 1 to 10"):
        env.integer(NAME, 5, least=1, most=10)


def test_negative_numbers_are_read_where_they_are_allowed(monkeypatch):
    monkeypatch.setenv(NAME, "-3")
    assert env.integer(NAME, 5, least=-4, most=10) == -3


@pytest.mark.parametrize(("value", "result"), [("1e-4", 1e-4), ("0.01", 0.01), ("", 0.001)])
def test_rates_are_read(monkeypatch, value, result):
    monkeypatch.setenv(NAME, value)
    assert env.rate(NAME, 0.001, least=1e-9, most=0.1) == result


@pytest.mark.parametrize("value", ["0", "-1", "0.2", "nan", "inf", "1 in 10", "1%"])
def test_other_rates_are_refused_by_name(monkeypatch, value):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"{NAME} must be .*0\.1"):
        env.rate(NAME, 0.001, least=1e-9, most=0.1)


@pytest.mark.parametrize("default", [True, False])
def test_switches_are_read_in_any_case(monkeypatch, default):
    for value in ("1", "true", "Yes", "ON"):
        monkeypatch.setenv(NAME, value)
        assert env.boolean(NAME, default) is True
    for value in ("0", "False", "no", "OFF"):
        monkeypatch.setenv(NAME, value)
        assert env.boolean(NAME, default) is False
    monkeypatch.setenv(NAME, "")
    assert env.boolean(NAME, default) is default


@pytest.mark.parametrize("value", ["maybe", "2", "y es", "-"])
def test_other_switches_are_refused_by_name(monkeypatch, value):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be yes or no"):
        env.boolean(NAME, True)


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ("90s", timedelta(seconds=90)),
        ("30m", timedelta(minutes=30)),
        ("24H", timedelta(hours=24)),
        ("7 d", timedelta(days=7)),
        ("", timedelta(hours=1)),
    ],
)
def test_lengths_of_time_are_read(monkeypatch, value, result):
    monkeypatch.setenv(NAME, value)
    assert env.duration(NAME, timedelta(hours=1)) == result


@pytest.mark.parametrize(
    "value",
    ["7", "d", "0s", "-1d", "1.5h", "2w", "1h30m", "999999d", "99999999999d"],
)
def test_other_lengths_of_time_are_refused_by_name(monkeypatch, value):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"{NAME} must be .*24h"):
        env.duration(NAME, timedelta(hours=1))


# --- folders, words, choices, addresses ---------------------------------------------------------


def test_folders_are_made_absolute(monkeypatch, tmp_path):
    assert env.folder(NAME, tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(NAME, "below/it")
    assert env.folder(NAME, Path("/nowhere")) == tmp_path / "below" / "it"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(NAME, "~/photos")
    assert env.folder(NAME, Path("/nowhere")) == tmp_path / "photos"


def test_the_home_of_nobody_is_refused_by_name(monkeypatch):
    monkeypatch.setenv(NAME, "~no-such-user-anywhere/photos")
    with pytest.raises(ImproperlyConfigured, match=NAME):
        env.folder(NAME, Path("/nowhere"))


def test_words_are_split_at_commas(monkeypatch):
    assert env.words(NAME) == []
    monkeypatch.setenv(NAME, " one, two ,,three,")
    assert env.words(NAME) == ["one", "two", "three"]


def test_a_choice_is_one_of_those_allowed(monkeypatch):
    assert env.choice(NAME, "red", ("red", "blue")) == "red"
    monkeypatch.setenv(NAME, "blue")
    assert env.choice(NAME, "red", ("red", "blue")) == "blue"
    monkeypatch.setenv(NAME, "green")
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} must be one of red, blue"):
        env.choice(NAME, "red", ("red", "blue"))


def test_addresses_are_read_from_the_variable_or_its_file(monkeypatch, tmp_path):
    assert env.url(NAME, schemes=("redis",)) == ""
    assert env.url(NAME, schemes=("redis",), default="redis://here") == "redis://here"
    monkeypatch.setenv(NAME, "rediss://user:word@host:6379/0")
    assert env.url(NAME, schemes=("redis", "rediss")) == "rediss://user:word@host:6379/0"
    monkeypatch.delenv(NAME)
    (tmp_path / "address").write_text("redis://from-file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "address"))
    assert env.url(NAME, schemes=("redis",)) == "redis://from-file"


@pytest.mark.parametrize("value", ["host:6379", "ftp://host", "//host", "redis", "redis://[::1"])
def test_other_addresses_are_refused_by_name(monkeypatch, value):
    monkeypatch.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"{NAME} must be .*redis://"):
        env.url(NAME, schemes=("redis", "rediss"))


def test_the_password_in_a_refused_address_is_not_shown(monkeypatch):
    monkeypatch.setenv(NAME, "postgre://user:hunter2@host/db")
    with pytest.raises(ImproperlyConfigured) as caught:
        env.url(NAME, schemes=("postgres",))
    assert "hunter2" not in str(caught.value)


# --- settings -----------------------------------------------------------------------------------


def settings_in_a_process_of_their_own(folder: Path, code: str, **variables: str):
    """Import faceweb.settings with nothing configured but these variables."""
    environment = {"PATH": os.environ.get("PATH", ""), "FACEWEB_DATA_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", f"import faceweb.settings, faceweb.env\n{code}"],
        env=environment | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("FACEWEB_DEBUG", "perhaps"),
        ("FACEWEB_MAX_MEGAPIXELS", "0"),
        ("FACEWEB_SEARCH_RETENTION", "forever"),
        ("FACEWEB_EMBEDDER", "nonesuch"),
        ("FACEWEB_EMBEDDER", "onnx:"),
        ("FACEWEB_EMBEDDER", "onnx:model.pt"),
        ("FACEWEB_EMBEDDER", f"onnx:{'x' * 200}.onnx"),
        ("DATABASE_URL", "mysql://host/db"),
        ("STORAGE_URL", "s3:///no-bucket"),
    ],
)
def test_a_nonsensical_setting_is_refused_by_name(tmp_path, name, value):
    done = settings_in_a_process_of_their_own(tmp_path, "", **{name: value})
    assert done.returncode == 1
    assert re.search(rf"ImproperlyConfigured: .*\b{name}\b", done.stderr)


def test_the_data_folder_is_closed_to_other_accounts(tmp_path):
    settings_in_a_process_of_their_own(tmp_path / "new" / "data", "")
    assert (tmp_path / "new" / "data").stat().st_mode & 0o077 == 0


def test_a_data_folder_of_another_account_is_refused_in_a_sentence(tmp_path):
    # Root may write everywhere, so the answer of the system is given here.
    code = "import importlib, os; os.access = lambda *_, **__: False"
    done = settings_in_a_process_of_their_own(
        tmp_path, f"{code}; importlib.reload(faceweb.settings)"
    )
    assert done.returncode and "belongs to another account" in done.stderr
    assert "FACEWEB_DATA_DIR" in done.stderr.splitlines()[-1]


def variables_read(folder: Path) -> set[str]:
    code = "print(*faceweb.env.READ)"
    done = settings_in_a_process_of_their_own(folder, code)
    assert done.returncode == 0, done.stderr
    elsewhere = set()
    for package in ("faceweb", "people", "search"):
        for path in (ROOT / package).rglob("*.py"):
            found = re.findall(r"""environ\W+(?:get\W+)?["']([A-Z_0-9]+)["']""", path.read_text())
            elsewhere |= set(found)
    return set(done.stdout.split()) | elsewhere


def test_every_variable_is_in_the_example_and_nothing_else_is(tmp_path):
    example = (ROOT / ".env.example").read_text()
    listed = set(re.findall(r"^(?:#\s*)?([A-Z][A-Z0-9_]*)=", example, flags=re.MULTILINE))
    read = variables_read(tmp_path)
    assert {name for name in read if not name.endswith("_FILE")} - listed == set()
    assert listed - read == set()


def test_every_variable_is_in_the_documentation_and_nothing_else_is(tmp_path):
    text = (ROOT / "docs" / "configuration.md").read_text()
    named = set(re.findall(r"`([A-Z][A-Z0-9_]*)(?:=[^`]*)?`", text))
    read = variables_read(tmp_path)
    from_files = {name for name in read if name.endswith("_FILE")}
    assert read - from_files - named == set()
    assert from_files <= named or "`_FILE`" in text
    # Names in the first column of a table, and all that begin with ours, must be real.
    columns = set(re.findall(r"^\|\s*`([A-Z][A-Z0-9_]*)`", text, flags=re.MULTILINE))
    claimed = columns | {name for name in named if name.startswith("FACEWEB_")}
    assert claimed - read == set()
