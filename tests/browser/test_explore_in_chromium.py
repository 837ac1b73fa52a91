"""`medattn explore` in Chromium: the page opens, an explorer follows its slider, no other host is asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from medattn_lite.course.explore import voila_command, write_page
from medattn_lite.data.cache import cache_folder
from tests.browser.lab import CHECKOUT
from tests.browser.notebook_page import CHANGED, SEE
from tests.browser.test_viewer_in_lab import picture

pytestmark = pytest.mark.browser
pytest.importorskip("voila", reason='no Voilà: pip install "medattn-lite[explore]"')
PATIENCE = 240  # seconds, on a busy computer


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place, home = tmp_path_factory.mktemp("explore"), tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    page = write_page(place, ["slices", "playground"])
    command, environment = voila_command(page, port=port, browser=False, dark=True)
    environment |= {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(home), "JUPYTER_CONFIG_DIR": str(home)}
    environment["MEDATTN_CACHE"] = str(cache_folder() or "")  # a new home would derive the phantom's atlas anew
    environment["PYTHONPATH"] = os.pathsep.join([str(CHECKOUT), environment["PYTHONPATH"]])
    log = Path(home, "voila.log")
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=place, stdout=output, stderr=output, start_new_session=True
        )
        try:
            url, end = f"http://127.0.0.1:{port}/", time.monotonic() + PATIENCE
            while True:
                assert process.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
                try:
                    with socket.create_connection(("127.0.0.1", port), timeout=1):
                        break
                except OSError:
                    time.sleep(0.3)
            yield url
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=20)


def test_the_page_opens_dark_and_an_explorer_follows_its_slider(address: str, browser: object) -> None:
    outside: list[str] = []
    crashes: list[str] = []
    context = browser.new_context(viewport={"width": 1366, "height": 768})  # type: ignore[attr-defined]

    def guard(route: object) -> None:
        inside = urlsplit(route.request.url).hostname in ("127.0.0.1", None)
        if not inside:
            outside.append(route.request.url)
        route.continue_() if inside else route.abort()

    context.route("**/*", guard)
    page = context.new_page()
    page.on("pageerror", lambda error: crashes.append(str(error)))
    page.goto(address, timeout=PATIENCE * 1000)
    page.wait_for_function("document.querySelectorAll('img.medattn-picture').length === 2", timeout=PATIENCE * 1000)
    slices = page.locator(".medattn-explorer").first
    for _ in range(240):
        if np.median(picture(slices)[-8:]) < 60:
            break
        page.wait_for_timeout(500)
    assert np.median(picture(slices)[-8:]) < 60, "--dark: the pictures are dark, too"
    element = slices.element_handle()
    before = element.evaluate(SEE)
    slider = slices.locator(".widget-slider", has=page.locator(".widget-label:text-is('axial I→S')"))
    slider.locator(".noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(CHANGED, arg=[element, before], timeout=60_000)
    assert page.locator(".jp-InputArea-editor:visible").count() == 0
    assert page.locator("h2").count() == 2
    context.close()
    assert outside == [] and crashes == []
