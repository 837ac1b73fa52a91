"""The page and the picture beside a record of positive controls, and the proofs that the page prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from medattn_lite.data.controls import CONTROLS, Control
from medattn_lite.data.files import new_file
from medattn_lite.positive_controls.page import TITLES, page_of, runs_of
from medattn_lite.positive_controls.proof import neighbourhood_auc, receptive_field, sees_cue
from medattn_lite.positive_controls.table import LACKS
from medattn_lite.positive_controls.train import build_network

PROOF_SEED, PROOF_IMAGES = 1000, 50


def write_report(path: Path, record: dict[str, Any]) -> tuple[Path, Path]:
    """Writes the Markdown page and the picture beside the record; measures the proofs if they are not in it yet.

    Args:
        path: of the record, a JSON file.
        record: as `control_table` gives it.

    Returns:
        the page and the picture.
    """
    from medattn_lite.plots import control_tasks, render_png

    if "proof" not in record:
        record["proof"] = {name: proof_of(control) for name, control in CONTROLS.items()}
        with new_file(path, overwrite=True) as part:
            part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    page, picture = path.with_suffix(".md"), path.with_suffix(".png")
    with new_file(page, overwrite=True) as part:
        part.write_text(page_of(record), encoding="utf-8")
    figure = control_tasks([_panel(record, control) for control in CONTROLS.values()])
    with new_file(picture, overwrite=True) as part:
        part.write_bytes(render_png(figure))
    return page, picture


def proof_of(control: Control) -> dict[str, Any]:
    """Field and gradient at the cue of the plain network at its start, and what a candidate's surroundings tell."""
    surroundings = neighbourhood_auc(control).as_dict()
    if control.mechanism == "seq2seq":
        return {"field": None, "cue": None, "surroundings": surroundings}
    torch.manual_seed(PROOF_SEED)
    network = build_network(control, "plain")
    drawn = control.draw(PROOF_IMAGES, seed=PROOF_SEED)
    return {"field": list(receptive_field(network, control)), "cue": sees_cue(network, drawn),
            "surroundings": surroundings}  # fmt: skip


def _panel(record: Mapping[str, Any], control: Control) -> Any:
    from medattn_lite.plots import TaskPanel

    drawn = control.draw(1, seed=PROOF_SEED)
    image, objects, cue = (part.numpy()[0] for part in (drawn.images[:, 0], drawn.objects, drawn.cue))
    if control.mechanism == "dual_fusion":  # scan B beside scan A
        other = drawn.images[0, 1].numpy()
        image, objects, cue = (np.concatenate(pair, axis=1) for pair in
                               ((image, other), (objects, 0 * objects), (0 * cue, cue)))  # fmt: skip
    if control.spatial_dims == 3:  # a candidate's slice, and the one above it to its right
        level = int(np.flatnonzero((objects > 0).any(axis=(1, 2)))[0])
        image, objects, cue = (np.concatenate([part[level], part[level - 1]], axis=1) for part in (image, objects, cue))
    mechanism = control.mechanism
    shown = (mechanism, "last" if mechanism == "seq2seq" else "plain", LACKS[control.name])
    accuracies = {TITLES[name]: [run["accuracy"] for run in runs_of(record, control.name, name).values()]
                  for name in shown}  # fmt: skip
    means = [run["mean"] for run in runs_of(record, control.name, mechanism).values() if "mean" in run]
    return TaskPanel(control.name, image, objects, cue,
                     {**accuracies, "its maps, averaged": means})  # fmt: skip
