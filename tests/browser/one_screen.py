"""Does an explorer fit the screen: its height, its controls inside the view, letters that can be read."""

from __future__ import annotations

from medattn_lite.plots.show import DPI

HEIGHT, WIDE = 640, 900  # pixels: a screen of 768 below JupyterLab's bars; from this width on both stand side by side
SMALLEST_LETTER = 9.0  # pixels on the screen
SCREENS = {(1920, 1080): 1.0, (1366, 768): 1.0, (820, 1180): 1.0, (683, 384): 2.0}  # size: zoom; the last 1366×768
POINTS = 10.0  # the smallest letter in a figure

SEE = """explorer => {
  const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
  const picture = explorer.querySelector('img.medattn-picture') || explorer.querySelector('canvas');
  const panel = explorer.closest('.jp-OutputArea-output') || explorer.parentElement;
  const controls = [...explorer.querySelectorAll('.widget-inline-hbox, .widget-button')].filter(e => e.offsetParent);
  const words = [...explorer.querySelectorAll('.widget-label, .widget-readout, select, button, .medattn-readout div')];
  return {
    explorer: box(explorer), panel: box(panel), picture: box(picture), natural: picture.naturalWidth || null,
    letters: words.filter(e => e.offsetParent && e.innerText.trim()).map(e => parseFloat(getComputedStyle(e).fontSize)),
    controls: controls.map(e => [e.innerText.split('\\n')[0], ...box(e)]),
  };
}"""


def faults(explorer: object, *, must_be_low: bool = True, zoom: float = 1.0) -> list[str]:
    """What keeps an explorer, or the viewer of volumes, from being used on one screen, in words.

    Args:
        explorer: Playwright's locator of it.
        must_be_low: whether its height counts; not where the picture stands below the controls.
        zoom: pixels of the screen per pixel of the page: a browser at 200 % shows a window of half the size.
    """
    seen = explorer.evaluate(SEE)  # type: ignore[attr-defined]
    left, top, right, bottom = seen["explorer"]
    problems = []
    if must_be_low and right - left >= WIDE and bottom - top > HEIGHT:
        problems.append(f"{bottom - top:.0f} pixels high, more than {HEIGHT}")
    edge = seen["panel"][2] + 1
    outside = [name for name, *place in seen["controls"] if place[2] > edge or place[0] < seen["panel"][0] - 1]
    if outside:
        problems.append(f"controls outside the view: {', '.join(outside)}")
    if seen["picture"][2] > edge:
        problems.append("a picture outside the view")
    if seen["natural"]:  # niivue's canvas has the size it is shown at
        letter = zoom * POINTS / 72 * DPI * (seen["picture"][2] - seen["picture"][0]) / seen["natural"]
        if letter < SMALLEST_LETTER:
            problems.append(f"letters of {letter:.1f} pixels in the picture")
    small = zoom * min(seen["letters"])
    if small < SMALLEST_LETTER:
        problems.append(f"letters of {small:.1f} pixels beside the picture")
    return problems


def faults_by_screen(page: object, shown: list) -> dict[tuple[int, int, int], list[str]]:
    """What is wrong with explorers or viewers in each window: width, height, which one → faults."""
    found, wide = {}, True
    window = page.page  # type: ignore[attr-defined]
    for (width, height), zoom in SCREENS.items():
        window.set_viewport_size({"width": width, "height": height})
        if width < 1000 and wide:
            window.keyboard.press("Control+b")  # a narrow window has no room for the side bar
            wide = False
        window.wait_for_timeout(1000)
        found |= {(width, height, which): lines for which, one in enumerate(shown) if (lines := faults(one, zoom=zoom))}
    return found
