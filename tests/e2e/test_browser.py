"""A person's way through the pages in a real Chromium: add photos, name a face, ask."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.e2e.running import PASSWORD, Running, running
from tests.faces import photo

pytestmark = pytest.mark.browser

CHROMIUM = (
    os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)
# Chromium's own calls home would only time out on a machine without a network.
QUIET = ["--no-sandbox", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


@pytest.fixture
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("browser") / "data") as instance:
        yield instance


@pytest.fixture(params=[(1280, 900), (390, 844)], ids=["desktop", "phone"])
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; Debian's package is called chromium")
    width, height = request.param
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.complaints = []
        page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        yield page
        browser.close()


def fits(page: Page) -> bool:
    """Whether the page can be read without scrolling sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_from_the_first_sign_in_to_an_answer(
    empty_site: Running, page: Page, tmp_path: Path
) -> None:
    page.goto(empty_site.url)
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")

    page.goto(f"{empty_site.url}/photos/add/")
    (tmp_path / "broken.jpg").write_bytes(photo("obama.jpg").read_bytes()[:40_000])
    (tmp_path / "words.jpg").write_text("no picture")
    page.set_input_files(
        "#id_files",
        [photo("obama.jpg"), photo("biden.jpg"), tmp_path / "broken.jpg", tmp_path / "words.jpg"],
    )
    if page.locator("[data-send]").is_visible():
        page.click("[data-send]")
    # Without a reload: every file ends as done, failed with a reason, known or refused.
    expect(page.get_by_text("This is not a picture that faceweb can read").first).to_be_visible()
    expect(page.get_by_text("The end of the file is missing").first).to_be_visible(timeout=20_000)
    expect(page).to_have_url(f"{empty_site.url}/imports/{page.url.rstrip('/').split('/')[-1]}/")
    expect(page.get_by_role("button", name="Try again").first).to_be_visible()
    assert fits(page)
    expect(page.locator(".row-done").nth(1)).to_be_visible(timeout=60_000)

    page.goto(f"{empty_site.url}/photos/?state=done")
    page.locator("main a[href^='/photos/']", has=page.locator("img")).first.click()
    page.locator("[id^=face-edit-]").first.click()
    page.fill("[id^=face-label-] input[name=name]", "Joe Biden")
    page.keyboard.press("Enter")
    expect(page.locator("[id^=face-label-] a", has_text="Joe Biden")).to_be_visible()
    # The box in the picture gets the name too.
    expect(page.locator("svg.boxes a[aria-label$='Joe Biden']")).to_be_visible()
    assert fits(page)

    page.goto(f"{empty_site.url}/search/")
    page.set_input_files("#id_photo", photo("obama.jpg"))
    page.wait_for_url("**/search/*-*/", timeout=10_000)
    expect(page.get_by_text("1 face was found in this photo").first).to_be_visible(timeout=20_000)
    expect(page.locator("main")).to_contain_text("Match")
    page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert fits(page)
    for path in ("/", "/photos/", "/people/", "/people/1/", "/admin/people/face/"):
        page.goto(empty_site.url + path)
        assert fits(page) or path.startswith("/admin/"), path
    assert page.complaints == []


def test_the_ready_page_works_without_scripts(empty_site: Running) -> None:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; Debian's package is called chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_context(java_script_enabled=False).new_page()
        page.goto(f"{empty_site.url}/login/")
        page.fill("[name=username]", "admin")
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.goto(f"{empty_site.url}/search/")
        page.set_input_files("#id_photo", photo("obama.jpg"))
        page.locator("form[enctype] button[type=submit]").first.click()
        for _ in range(40):
            if page.get_by_text("1 face was found in this photo").count():
                break
            page.wait_for_timeout(500)
            page.reload()
        expect(page.get_by_text("1 face was found in this photo").first).to_be_visible()
        browser.close()
