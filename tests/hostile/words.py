"""Part 1: bad words for every option of every command. What is let through ends where the work would begin."""

from __future__ import annotations

import contextlib
import importlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tests.hostile.attack import Accepted, Outcome, attack
from tests.hostile.commands import Case, cases, parsers, write_inputs
from tests.hostile.studies import parse_only

__all__ = ["Case", "every_case", "fresh_folder", "parsers", "try_case", "work_stopped", "write_inputs"]

# Where the work of a command begins: behind all that it looks at first.
WORK = (
    "medattn_lite.course.run_course.run_notebook", "medattn_lite.course.generate.main",
    "medattn_lite.data.fetching.fetch_data_set.download", "medattn_lite.data.fetching.fetch_data_set.read_json",
    "medattn_lite.audit.phantoms.audit_phantom", "medattn_lite.audit.phantoms.audit_all",
    "medattn_lite.audit.run.audit_dataset", "medattn_lite.data.phantom.export.timings",
    "medattn_lite.training.phantom_controls.phantom_controls",
    "medattn_lite.training.sharpness_control.sharpness_control", "medattn_lite.training.experiment._train",
    "medattn_lite.positive_controls.table.measured", "medattn_lite.mechanism_comparison.run.open_cohort",
    "medattn_lite.training.gpu_check.check.works",
    "medattn_lite.course.start.open_lab", "medattn_lite.data.cache.cache_content",
    "medattn_lite.data.cache.clear_rendered",
    "medattn_lite.explain.user_images.explain_sample", "medattn_lite.data.phantom.export.export_cohort",
)  # fmt: skip


def every_case() -> list[Case]:
    """All bad commands, each once."""
    return list(dict.fromkeys(cases()))


@contextlib.contextmanager
def work_stopped() -> Iterator[None]:
    """While it lasts, commands raise `Accepted` in place of their work."""

    def stop(*_: Any, **__: Any) -> None:
        raise Accepted

    with contextlib.ExitStack() as stack:
        for place in WORK:
            module, _, name = place.rpartition(".")
            importlib.import_module(module)
            stack.enter_context(mock.patch(f"{module}.{name}", stop))
        stack.enter_context(mock.patch("medattn_lite.cli_study.run_module", parse_only))
        yield


@contextlib.contextmanager
def fresh_folder() -> Iterator[Path]:
    """A folder with everything that the commands name, and with things of the user's in their way."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        folder = Path(name).resolve() / "here"
        folder.mkdir()
        write_inputs(folder)
        yield folder


def try_case(case: Case, folder: Path) -> Outcome:
    """One bad command in a folder of `fresh_folder`, which is as before afterwards."""
    outcome = attack(case.words, folder, allowed=lambda name: name == "results.md" or name.startswith("kept"))
    if outcome.code == 0 and case.wrong and not outcome.failure:
        outcome = Outcome(0, outcome.said, outcome.shown, "accepted in silence", outcome.changed, outcome.made)
    if outcome.made or outcome.changed:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        write_inputs(folder)
    return outcome
