"""Make the README's pictures from an empty, running faceweb: home.png and results.png.

    PORT=8010 FACEWEB_DATA_DIR=/tmp/shots FACEWEB_ADMIN_PASSWORD=a-long-one make run
    .venv/bin/python -m docs.screenshots http://127.0.0.1:8010 a-long-one docs/images

The photos are the portraits in the public domain that the tests use; they are added under the
names of the people in them.
"""

import argparse
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

from tests.faces import photo

NAMED = {
    "Barack_Obama_1.jpg": "obama.jpg",
    "Barack_Obama_2.jpg": "obama3.jpg",
    "Joe_Biden_1.jpg": "biden.jpg",
}
ASKED = "obama2.jpg"
SIZE = {"width": 1180, "height": 800}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("password", help="of the account admin")
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, base_url=given.url)
        sign_in(page, given.password)
        add_photos(page)
        page.goto("/")
        shoot(page, given.folder / "home.png")
        page.goto("/search/")
        page.set_input_files("#id_photo", photo(ASKED))
        expect(page.get_by_role("heading", name="Looks like Barack Obama")).to_be_visible()
        shoot(page, given.folder / "results.png")
        browser.close()


def sign_in(page: Page, password: str) -> None:
    page.goto("/login/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", password)
    page.click("main button[type=submit]")


def add_photos(page: Page) -> None:
    with TemporaryDirectory() as folder:
        for name, source in NAMED.items():
            shutil.copy(photo(source), Path(folder) / name)
        page.goto("/photos/add/")
        page.set_input_files("#id_files", sorted(Path(folder).iterdir()))
        page.check("#id_names_from_files")
        page.click("[data-send]")
        expect(page.get_by_text("All photos have been looked at")).to_be_visible(timeout=60_000)


def shoot(page: Page, path: Path) -> None:
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)


if __name__ == "__main__":
    main()
