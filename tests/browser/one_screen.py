"""Does an explorer fit the screen: its height, its controls inside the view, letters that can be read."""

from __future__ import annotations

from medattn_lite.plots.show import DPI

HEIGHT, WIDE = 640, 900  # pixels: a screen of 768 below JupyterLab's bars; from this width on both stand side by side
SMALLEST_LETTER = 9.0  # pixels on the screen
POINTS = 10.0  # the smallest letter in a figure

SEE = """explorer => {
  const box = e => { const b = e.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
  const picture = explorer.querySelector('img.medattn-picture');
  const panel = explorer.closest('.jp-OutputArea-output') || explorer.parentElement;
  const controls = [...explorer.querySelectorAll('.widget-inline-hbox, .widget-button')].filter(e => e.offsetParent);
  return {
    explorer: box(explorer), panel: box(panel), picture: box(picture), natural: picture.naturalWidth,
    controls: controls.map(e => [e.innerText.split('\\n')[0], ...box(e)]),
  };
}"""


def faults(explorer: object, *, must_be_low: bool = True) -> list[str]:
    """What keeps an explorer from being used on one screen, in words.

    Args:
        explorer: Playwright's locator of it.
        must_be_low: whether its height counts; not where the picture stands below the controls.
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
    letter = POINTS / 72 * DPI * (seen["picture"][2] - seen["picture"][0]) / seen["natural"]
    if letter < SMALLEST_LETTER and right - left >= WIDE:
        problems.append(f"letters of {letter:.1f} pixels in the picture")
    return problems
