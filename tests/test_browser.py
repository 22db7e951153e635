"""The report as a person meets it, in Chromium: no errors, sizes, dark and light, keyboard, sorting, print."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from test_figures import RUNS
from test_report import make_report

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="needs a browser: apt-get install chromium (or Google Chrome)"
)
WIDE, PHONE, TALL = (1440, 900), (390, 844), (1100, 1800)
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_report(tmp_path_factory.mktemp("run"), *RUNS["whole"]).path


@pytest.fixture
def show(browser: Browser, report: Path) -> Iterator[Open]:
    """Open the report; at the end, check that the browser had nothing to complain about."""
    contexts, complaints = [], []

    def opened(
        size: tuple[int, int] = WIDE, scheme: str = "light", part: str = "", path: Path = report
    ) -> Page:
        viewport = ViewportSize(width=size[0], height=size[1])
        context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{path.as_uri()}{part}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def top(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box
    return box["y"]


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screens(show: Open, size: tuple[int, int], scheme: str) -> None:
    page = show(size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    for part in (".answer", ".first figure img", ".numbers tbody tr:first-child"):
        box = page.locator(part).bounding_box()
        assert box and box["y"] + box["height"] <= size[1], part
    assert page.locator("details[open]").count() == 0
    assert top(page, "#figures") < 2 * size[1]
    red, *_ = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (red > 200) == (scheme == "light")
    widths = page.evaluate(
        "[...document.querySelectorAll('figure img')].map((each) => each.getBoundingClientRect().right)"
    )
    assert len(widths) > 10 and max(widths) <= size[0]


@pytest.mark.parametrize("key", ["click", "Enter", "Space"])
def test_tables_sort_both_ways(show: Open, key: str) -> None:
    page = show(part="#tables")
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.evaluate("addEventListener('sort-end', () => { window.sorted = true; })")
    tables = page.locator("table.sortable")
    assert tables.count() >= 10
    values = """(table, column) => [...table.tBodies[0].rows].map((row) => row.cells[column])
        .map((cell) => cell.dataset.sort ?? cell.textContent.trim())"""
    for number in range(tables.count()):
        table = tables.nth(number)
        headings = table.locator("thead button")
        for column in {0, headings.count() - 1, headings.count() // 2}:
            for order in ("ascending", "descending"):
                if key == "click":
                    headings.nth(column).click()
                else:
                    headings.nth(column).press(key)
                page.wait_for_function("window.sorted")
                page.evaluate("window.sorted = false")
                heading = table.locator("thead th").nth(column)
                assert heading.get_attribute("aria-sort") == order
                found = [text for text in table.evaluate(values, column) if text]
                try:
                    expected = sorted(found, key=float, reverse=order == "descending")
                except ValueError:
                    expected = sorted(found, key=str.lower, reverse=order == "descending")
                assert found == expected, heading.inner_text()


def test_tables_and_images_have_what_screen_readers_need(show: Open) -> None:
    page = show()
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every((each) => each.caption?.textContent.trim())"
    )
    assert page.locator("thead th:not([scope=col])").count() == 0
    assert page.locator("tbody th:not([scope=row])").count() == 0
    assert page.locator("tbody tr:not(:has(th))").count() == 0
    assert page.evaluate("[...document.images].every((each) => each.alt.length > 40)")
    names = page.evaluate("[...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(names) == len(set(names))


def test_the_keyboard_is_enough(show: Open) -> None:
    page = show()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert top(page, ".skip") >= 0 and page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    claim = page.locator("#claim-c")
    claim.locator("summary").press("Enter")
    expect(claim).to_have_attribute("open", "")
    claim.locator("summary").press("Enter")
    expect(claim).not_to_have_attribute("open", "")
    figure = page.locator("#fig3A .enlarge")
    figure.press("Enter")
    shown = page.locator("dialog img")
    expect(shown).to_be_visible()
    assert shown.get_attribute("alt") == figure.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    expect(shown).to_be_hidden()
    assert page.evaluate("document.activeElement.className") == "enlarge"


def test_every_link_within_the_page_leads_somewhere_and_opens_folds(show: Open) -> None:
    page = show(part="#claim-d")
    expect(page.locator("#claim-d")).to_have_attribute("open", "")
    page.locator('a[href="#claim-a"]').click()
    expect(page.locator("#claim-a")).to_have_attribute("open", "")
    links = "[...document.querySelectorAll('a[href^=\"#\"]')]"
    assert page.evaluate(f"{links}.every((each) => document.querySelector(each.hash))")


@pytest.mark.parametrize("size", [WIDE, PHONE, TALL], ids=["wide", "phone", "tall"])
def test_the_navigation_stays_and_marks_the_part(show: Open, size: tuple[int, int]) -> None:
    page = show(size)
    current = page.locator(".bar a[aria-current]")
    expect(current).to_have_text(["Overview"])
    for part in ("Figures", "Tables", "Provenance", "Claims"):
        page.locator(".bar a", has_text=part).click()
        expect(current).to_have_text([part])
        assert top(page, ".bar") == 0
        assert 0 < top(page, f"#{part.lower()}") < size[1]


def test_printed_pages_show_all_claims(show: Open) -> None:
    page = show()
    page.locator("#claim-e summary").click()
    page.evaluate("""addEventListener('beforeprint', () => {
        window.folded = document.querySelectorAll('details:not([open])').length; })""")
    assert len(page.pdf(format="A4")) > 100_000
    assert page.evaluate("window.folded") == 0
    assert page.locator("details[open]").count() == 1  # afterwards it is as before
    page.emulate_media(media="print")
    expect(page.locator(".bar")).to_be_hidden()


def test_durations_are_shown_if_they_lie_beside_the_report(
    show: Open, report: Path, tmp_path: Path
) -> None:
    page = show(part="#provenance")
    frame = next(frame for frame in page.frames if frame.url.endswith("durations.html"))
    assert "train_network" in frame.inner_text("table") and "A processor" in frame.inner_text(
        "body"
    )
    alone = tmp_path / "report.html"
    shutil.copy(report, alone)
    text = show(path=alone).locator("object").inner_text()
    assert text.startswith("They are in the file durations.html")
