"""Does it matter which slice? The gates of inter-slice attention edited in every fold of a finished grading run.

    medattn study slice-order runs/grading-phantom-laptop-0        figures/slice_order.json and .md

Each fold's network judges its own test patients, as it is and with its gates edited; the AUC over all patients is
compared with that of the networks as they are, with 95 % intervals by patient. Before anything is written, the networks
as they are must give the probabilities that the run wrote down.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medattn_lite.attention.maps import CHANNEL_SLICE, SPATIAL
from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.evaluation import Interval
from medattn_lite.evaluation.auc_intervals import auc_interval, paired_auc_interval
from medattn_lite.explain.attention import edited_maps
from medattn_lite.training.run import Run
from medattn_lite.training.tasks import open_task

Edit = Callable[[Tensor], Tensor]
# (B, C, D, 1, 1) gates of a channel in a slice, or (B, 1, D, H, W) of a place.
EDITS: Mapping[str, tuple[str, Edit]] = {
    "as it is": (CHANNEL_SLICE, lambda a: a),
    "the same in every slice": (CHANNEL_SLICE, lambda a: a.mean(2, keepdim=True).expand_as(a)),
    "upside down": (CHANNEL_SLICE, lambda a: a.flip(2)),
    "another patient's": (CHANNEL_SLICE, lambda a: a.roll(1, 0)),
    "all one half": (CHANNEL_SLICE, lambda a: torch.full_like(a, 0.5)),
    "the same at every place": (SPATIAL, lambda a: a.mean((2, 3, 4), keepdim=True).expand_as(a)),
}
PAGE = """# Does it matter which slice?

Made by `medattn study slice-order`; do not edit by hand. {variant} of a grading run ({data}, `{scale}`
scale, {folds} folds, {patients} patients, one training per fold): each fold's network judges its own test patients,
with the gates of its inter-slice attention edited. 95 % intervals by patient.

| the gates are | AUC | minus the unedited network | largest change of a probability |
| --- | --- | --- | --- |
"""


def slice_order(run: Path, *, variant: str = "P3D + IAM", batch: int = 10) -> dict[str, Any]:
    """What the AUC of a finished run loses by each edit.

    Args:
        run: folder of a finished grading run.
        variant: one with inter-slice attention.
        batch: volumes at once; "another patient's" gates come from the same batch.

    Returns:
        `edits`: name → `auc` and `difference`, each `{"value", "low", "high", …}`, and `most`, the largest change of
        a probability; beside them what was run.

    Raises:
        UserError: no such run, or networks that do not give what it wrote down.
    """
    opened = Run(run)
    plan, recipe, settings = opened.finished_plan, opened.recipe, opened.settings
    task = open_task(recipe, settings, data=plan.data, root=plan.root, seed=plan.seed, progress=False)
    chosen, truth = recipe.variant(variant), []
    probabilities: dict[str, list[float]] = {name: [] for name in EDITS}
    splits = task.splits()
    for fold, split in enumerate(splits):
        task_on_fold: Any
        task_on_fold, network = opened.trained_on(task, chosen, fold, split)
        rows = [int(row) for row in task_on_fold.rows(split, "test")]
        images = torch.stack([task_on_fold.images[row].float() for row in rows])
        truth += [task_on_fold.strata[row] for row in rows]
        for name, (kind, edit) in EDITS.items():
            with torch.no_grad(), edited_maps(network, edit, kind=kind):
                for part in images.tensor_split(math.ceil(len(images) / batch)):  # no part of one, its own neighbour
                    probabilities[name] += network(part).softmax(1)[:, 1].tolist()
        written = opened.fold(chosen.name, fold).record()
        recorded = np.array([row["probability"] for row in written["predictions"]])
        if np.abs(recorded - probabilities["as it is"][-len(rows):]).max() > 1e-3:
            raise UserError(f"fold {fold} of {run} does not give the probabilities it wrote down: run it anew")
    plain = np.array(probabilities["as it is"])
    edits = {}
    for name, values in probabilities.items():
        changed = np.array(values)
        edits[name] = {
            "auc": auc_interval(truth, changed).as_dict(),
            "difference": paired_auc_interval(truth, changed, plain).as_dict(),
            "most": float(np.abs(changed - plain).max()),
        }
    return {"variant": variant, "data": plan.data, "scale": plan.scale, "folds": len(splits), "patients": len(truth),
            "edits": edits}  # fmt: skip


def page_of(record: Mapping[str, Any]) -> str:
    """The table as Markdown."""
    data = {"phantom": "synthetic heads"}.get(record["data"], record["data"])
    lines = [PAGE.format(**{**record, "data": data})]
    for name, edit in record["edits"].items():
        lost = "" if name == "as it is" else _text(edit["difference"])
        lines.append(f"| {name} | {_text(edit['auc'])} | {lost} | {edit['most']:.2f} |\n")
    return "".join(lines)


def _text(interval: Mapping[str, Any]) -> str:
    return Interval.from_dict(interval).text()


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="medattn study slice-order",
                                     description=__doc__.splitlines()[0])  # fmt: skip
    parser.add_argument("run", type=Path)
    parser.add_argument("--variant", default="P3D + IAM")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")
    options = parser.parse_args(arguments)
    record = slice_order(options.run, variant=options.variant)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "slice_order.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (options.out / "slice_order.md").write_text(page_of(record), encoding="utf-8")
    print(options.out / "slice_order.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
