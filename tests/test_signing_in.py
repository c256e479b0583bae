"""Signing in: passwords cannot be guessed without end, and nobody is locked out by others."""

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import reverse

from faceweb import signing_in
from faceweb.signing_in import MOST_ATTEMPTS, WINDOW

pytestmark = pytest.mark.django_db

PASSWORD = "museum-archive-1"
TOO_MANY = "too many attempts to sign in"


@pytest.fixture(autouse=True)
def fresh_count():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A quarter of an hour that has just begun, and does not end during a test."""
    now = [1_800_000_000.0 - 1_800_000_000 % WINDOW]
    monkeypatch.setattr(signing_in.time, "time", lambda: now[0])
    return now


def attempt(client: Client, name: str = "volunteer", password: str = "wrong", **extra) -> str:
    answer = client.post(reverse("login"), {"username": name, "password": password}, **extra)
    return "in" if answer.status_code == 302 else answer.content.decode()


def fail(client: Client, times: int, **extra) -> None:
    for _ in range(times):
        assert TOO_MANY not in attempt(client, **extra)


def test_after_too_many_attempts_even_the_right_password_has_to_wait(client, user, clock) -> None:
    fail(client, MOST_ATTEMPTS)
    page = attempt(client, password=PASSWORD)
    assert TOO_MANY in page and "Wait 15 minutes" in page
    clock[0] += WINDOW - 30
    assert "Wait a minute" in attempt(client, password=PASSWORD)
    clock[0] += 30
    assert attempt(client, password=PASSWORD) == "in"


def test_no_other_password_is_tried_meanwhile(client, user, monkeypatch) -> None:
    fail(client, MOST_ATTEMPTS)
    tried: list[str] = []
    monkeypatch.setattr("django.contrib.auth.forms.authenticate", lambda *a, **k: tried.append("x"))
    assert TOO_MANY in attempt(client) and tried == []


def test_capitals_and_names_that_do_not_exist_count_too(client, user) -> None:
    fail(client, MOST_ATTEMPTS, name="Nobody")
    assert TOO_MANY in attempt(client, name=" nobody")


def test_somebody_elsewhere_or_with_another_name_is_not_held_up(client, user) -> None:
    fail(client, MOST_ATTEMPTS)
    get_user_model().objects.create_user("other", password=PASSWORD)
    assert attempt(Client(), name="other", password=PASSWORD) == "in"
    assert attempt(Client(), password=PASSWORD, REMOTE_ADDR="192.0.2.7") == "in"


def test_an_attempt_that_succeeds_clears_the_count(client, user) -> None:
    for _ in range(2):
        fail(client, MOST_ATTEMPTS - 1)
        assert attempt(client, password=PASSWORD) == "in"
        client.logout()


def test_an_empty_form_is_no_attempt(client, user) -> None:
    for _ in range(MOST_ATTEMPTS + 1):
        assert TOO_MANY not in attempt(client, password="")


def test_the_admin_panel_has_the_same_door(client, admin_user) -> None:
    wanted = reverse("admin:people_person_changelist")
    page = client.get(wanted, follow=True)
    assert page.redirect_chain[-1][0].startswith(reverse("login"))
    again = client.post(reverse("admin:login"), {"username": "admin", "password": "password"})
    assert again.status_code == 302 and again.url.startswith(reverse("login"))
    assert "_auth_user_id" not in client.session
    data = {"username": "admin", "password": "password", "next": page.context["next"]}
    assert client.post(reverse("login"), data, follow=True).redirect_chain[-1][0] == wanted
    client.logout()
    fail(client, MOST_ATTEMPTS, name="admin")
    assert TOO_MANY in attempt(client, name="admin", password="password")


def test_the_admin_panel_sends_nobody_to_another_site(admin_client) -> None:
    answer = admin_client.get(reverse("admin:login"), {"next": "https://example.org/"})
    assert answer.url == reverse("admin:index")


@pytest.mark.parametrize(
    ("behind", "told", "address"),
    [
        (False, "203.0.113.9", "127.0.0.1"),
        (True, "", "127.0.0.1"),
        (True, "203.0.113.9", "203.0.113.9"),
        (True, "1.1.1.1, 203.0.113.9", "203.0.113.9"),
    ],
)
def test_the_address_is_the_one_that_cannot_be_invented(settings, behind, told, address) -> None:
    settings.BEHIND_PROXY = behind
    request = RequestFactory().post("/", headers={"X-Forwarded-For": told})
    assert signing_in.address_of(request) == address


def test_behind_a_proxy_that_the_settings_know_guesses_hold_up_one_browser(
    client, user, settings
) -> None:
    """And behind one that they do not know, everybody, as the documentation says."""
    settings.BEHIND_PROXY = True
    guessing, own = {"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.7"}
    fail(client, MOST_ATTEMPTS, headers=guessing)
    assert TOO_MANY in attempt(client, password=PASSWORD, headers=guessing)
    assert attempt(Client(), password=PASSWORD, headers=own) == "in"
    settings.BEHIND_PROXY = False
    fail(client, MOST_ATTEMPTS, headers=guessing)
    assert TOO_MANY in attempt(Client(), password=PASSWORD, headers=own)


def test_without_the_broker_people_can_still_sign_in(client, user, settings, caplog) -> None:
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "unix:///nowhere/broker.sock"}
    }
    assert attempt(client, password=PASSWORD) == "in"
    assert "cannot be counted" in caplog.text
