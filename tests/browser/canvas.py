"""The live viewer in a page: is there a picture on its canvas, and does it follow the keyboard?"""

from __future__ import annotations

import io

import numpy as np

LOADED = 120_000  # milliseconds; WebGL without a graphics card, on a busy computer
STEP = 500
BLACK = 12  # of 255: darker is nothing drawn


def pixels(viewer: object) -> np.ndarray:
    """The canvas as the reader sees it, (rows, columns, 3)."""
    from PIL import Image

    shot = viewer.locator("canvas").first.screenshot()  # type: ignore[attr-defined]
    return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=int)


def drawn(viewer: object, *, share: float = 0.02) -> np.ndarray:
    """Wait until the canvas shows something and rests.

    Args:
        viewer: Playwright's locator of it.
        share: of the pixels that must not be black.

    Raises:
        AssertionError: it stays black.
    """
    before = pixels(viewer)
    for _ in range(LOADED // STEP):
        viewer.page.wait_for_timeout(STEP)  # type: ignore[attr-defined]
        now = pixels(viewer)
        if (now.max(-1) > BLACK).mean() > share and np.array_equal(now, before):
            return now
        before = now
    raise AssertionError("the viewer's canvas stays black: no volume is drawn")


def move_by_keyboard(viewer: object, label: str, key: str = "ArrowRight") -> tuple[np.ndarray, str]:
    """Press a key on a slider of the viewer, and wait until canvas and readout have changed.

    Returns:
        The canvas and the words after it.

    Raises:
        AssertionError: one of them did not change.
    """
    page, readout = viewer.page, viewer.locator(".medattn-readout")  # type: ignore[attr-defined]
    before, text = drawn(viewer), readout.inner_text()
    slider = viewer.locator(".widget-slider", has=page.locator(f".widget-label:text-is('{label}')"))  # type: ignore[attr-defined]
    slider.locator(".noUi-handle").first.focus()
    for _ in range(4):
        page.keyboard.press(key)
    for _ in range(LOADED // STEP):
        page.wait_for_timeout(STEP)
        now = pixels(viewer)
        if not np.array_equal(now, before) and (readout.inner_text() != text or label in ("opacity",)):
            return drawn(viewer), readout.inner_text()
    raise AssertionError(f"{label}: the canvas or the readout does not follow")
