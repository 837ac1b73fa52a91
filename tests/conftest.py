"""Shared fixtures: one thread a process, and where the real patients are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.order import dealt

# The same examples in every run, so that a red test means a change. HYPOTHESIS_PROFILE=search draws new ones.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))
torch.set_num_threads(1)  # two workers with two threads each slow each other down many times


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with `kaggle_3m`, `brats_layout`, `open_ms_data`, …; the test skips without it.

    Looked for in MEDATTN_TEST_DATA, then in `shared/data` next to the checkout.
    """
    checkout = Path(__file__).resolve().parents[1]
    named = os.environ.get("MEDATTN_TEST_DATA")
    root = Path(named) if named else checkout.parent / "shared" / "data"
    if not root.is_dir():
        pytest.skip(f"needs real patients: no folder {root} (set MEDATTN_TEST_DATA to it)")
    return root


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers, each begins with its share of what takes longest, so that all end at about the same time.

    `--dist worksteal` deals the tests out in equal stretches, and gives a worker that has none left those at the end of
    another's. The order is the same for every worker, as xdist wants it, and without workers it stays as it is.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = dealt(items, workers, longest=_is_long_and_alone)


def _is_long_and_alone(item: pytest.Item) -> bool:
    """A slow test that shares nothing with the other tests of its file, which would be made once more elsewhere."""
    information = getattr(item, "_fixtureinfo", None)
    definitions = information.name2fixturedefs.values() if information is not None else ()
    shares = any(one.scope in ("module", "class", "package") for several in definitions for one in several)
    return item.get_closest_marker("slow") is not None and not shares


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which sliders were moved in which notebook, and how long each notebook took."""
    reports = [report for state in ("passed", "failed") for report in terminalreporter.stats.get(state, [])]
    lines = []
    for report in sorted(reports, key=lambda report: report.nodeid):
        name = report.nodeid.rpartition("[")[2].rstrip("]")
        for key, value in getattr(report, "user_properties", []):
            if key == "sliders" and report.when == "call":
                moved = "; ".join(
                    f"widget {number}: {', '.join(sliders)}" for number, sliders in value.items() if sliders
                )
                lines.append(f"{name}: {moved or 'no slider'}")
            elif key == "seconds" and report.when == "call":
                lines.append(f"{name}: ran in {value} s at smoke")
    if lines:
        terminalreporter.write_sep("=", "notebooks: seconds, and sliders moved in the browser")
        terminalreporter.write_line("\n".join(lines))
