"""A notebook opened in a browser: run it, look for errors, move its sliders by keyboard."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from tests.browser.lab import Server

OPEN = 90_000  # milliseconds; generous, for a busy computer
RUN = 480_000
MOVE = 30_000
LOOK = 100  # between two looks at the page: looking at every frame takes the time from the kernel

# JupyterLab gives an error output the same type as a line on stderr: its words tell it from a warning.
JUPYTER_ERRORS = """() => {
  const ERROR = '[data-mime-type="application/vnd.jupyter.stderr"]';
  const WORDS = /Traceback \\(most recent call last\\)|^\\w*(Error|Exception|Interrupt)\\b/m;
  const IS_ERROR = output => WORDS.test(output.innerText);
"""
# Text of the errors in the page, without the colour codes.
FIND_ERRORS = JUPYTER_ERRORS + """return [
  ...[...document.querySelectorAll(ERROR)].filter(IS_ERROR).map(e => e.innerText),
  ...[...document.querySelectorAll('.jp-Notebook *')].filter(
      e => e.children.length === 0 && /Error displaying widget/.test(e.textContent)).map(e => e.textContent),
  ...[...document.querySelectorAll('.jupyter-widgets-error-widget')].map(e => 'broken widget: ' + e.innerText),
  ...[...document.querySelectorAll('.medattn-readout [role="alert"]')].map(e => e.innerText),
]; }"""
ALL_RUN = JUPYTER_ERRORS + """
  const cells = [...document.querySelectorAll('.jp-Notebook .jp-CodeCell')];
  const filled = cells.filter(c => c.querySelector('.cm-content')?.innerText.trim());
  const prompts = filled.map(c => c.querySelector('.jp-InputArea-prompt').innerText);
  const failed = [...document.querySelectorAll(ERROR)].some(IS_ERROR);
  return filled.length > 0 && (failed || prompts.every(p => /\\[\\d+\\]/.test(p)));
}"""
# The notebook's own indicator says idle before the kernel is connected; the status bar does not.
IDLE = "() => /\\| Idle/.test(document.querySelector('#jp-main-statusbar')?.innerText || '')"
ALL_DRAWN = """() => document.querySelector('.jupyter-widgets-error-widget') ||
  [...document.querySelectorAll('.jp-OutputArea-output')].every(o => !/^Loading widget/.test(o.textContent)) &&
  [...document.querySelectorAll('.medattn-explorer')].every(
      explorer => explorer.querySelector('img.medattn-picture')?.naturalWidth)"""
# The picture as the reader sees it: the pixels, not the address (which changes at every redraw).
SEE = """explorer => {
  const picture = explorer.querySelector('img.medattn-picture');
  if (!picture || !picture.complete || !picture.naturalWidth) return null;
  const canvas = document.createElement('canvas');
  canvas.width = picture.naturalWidth; canvas.height = picture.naturalHeight;
  canvas.getContext('2d').drawImage(picture, 0, 0);
  return {pixels: canvas.toDataURL(), words: explorer.querySelector('.medattn-readout').innerText,
          alt: picture.title};
}"""
CHANGED = (
    "([explorer, before]) => { const now = (" + SEE + ")(explorer);"
    " return now && now.pixels !== before.pixels && now.words !== before.words && now.alt !== before.alt; }"
)


class NotebookPage:
    """One notebook in one browser page.

    Attributes:
        page: Playwright's page.
        outside: addresses outside this computer that the page asked for; they were refused.
        crashes: JavaScript errors that nobody caught.
    """

    def __init__(self, browser: object, server: Server, notebook: str, *, width: int = 1280) -> None:
        self.outside: list[str] = []
        self.crashes: list[str] = []
        self._context = browser.new_context(viewport={"width": width, "height": 1000})  # type: ignore[attr-defined]
        self._context.route("**/*", self._guard)
        self.page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.crashes.append(str(error)))
        self.page.on("websocket", lambda socket: self._note(socket.url))
        self.page.goto(server.page(notebook), timeout=OPEN)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=OPEN)
        self.page.wait_for_function(f"() => ({IDLE})() || document.querySelector('.jp-Dialog')", timeout=OPEN)
        if self.page.locator(".jp-Dialog").count():  # a notebook that names no kernel: take the one offered
            self.page.locator(".jp-Dialog .jp-mod-accept").click()
        self.page.wait_for_function(IDLE, timeout=OPEN)

    def run_all(self) -> None:
        """Run → Run All Cells, and wait until every cell has its number and the kernel rests."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        self.page.wait_for_function(ALL_RUN, timeout=RUN, polling=LOOK)
        self.page.wait_for_function(IDLE, timeout=RUN, polling=LOOK)
        self.wait_for_widgets()

    def save(self) -> None:
        """Save the notebook with its outputs to its file."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def wait_for_widgets(self) -> None:
        """Wait until every output is drawn and every explorer has its picture."""
        self.page.wait_for_function(ALL_DRAWN, timeout=MOVE)

    def errors(self) -> list[str]:
        """Error outputs, broken widgets and readouts that report an error."""
        return self.page.evaluate(FIND_ERRORS)

    def loose_sliders(self) -> int:
        """Sliders that belong to no explorer and no viewer, so that nothing says whether they work."""
        every = self.page.locator(".widget-slider").count()
        return every - self.page.locator(":is(.medattn-explorer, .medattn-viewer) .widget-slider").count()

    def viewers(self) -> list[object]:
        """The live viewers of the page, from top to bottom."""
        return self.page.locator(".medattn-viewer").all()

    def explorers(self) -> list[object]:
        """The explorers of the page, from top to bottom."""
        return self.page.locator(".medattn-explorer").all()

    def move_sliders(self, explorer: object) -> dict[str, str]:
        """Move every slider of an explorer by keyboard and wait for picture, alt text and readout to follow.

        Returns:
            Label of the slider → what happened: "moved", or what did not change.
        """
        found: dict[str, str] = {}
        for slider in explorer.locator(".widget-slider").all():  # type: ignore[attr-defined]
            if not slider.is_visible() or slider.locator(".noUi-target[disabled]").count():
                continue
            label = slider.locator(".widget-label").inner_text()
            for number, handle in enumerate(slider.locator(".noUi-handle").all()):
                found[label if number == 0 else f"{label} ({number + 1})"] = self._move(explorer, slider, handle)
        return found

    def press(self, label: str, key: str, times: int = 1) -> None:
        """Press a key on the first visible slider of this label, as often as said, without waiting between."""
        slider = self.page.locator(".widget-slider", has=self.page.locator(f".widget-label:text-is('{label}')")).first
        slider.locator(".noUi-handle").first.focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def screenshot(self, path: Path, *, tallest: int = 16_000) -> None:
        """The whole notebook as one picture, without the side bar."""
        self.page.keyboard.press("Control+b")
        self.page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0; }")
        end = self.page.locator(".jp-Notebook .jp-Cell").last.bounding_box()
        height = min(tallest, round(end["y"] + end["height"]) + 60)
        self.page.set_viewport_size({"width": self.page.viewport_size["width"], "height": height})
        self.page.wait_for_timeout(800)
        self.page.screenshot(path=path)

    def close(self) -> None:
        """Close the page and forget what it stored."""
        self._context.close()

    def _move(self, explorer: object, slider: object, handle: object) -> str:
        element = explorer.element_handle()  # type: ignore[attr-defined]
        before, at = element.evaluate(SEE), self._place(handle)
        handle.focus()  # type: ignore[attr-defined]
        for key in ("ArrowRight", "ArrowLeft"):  # a slider at its end has only one way to go
            self.page.keyboard.press(key)
            if self._place(handle) != at:
                break
        else:
            return "does not move"
        try:
            self.page.wait_for_function(CHANGED, arg=[element, before], timeout=MOVE, polling=LOOK // 2)
        except Exception as error:
            if "Timeout" not in type(error).__name__:
                raise
            now = element.evaluate(SEE) or {}
            same = [part for part in before if now.get(part) == before[part]]
            return f"no change of {', '.join(same)}"
        return "moved"

    @staticmethod
    def _place(handle: object) -> str | None:
        # Not aria-valuenow: it is rounded to one decimal, so a step of 0.02 would pass for none.
        return handle.evaluate("handle => handle.parentElement.style.transform")  # type: ignore[attr-defined]

    def _guard(self, route: object) -> None:
        if self._note(route.request.url):  # type: ignore[attr-defined]
            route.abort()  # type: ignore[attr-defined]
        else:
            route.continue_()  # type: ignore[attr-defined]

    def _note(self, url: str) -> bool:
        parts = urlsplit(url)
        outside = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in ("127.0.0.1", "localhost")
        if outside:
            self.outside.append(url)
        return outside
