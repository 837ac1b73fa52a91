"""`medattn doctor`: what is installed, which device and precision will be used and why, do widgets show."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medattn_lite.course.widget_setup import widget_findings
from medattn_lite.errors import UserError
from medattn_lite.optional import install

OK, REMARK, PROBLEM = "✓", "!", "✗"
_CHECKOUT = Path(__file__).resolve().parents[2]
# Extras of pyproject.toml and the packages that show whether they are installed.
EXTRAS = {"survival": ("scikit-survival",), "lab": ("jupyterlab",), "viewer": ("ipyniivue",), "explore": ("voila",),
          "course": ("papermill", "jupytext")}
_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@dataclass(frozen=True)
class Status:
    """One line of `medattn doctor`.

    Attributes:
        mark: "✓" as it should be, "!" worth knowing, "✗" something will not work.
        topic: what it is about, in a word or two.
        text: what was found and, where needed, what to do.
    """

    mark: str
    topic: str
    text: str

    def __str__(self) -> str:
        return f"{self.mark} {self.topic:<10} {self.text}"


@dataclass(frozen=True)
class Diagnosis:
    """What the doctor found; printed, it is the report."""

    findings: tuple[Status, ...]

    @property
    def exit_code(self) -> int:
        """0 if all will work, 1 if something will not."""
        return int(any(finding.mark == PROBLEM for finding in self.findings))

    def __str__(self) -> str:
        verdict = "Something will not work: see ✗ above." if self.exit_code else "All set."
        return "\n".join([*map(str, self.findings), verdict])


def doctor(*, device: str = "auto", lock: Path = _CHECKOUT / "requirements.lock") -> Diagnosis:
    """Look at this environment.

    Args:
        device: as for a run: "auto" or a device's name.
        lock: the lock file to compare with; skipped where there is none.
    """
    findings: list[Status] = []
    checks: tuple[Callable[[], Iterator[Status]], ...] = (
        _python, _requirements, lambda: _lock(lock), lambda: _device(device), _memory_and_disk,
        lambda: (Status(*finding) for finding in widget_findings()), _browser,
    )
    for check in checks:
        try:
            findings += check()
        except Exception as error:  # the doctor looks at broken environments; one broken part hides no other
            findings.append(Status(PROBLEM, "doctor", f"could not look: {type(error).__name__}: {error}"))
    return Diagnosis(tuple(findings))


def _python() -> Iterator[Status]:
    good = sys.version_info >= (3, 11)
    yield Status(OK if good else PROBLEM, "Python", f"{platform.python_version()} at {sys.executable}"
                  + ("" if good else "; 3.11 or newer is needed"))


def _requirements() -> Iterator[Status]:
    """Does every package that medattn_lite needs exist, in a version it can work with?"""
    from packaging.requirements import Requirement

    import medattn_lite

    try:
        requirements = [Requirement(line) for line in importlib.metadata.requires("medattn-lite") or []]
    except importlib.metadata.PackageNotFoundError:
        yield Status(PROBLEM, "packages", "medattn_lite is not installed here: run `pip install -e .` in the checkout")
        return
    wrong, command = [], "pip install"
    for need in requirements:
        if need.marker is not None and not need.marker.evaluate({"extra": ""}):
            continue
        version = _version(need.name)
        if version is None:
            wrong.append(f"{need.name} is missing")
        elif not need.specifier.contains(version, prereleases=True):
            wrong.append(f"{need.name} is {version}, needed is {need.specifier}")
        else:
            continue
        command += f' "{need.name}{need.specifier}"'
    lacking = [name for name, wanted in EXTRAS.items() if any(_version(package) is None for package in wanted)]
    text = "; ".join(wrong) + f"; run {command}"
    yield Status(PROBLEM, "packages", text) if wrong else \
        Status(OK, "packages", f"medattn_lite {medattn_lite.__version__} has all it needs (torch {_version('torch')}, "
                                f"monai {_version('monai')}, numpy {_version('numpy')})")
    if lacking:
        asked_for = ", ".join(install(name) for name in lacking)
        yield Status(REMARK, "extras", f"not installed: {', '.join(lacking)} ({asked_for})")


def _lock(lock: Path) -> Iterator[Status]:
    from packaging.requirements import Requirement

    if not lock.is_file():
        return
    lines = re.findall(r"^[A-Za-z0-9._-]+==.+", lock.read_text(encoding="utf-8"), re.MULTILINE)
    pins = {need.name: str(need.specifier).removeprefix("==") for need in map(Requirement, lines)
            if need.marker is None or need.marker.evaluate()}  # what has no wheel here is not locked here
    # A build tag such as +cpu is the same version.
    differ = [f"{name} {installed} (locked {pin})" for name, pin in pins.items()
              if (installed := (_version(name) or "missing").split("+")[0]) != pin]
    if differ:
        shown = ", ".join(differ[:5]) + (f" and {len(differ) - 5} more" if len(differ) > 5 else "")
        yield Status(REMARK, "lock file", f"{len(differ)} of {len(pins)} packages are not the locked version: {shown}")
    else:
        yield Status(OK, "lock file", f"all {len(pins)} packages are the locked version")


def _device(name: str) -> Iterator[Status]:
    import torch

    from medattn_lite.training.device import bf16_speed, choose

    try:
        chosen = choose(name)
    except UserError as error:
        yield Status(PROBLEM, "device", str(error))
        return
    threads = f", {torch.get_num_threads()} threads" if chosen.device.type == "cpu" else ""
    yield Status(OK, "device", f"{chosen.device}{threads}: {chosen.why}")
    if chosen.device.type == "cpu":
        yield Status(OK, "precision", "fp32: torch's bf16 convolutions have wrong gradients for some sizes on CPUs")
        return
    speed = bf16_speed(chosen.device)
    measured = f"bf16 runs a small convolution and product {speed:.1f} times as fast as fp32 here" if speed else \
        "bf16 does not run here"
    yield Status(OK, "precision", f"{chosen.precision}; measured now: {measured}")


def _memory_and_disk() -> Iterator[Status]:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    yield Status(OK if free > 3 else REMARK, "memory", f"{free:.1f} GB free"
                  + ("" if free > 3 else "; the notebooks at smoke scale want about 3 GB"))
    disk = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Status(OK if disk > 2 else REMARK, "disk", f"{disk:.1f} GB free in {Path.cwd()}")


def _browser() -> Iterator[Status]:
    browser = next(filter(None, map(shutil.which, _CHROMIUM_NAMES)), None)
    if browser:
        yield Status(OK, "Chromium", f"{browser} (the browser tests use it)")
    else:
        yield Status(REMARK, "Chromium", "not found; only the browser tests want it (Debian: apt install chromium)")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
