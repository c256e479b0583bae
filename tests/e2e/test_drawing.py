"""Boxes and turns in a real Chromium: by mouse, by touch, by keyboard, and by typing numbers."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.e2e.running import PASSWORD, Running, running
from tests.e2e.test_browser import CHROMIUM, QUIET, fits
from tests.faces import photo

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A faceweb with one photo of six people."""
    folder = tmp_path_factory.mktemp("drawing")
    (folder / "in").mkdir()
    (folder / "in" / "group.jpg").write_bytes(photo("group.jpg").read_bytes())
    with running(folder / "data") as instance:
        instance.command("import_photos", str(folder / "in"))
        yield instance


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed; Debian's package is called chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


def signed_in(browser: Browser, site: Running, **options) -> Page:
    page = browser.new_context(**options).new_page()
    page.complaints = []
    page.on("console", lambda m: m.type == "error" and page.complaints.append(m.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto(f"{site.url}/login/?next=/photos/1/")
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator("h1")).to_have_text("group.jpg")
    return page


def numbers(page: Page) -> list[float]:
    return [float(page.input_value(f"[name={side}]")) for side in ("x1", "y1", "x2", "y2")]


def item(page: Page, number: int):
    return page.locator(f"#face-{number}")


def test_drawing_correcting_and_turning(faces: Running, browser: Browser) -> None:
    page = signed_in(browser, faces, viewport={"width": 1280, "height": 900})
    page.get_by_text("Draw a face").click()
    drawing = page.locator("svg.draw")
    area = drawing.bounding_box()
    assert area

    def at(across: float, down: float) -> tuple[float, float]:
        return area["x"] + area["width"] * across, area["y"] + area["height"] * down

    page.mouse.move(*at(0.4, 0.75))
    page.mouse.down()
    page.mouse.move(*at(0.45, 0.8))
    page.mouse.move(*at(0.5, 0.9))
    page.mouse.up()
    assert numbers(page) == pytest.approx([512, 664.5, 640, 797.4], abs=3)
    # The corner at the lower right, then the whole box.
    page.mouse.move(*at(0.5, 0.9))
    page.mouse.down()
    page.mouse.move(*at(0.55, 0.95), steps=3)
    page.mouse.up()
    assert numbers(page) == pytest.approx([512, 664.5, 704, 841.7], abs=3)
    page.mouse.move(*at(0.47, 0.85))
    page.mouse.down()
    page.mouse.move(*at(0.42, 0.80), steps=3)
    page.mouse.up()
    assert numbers(page) == pytest.approx([448, 620.2, 640, 797.4], abs=4)
    page.get_by_role("button", name="Add this face").click()
    expect(page.locator(".message")).to_contain_text("Drew a box round a face")
    expect(item(page, 7)).to_contain_text("Drawn by hand")
    expect(item(page, 7).locator("img.crop")).to_be_visible(timeout=20_000)

    item(page, 7).get_by_text("Add a name").click()
    page.fill("#face-7 input[name=name]", "Ana Silva")
    page.keyboard.press("Enter")
    expect(item(page, 7).get_by_role("link", name="Ana Silva")).to_be_visible()

    # By keyboard alone: to the link, the box, and out.
    page.locator("#face-7 a", has_text="Correct the box").focus()
    page.keyboard.press("Enter")
    expect(drawing).to_be_focused()
    before = numbers(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowDown")
    page.keyboard.press("Shift+ArrowLeft")
    after = numbers(page)
    assert after == pytest.approx(
        [before[0] + 12.8, before[1] + 1, before[2], before[3] + 1], abs=0.2
    )
    page.keyboard.press("Enter")
    expect(page.locator(".message")).to_contain_text("Corrected the box of a face")
    expect(item(page, 7)).to_contain_text("Ana Silva")
    expect(item(page, 7).locator("img.crop")).to_be_visible(timeout=20_000)

    page.get_by_role("button", name="Turn right").click()
    expect(page.locator("figure.stage img")).to_have_attribute("width", "886", timeout=20_000)
    expect(item(page, 7)).to_contain_text("Ana Silva")
    expect(page.locator(".face-list h2")).to_have_text("7 faces")
    page.locator(".message").get_by_role("button", name="Undo").click()
    expect(page.locator("figure.stage img")).to_have_attribute("width", "1280", timeout=20_000)

    item(page, 7).get_by_role("button", name="Remove").click()
    expect(page.locator(".face-list h2")).to_have_text("6 faces")
    assert page.complaints == []


def test_drawing_with_a_finger(faces: Running, browser: Browser) -> None:
    page = signed_in(
        browser, faces, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page.get_by_text("Draw a face").click()
    area = page.locator("svg.draw").bounding_box()
    assert area
    assert fits(page)
    touch = page.context.new_cdp_session(page)

    def send(kind: str, across: float, down: float) -> None:
        point = {"x": area["x"] + area["width"] * across, "y": area["y"] + area["height"] * down}
        points = [] if kind == "touchEnd" else [point]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0.4, 0.7)
    for step in range(1, 6):
        send("touchMove", 0.4 + step * 0.02, 0.7 + step * 0.03)
    send("touchEnd", 0, 0)
    assert numbers(page) == pytest.approx([512, 620.2, 640, 753.1], abs=8)
    page.get_by_text("Cancel").click()
    expect(page.get_by_text("Draw a face")).to_be_visible()
    assert page.complaints == []


def test_drawing_without_scripts(faces: Running, browser: Browser) -> None:
    page = signed_in(browser, faces, java_script_enabled=False)
    page.get_by_text("Draw a face").click()
    expect(page).to_have_url(re.compile(r"/photos/1/draw/$"))
    for side, value in zip(("x1", "y1", "x2", "y2"), ("500", "650", "600", "780"), strict=True):
        page.fill(f"[name={side}]", value)
    page.get_by_role("button", name="Add this face").click()
    expect(page.locator("#face-7")).to_contain_text("Drawn by hand")
    page.locator("#face-7").get_by_role("button", name="Remove").click()
    expect(page.locator(".face-list h2")).to_have_text("6 faces")
