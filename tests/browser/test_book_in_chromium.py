"""The book as its readers meet it: from a folder, without a network, in light and dark, on a phone, by axe-core."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.course.test_book import write_small_book
from tests.made_once import made_once

pytestmark = pytest.mark.browser
PAGES = ("index", "notebooks/03_dark", "notebooks/glossary", "figures/results", "search")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "book", write_small_book) / "site"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_kind_of_page(site: Path, browser: object, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = browser.new_page(color_scheme=scheme)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    for name in PAGES:
        page.goto(f"{site.as_uri()}/{name}.html")
        found = axe.run(page).response
        serious = [v for v in found["violations"] if v["impact"] in ("serious", "critical")]
        assert not serious, (name, [(v["id"], v["nodes"][0]["html"]) for v in serious])
        assert "color-contrast" in {rule["id"] for rule in found["passes"]}, "axe looked at the colours"
    outside = [url for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    page.close()
    assert len(asked) > len(PAGES) and outside == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_explorers_picture_is_dark_where_the_page_is(site: Path, browser: object, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(f"{site.as_uri()}/notebooks/03_dark.html")
    pictures = page.locator("img.figure").all()
    seen = [one.get_attribute("class") for one in pictures if one.is_visible()]
    page.close()
    assert len(pictures) == 2 and seen == [f"figure only-{scheme}"]


def test_on_a_phone_nothing_is_wider_than_the_screen(site: Path, browser: object) -> None:
    page = browser.new_page(viewport={"width": 375, "height": 700})
    for name in PAGES:
        page.goto(f"{site.as_uri()}/{name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name
    page.close()


def test_the_search_finds_a_page_from_a_folder_and_the_picture_is_drawn(site: Path, browser: object) -> None:
    page = browser.new_page()
    page.goto(f"{site.as_uri()}/search.html?q=excitation")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    assert any("glossary" in link.get_attribute("href") for link in page.query_selector_all("#search-results li a"))
    page.goto(f"{site.as_uri()}/notebooks/03_dark.html")
    assert page.evaluate("document.querySelector('img.figure').naturalWidth") == 1
    page.close()
