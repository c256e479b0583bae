"""Reviewing in a real Chromium: unknown people named at once, suggestions answered by key."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import many_photos
from tests.e2e.running import PASSWORD, Running, running
from tests.e2e.test_browser import fits
from tests.e2e.test_browser import page as page  # the same browser, on desktop and phone

pytestmark = pytest.mark.browser


@pytest.fixture
def unnamed_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two people with four faces each, and no names."""
    folder = tmp_path_factory.mktemp("review")
    with running(folder / "data") as instance:
        instance.answer("import_photos", str(many_photos(folder / "photos", 8)))
        yield instance


def test_groups_are_named_and_suggestions_answered_and_undone(
    unnamed_site: Running, page: Page
) -> None:
    site = unnamed_site
    page.goto(f"{site.url}/login/?next=/unknown/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    groups = page.locator(".groups li")
    for _ in range(60):  # the worker groups what was imported
        if groups.count() == 2:
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(groups).to_have_count(2)
    assert fits(page)

    # One face is named in its photo; the others like it are suggested.
    page.locator(".groups a").first.click()
    assert fits(page)
    page.locator(".pick a").first.click()
    page.locator("[id^=face-edit-]").first.click()
    page.fill("[id^=face-label-] input[name=name]", "Somebody Known")
    page.keyboard.press("Enter")
    expect(page.locator("[id^=face-label-] a", has_text="Somebody Known")).to_be_visible()
    question = page.get_by_role("heading", name="Is this Somebody Known?")
    left = page.locator(".review-left")
    for _ in range(60):
        page.goto(f"{site.url}/review/")
        if question.count() and left.inner_text() == "3 left":
            break
        page.wait_for_timeout(500)
    expect(left).to_have_text("3 left")
    assert fits(page)

    page.keyboard.press("y")
    expect(page.locator(".review-said")).to_contain_text("is Somebody Known")
    expect(left).to_have_text("2 left")
    page.keyboard.press("n")
    expect(page.locator(".review-said")).to_contain_text("is not Somebody Known")
    expect(left).to_have_text("1 left")
    page.keyboard.press("u")
    expect(page.locator(".review-said")).to_contain_text("Undone")
    expect(left).to_have_text("2 left")
    page.keyboard.press("o")
    page.keyboard.type("Somebody Else")
    page.keyboard.press("Enter")
    expect(page.locator(".review-said")).to_contain_text("Somebody Else")
    page.keyboard.press("u")
    expect(left).to_have_text("2 left")
    page.keyboard.press("y")
    expect(left).to_have_text("1 left")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Only what you skipped is left")).to_be_visible()
    page.get_by_role("button", name="Ask me again").click()
    expect(left).to_have_text("1 left")

    # The other person is named in one step.
    page.goto(f"{site.url}/unknown/")
    expect(groups).to_have_count(1)
    page.locator(".groups a").first.click()
    expect(page.locator("#unknown-name")).to_be_focused()
    page.keyboard.type("Another Person")
    page.keyboard.press("Enter")
    expect(page.locator(".messages")).to_contain_text(
        "Named 4 faces that look alike Another Person"
    )
    page.locator(".messages").get_by_role("button", name="Undo").click()
    expect(groups).to_have_count(1)
    assert page.complaints == []
