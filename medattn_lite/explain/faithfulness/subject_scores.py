"""All scores of one held-out subject: localisation, likeness to the re-initialised network, deletion, insertion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.localisation import ignorant_maps, localise, localise_by_plane
from medattn_lite.explain.faithfulness.perturbation import deletion_curve, insertion_curve
from medattn_lite.explain.faithfulness.phantom_cases import PhantomCase
from medattn_lite.explain.faithfulness.sanity import similarity
from medattn_lite.explain.faithfulness.stage_scores import score_stages
from medattn_lite.explain.methods import METHODS, explain_image
from medattn_lite.explain.model import forward_eval

OPTIONS = {"integrated gradients": {"steps": 16}}  # enough where the sum of values is checked
COSTLY = ("integrated gradients", "occlusion")  # many passes: scored on few subjects
LIKENESS = "like the re-initialised network's"  # similarity to its map: key of the records and head of the column
Row = dict[str, Any]


def score_subject(
    network: nn.Module, reinitialised: nn.Module, case: PhantomCase, methods: Sequence[str], *, part: str, curves: bool
) -> list[Row]:
    """All rows of one subject and part.

    Args:
        network: the trained network.
        reinitialised: its re-initialised copy.
        case: of `held_out`.
        methods: names in `METHODS`; one that this network cannot be asked by is left out.
        part: "quick", or "costly" for the methods in `COSTLY` and the curves.
        curves: whether deletion and insertion are wanted.
    """
    rows: list[Row] = []
    if part == "quick":
        ignorant = {**ignorant_maps(case.image[0]), "chance": torch.ones(case.signal.shape)}
        rows += [{"subject": case.subject, "method": name, **_located(values, case), "note": ""}
                 for name, values in ignorant.items()]  # fmt: skip
        rows += [{**row, "note": "", "stage": True} for row in score_stages(network, case)]
    for method in methods:
        if part == "quick" and method in COSTLY:
            continue
        row = _explained(network, reinitialised, case, method, curves=curves and part == "costly",
                         again=part == "costly" and method not in COSTLY)  # fmt: skip
        if row is not None:
            rows.append({"subject": case.subject, "method": method, **row})
    return rows


def windows(size: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Windows that occlusion hides: half as far apart in pictures; in volumes at most seven along an axis, overlapping.

    Args:
        size: (H, W) or (D, H, W).
    """
    if len(size) == 2:
        return {"window": (8, 8), "stride": (4, 4)}
    stride = max(8, math.ceil(max(size) / 7))
    return {"window": (stride * 3 // 2,) * 3, "stride": (stride,) * 3}


def _explained(
    network: nn.Module, reinitialised: nn.Module, case: PhantomCase, method: str, *, curves: bool, again: bool
) -> Row | None:
    """Scores of one method on one subject, of a map made again only the curves; None where it does not fit."""
    options: Row = windows(case.signal.shape) if method == "occlusion" else dict(OPTIONS.get(method, {}))
    target = case.target if METHODS[method].asks else None
    try:
        explanation = explain_image(network, case.image, method=method, target=target, **options)
    except UserError as error:
        if "no attention" in str(error) or "finds no voxel" in str(error):
            return None
        raise
    values = explanation.values[0]
    located = {} if again else _located(values, case, planes=method == "Grad-CAM")
    row: Row = {**located, "note": explanation.note}
    if not again:
        fixed = None if target is None else target.fixed(forward_eval(network, case.image))
        copied = explain_image(reinitialised, case.image, method=method, target=fixed, **options)
        row[LIKENESS] = similarity(values, copied.values[0], within=case.counted)
    if curves:
        for name, curve in (("deletion area", deletion_curve), ("insertion area", insertion_curve)):
            row[name] = curve(network, case.image, values, target=case.target, within=case.counted).area
    return row


def _located(values: Tensor, case: PhantomCase, *, planes: bool = False) -> Row:
    within = case.counted
    row: Row = dict(localise(values, case.signal, within=within).as_dict())
    if case.mark is not None and bool(case.mark.any()):
        row |= {f"{name} of the mark": score for name, score in localise(values, case.mark, within=within)
                .as_dict().items()}  # fmt: skip
    if values.dim() == 3 and planes:
        by_plane = localise_by_plane(values, case.signal, within=within)
        row |= {f"AUC in {plane} slices": located.auc for plane, located in by_plane.items()}
        row |= {f"relevance mass in {plane} slices": located.relevance_mass for plane, located in by_plane.items()}
    return row
