"""The viewer's page without a kernel (map.html, the book): it draws, follows a click, and asks no other host."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from medattn_lite.widgets import view_volume
from tests.widgets.test_viewer import sample

pytestmark = pytest.mark.browser


def seen(page: object) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"), dtype=int)


@pytest.mark.parametrize("framed", [False, True])
def test_the_page_draws_follows_a_click_and_asks_nobody(tmp_path: Path, browser: object, framed: bool) -> None:
    view = view_volume(sample(), "mask", channel="flair", title="a test")
    path = tmp_path / "map.html"
    if framed:  # as a notebook and the book show it
        path.write_text(f"<!DOCTYPE html><title>t</title>{view._frame()}", encoding="utf-8")
    else:
        view.save_as_html(path)
    page = browser.new_page(viewport={"width": 1100, "height": 700})  # type: ignore[attr-defined]
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_timeout(3000)
    before = seen(page)
    assert ((before > 60) & (before < 245)).all(-1).mean() > 0.005, "the head is drawn in grey"
    assert (np.ptp(before, axis=-1) > 80).sum() > 20, "the mask is drawn in colour"
    place = page.frame_locator("iframe") if framed else page
    canvas = place.locator("canvas").first
    box = canvas.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.12, box["y"] + box["height"] * 0.4)
    page.wait_for_timeout(1500)
    changed = not np.array_equal(seen(page), before)
    page.close()
    assert changed, "a click moves the cross"
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
