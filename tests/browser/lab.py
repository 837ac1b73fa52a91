"""A JupyterLab of our own on this computer, and Chromium in front of it.

The server has its own home, settings and token and listens on 127.0.0.1 only; the browser may ask no other
host. Used by the tests and by `python -m tests.browser.screenshot`.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import matplotlib
import nbformat

from medattn_lite.data.cache import cache_folder

CHECKOUT = Path(__file__).resolve().parents[2]
HOW_TO_GET = (
    "no Chromium: install it with the system's packages (Debian: apt-get install chromium) or set MEDATTN_CHROMIUM"
)
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell stays in the page
}


def find_chromium() -> str | None:
    """Path of the system's Chromium (or Chrome), or None."""
    named = os.environ.get("MEDATTN_CHROMIUM")
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return named or next(filter(None, map(shutil.which, names)), None)


@dataclass(frozen=True)
class Server:
    """A running JupyterLab."""

    url: str
    token: str
    root: Path
    runtime: Path

    def page(self, notebook: str) -> str:
        """Address of a notebook, in a workspace without history."""
        return f"{self.url}/lab/tree/{quote(notebook)}?reset&token={self.token}"

    def api(self, path: str, method: str = "GET", content: object = None) -> object:
        """The answer of the server's REST interface, or None where it has none."""
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, data=body)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def start_kernel(self, notebook: str) -> Path:
        """Starts the kernel of a notebook, as opening it would; returns its connection file."""
        asked = {"path": notebook, "name": Path(notebook).name, "type": "notebook", "kernel": {"name": "python3"}}
        session = self.api("sessions", "POST", asked)
        return self.runtime / f"kernel-{session['kernel']['id']}.json"  # type: ignore[index]

    def trust(self, notebook: Path) -> None:
        """Signs a notebook, as JupyterLab does with what it ran itself; else it does not show the widgets."""
        from nbformat.sign import NotebookNotary

        NotebookNotary(data_dir=str(self.runtime.with_name("data"))).sign(nbformat.read(notebook, as_version=4))

    def end_kernels(self) -> None:
        """Shut every notebook's kernel down."""
        for session in self.api("sessions"):  # type: ignore[union-attr]
            self.api(f"sessions/{session['id']}", method="DELETE")


@contextmanager
def course_folder() -> Iterator[tuple[Path, Path]]:
    """A folder for notebooks and one for JupyterLab's own files, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        root, home = Path(folder, "course"), Path(folder, "home")
        root.mkdir()
        yield root, home


@contextmanager
def jupyter_lab(root: Path, home: Path, *, dark: bool = False) -> Iterator[Server]:
    """Start JupyterLab over the folder `root`; its own files go to `home`. Ended with all its children."""
    settings = home / "settings"
    theme = {"@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Dark"}} if dark else {}
    for name, values in (SETTINGS | theme).items():
        path = settings / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    port, token = _free_port(), secrets.token_hex(16)
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime"}
    folders |= {"JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython"}
    environment = os.environ | {name: str(home / folder) for name, folder in folders.items()}
    environment |= {
        "HOME": str(home),
        "MEDATTN_CACHE": str(cache_folder() or ""),  # a new home would derive the atlas and render all heads again
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "MPLCONFIGDIR": matplotlib.get_configdir(),  # the font list takes long to make anew
        "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", "--allow-root"]
    command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={root}", "--LabApp.extension_manager=readonly"]
    command += ["--LabApp.expose_app_in_browser=True"]  # its commands can be called by tests: saving
    home.mkdir(parents=True, exist_ok=True)
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, cwd=root, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        server = Server(url=f"http://127.0.0.1:{port}", token=token, root=root, runtime=home / "runtime")
        try:
            _wait_until_up(server, process, home / "server.log")
            yield server
        finally:
            _end(process)


@contextmanager
def chromium() -> Iterator[object]:
    """The system's Chromium under Playwright, headless."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _wait_until_up(server: Server, process: subprocess.Popen, log: Path, patience: float = 90.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text()[-2000:]}")
        try:
            server.api("status")
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer within {patience:.0f} s:\n{log.read_text()[-2000:]}")


def _end(process: subprocess.Popen) -> None:
    """End the server's process group; kernels are in groups of their own, so ask politely first."""
    for number in (signal.SIGTERM, signal.SIGKILL):  # at SIGINT JupyterLab asks back, unless a second one is seen
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=10)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            process.wait(timeout=10)
            return
