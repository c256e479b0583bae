"""Cleaning up a person in a real Chromium: by keyboard and mouse, and taking it all back."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import many_photos
from tests.e2e.running import PASSWORD, Running, running
from tests.e2e.test_browser import fits
from tests.e2e.test_browser import page as page  # the same browser, on desktop and phone

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def named_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two people with four faces each."""
    folder = tmp_path_factory.mktemp("editing")
    with running(folder / "data") as instance:
        photos = many_photos(folder / "photos", 8)
        instance.answer("import_photos", str(photos), "--names", "file")
        yield instance


def test_faces_are_chosen_moved_merged_and_all_is_undone(named_site: Running, page: Page) -> None:
    site = named_site
    page.goto(f"{site.url}/login/?next=/people/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.get_by_role("link", name="Barack Obama").first.click()
    boxes = page.locator("[data-pick-box]")
    bar = page.locator("[data-pick-bar]")
    total = boxes.count()
    assert total >= 4
    expect(bar).to_be_hidden()

    # By keyboard alone: three faces, then a name, then Enter.
    boxes.first.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(bar).to_contain_text("3 faces chosen")
    page.keyboard.press("a")
    expect(bar).to_contain_text(f"{total} faces chosen")
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    expect(bar).to_contain_text("2 faces chosen")
    assert fits(page)
    page.fill("#pick-name", "Somebody Else")
    page.press("#pick-name", "Enter")
    expect(page.locator(".messages")).to_contain_text(
        "Moved 2 faces from Barack Obama to Somebody Else."
    )
    expect(boxes).to_have_count(total - 2)

    # A range with the mouse, and its undo from the message.
    page.locator(".pick label").nth(0).click()
    page.locator(".pick label").nth(1).click(modifiers=["Shift"])
    expect(bar).to_contain_text("2 faces chosen")
    page.get_by_role("button", name="Not Barack Obama").click()
    expect(boxes).to_have_count(total - 4)
    page.locator(".messages").get_by_role("button", name="Undo").click()
    expect(boxes).to_have_count(total - 2)

    # Somebody Else is merged back, by the wrong hand, and both edits are undone in the history.
    page.get_by_role("link", name="Merge with…").click()
    page.fill("#id_q", "somebody")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Somebody Else").click()
    expect(page.get_by_role("heading", name="Are these two one person?")).to_be_visible()
    assert fits(page)
    page.get_by_role("button", name="Merge the two").click()
    expect(boxes).to_have_count(total)
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_role("heading", name="History of Barack Obama")).to_be_visible()
    assert fits(page)
    for summary in ("Merged Somebody Else into Barack Obama", "Moved 2 faces from Barack Obama"):
        entry = page.locator(".entry:not(.entry-undone)", has_text=summary).filter(
            has_not_text="Undone:"
        )
        entry.first.get_by_role("button", name="Undo").click()
        expect(page.locator(".messages")).to_contain_text(f"Undone: {summary}")
    page.goto(f"{site.url}/people/?q=somebody")
    expect(page.get_by_text("Nobody by that name")).to_be_visible()
    assert page.complaints == []
