"""Are the maps true? Every mechanism × every method × every score, on phantoms the networks never saw.

    python -m medattn_lite.explain.benchmark --subjects 24        # figures/faithfulness.json and .md

For each network that comes trained and each method: localisation against the voxels that decide, deletion and
insertion curves, and how much the map changes when the network forgets all it learned. Beside them what maps get that
know nothing of any network, what a network gets that learned shuffled labels, and what becomes of one that learned a
scanner mark. Scores are means over subjects, with 95 % intervals where there are enough of them.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.mean_intervals import UNIT, mean_interval, share_interval
from medattn_lite.explain.held_out import Case, held_out
from medattn_lite.explain.localisation import ignorant_maps, localise, localise_by_plane
from medattn_lite.explain.methods import METHODS, explain_image
from medattn_lite.explain.perturbation import deletion_curve, insertion_curve
from medattn_lite.explain.sanity import similarity, twin
from medattn_lite.networks.trained import Trained, load_trained, trained_facts, trained_names

OPTIONS = {"integrated gradients": {"steps": 16}}  # enough where the sum of values is checked
KNOWN = ("mechanisms", "presence", "lesions", "fusion")
Row = dict[str, Any]


def score_network(
    trained: Trained, *, subjects: int, methods: Sequence[str] = tuple(METHODS), curves: bool = True,
    progress: bool = True,
) -> list[Row]:  # fmt: skip
    """One row for each held-out subject and method.

    Args:
        trained: of `load_trained`.
        subjects: at most so many.
        methods: names in `METHODS`; one that this network cannot be asked by is left out.
        curves: also deletion and insertion, which take many passes.
        progress: show a bar.

    Returns:
        rows with `subject`, `method`, the scores by name, and `note`; for volumes also the AUC by plane. The methods
        "noise", "middle", "edges" and "brightness" know nothing of the network; "chance" is a constant map.
    """
    marked = bool(trained.facts["settings"]["options"].get("marked"))
    cases = list(held_out(trained, limit=subjects, marked=marked))
    if not cases:
        raise UserError(f"no tested subject of {trained.name} has anything to find: train on more phantoms")
    forgotten = twin(trained.network, images=torch.cat([case.image for case in cases[:4]]))
    rows: list[Row] = []
    for case in tqdm(cases, desc=trained.name, disable=not progress, leave=False):
        for name, values in {**ignorant_maps(case.image[0]), "chance": torch.ones(case.signal.shape)}.items():
            rows.append({"subject": case.subject, "method": name, **_located(values, case), "note": ""})
        for method in methods:
            row = _explained(trained.network, forgotten, case, method, curves=curves)
            if row is not None:
                rows.append({"subject": case.subject, "method": method, **row})
    return rows


def summarise(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Method → score → mean over subjects with its interval; a score without a number in it is left out."""
    rows = list(rows)
    table: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        scores = [name for name in own[0] if name not in ("subject", "method", "note")]
        for score in scores:
            values = np.array([row[score] for row in own if row.get(score) is not None], dtype=float)
            values = values[np.isfinite(values)]
            if len(values):
                table.setdefault(method, {})[score] = _mean(score, values).as_dict()
        notes = {note for row in own if (note := row["note"])}
        if notes:
            table.setdefault(method, {})["notes"] = sorted(notes)
    return table


def run(names: Sequence[str], *, subjects: int, curves: bool = True, progress: bool = True) -> Row:
    """All networks; returns what is written as JSON."""
    networks = {}
    for name in names:
        trained = load_trained(name)
        rows = score_network(trained, subjects=subjects, curves=curves, progress=progress)
        facts = trained.facts
        networks[name] = {
            "network": facts["network"], "variant": facts["variant"], "recipe": facts["recipe"],
            "subjects": len({row["subject"] for row in rows}), "scores": facts["scores"], "methods": summarise(rows),
        }  # fmt: skip
    return {"data": "phantom (synthetic)", "twin": "all weights drawn anew, seed 0", "networks": networks}


def known_networks() -> list[str]:
    """The trained networks whose signal is a set of voxels of their own input."""
    return [name for name in trained_names() if trained_facts(name)["recipe"] in KNOWN]


def windows(size: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Windows that occlusion hides: half as far apart in pictures; in volumes at most seven along an axis, overlapping.

    Args:
        size: (H, W) or (D, H, W).
    """
    if len(size) == 2:
        return {"window": (8, 8), "stride": (4, 4)}
    stride = max(8, math.ceil(max(size) / 7))
    return {"window": (stride * 3 // 2,) * 3, "stride": (stride,) * 3}


def _mean(score: str, values: np.ndarray) -> Interval:
    """The mean of a score, with the interval of what it lies between: hits, shares, correlations, areas of any size."""
    if score.startswith("pointing game"):
        return share_interval(values)
    if score.startswith(("relevance mass", "AUC")):
        return mean_interval(values, bounds=UNIT)
    return mean_interval(values, bounds=(-1.0, 1.0) if score.startswith("like the") else None)


def _explained(
    network: nn.Module, forgotten: nn.Module, case: Case, method: str, *, curves: bool
) -> Row | None:
    """Scores of one method on one subject; None where the method does not fit the network."""
    options = dict(OPTIONS.get(method, {}))
    if method == "occlusion":
        options = windows(case.signal.shape)
    target = case.target if METHODS[method].asks else None
    try:
        found = explain_image(network, case.image, method=method, target=target, **options)
    except UserError as error:
        if "no attention" in str(error) or "finds no voxel" in str(error):
            return None
        raise
    values = found.values[0]
    row: Row = {**_located(values, case), "note": found.note}
    if METHODS[method].asks:
        fixed = target.fixed(network(case.image).detach())
        other = explain_image(forgotten, case.image, method=method, target=fixed, **options)
    else:
        other = explain_image(forgotten, case.image, method=method)
    row["like the forgetful twin's"] = similarity(values, other.values[0], within=case.counted)
    if curves:
        asked = {"target": case.target, "within": case.counted}
        row["deletion area"] = deletion_curve(network, case.image, values, **asked).area
        row["insertion area"] = insertion_curve(network, case.image, values, **asked).area
    return row


def _located(values: Tensor, case: Case) -> Row:
    within = case.counted
    row: Row = dict(localise(values, case.signal, within=within).as_dict())
    if case.mark is not None and bool(case.mark.any()):
        row |= {f"{name} of the mark": score for name, score in localise(values, case.mark, within=within)
                .as_dict().items()}  # fmt: skip
    if values.dim() == 3:
        planes = localise_by_plane(values, case.signal, within=within)
        row |= {f"AUC in {plane} slices": own.auc for plane, own in planes.items()}
        row |= {f"relevance mass in {plane} slices": own.relevance_mass for plane, own in planes.items()}
    return row


def _add(record: Row, path: Path, *, fresh: bool) -> None:
    """Puts networks into the file, among those that are there unless it is to begin anew; by name."""
    known = json.loads(path.read_text(encoding="utf-8"))["networks"] if path.is_file() and not fresh else {}
    known |= record["networks"]
    record["networks"] = {name: known[name] for name in sorted(known)}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    from medattn_lite.explain.benchmark_page import write_page

    parser = argparse.ArgumentParser(prog="python -m medattn_lite.explain.benchmark",
                                     description=__doc__.splitlines()[0])  # fmt: skip
    parser.add_argument("--networks", help="names, by commas; the figures of the others stay. All that know their "
                        "signal if left out")  # fmt: skip
    parser.add_argument("--subjects", type=int, default=24, help="at most so many for each network")
    parser.add_argument("--no-curves", action="store_true", help="leave deletion and insertion out")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")
    given = parser.parse_args(arguments)
    try:
        names = given.networks.split(",") if given.networks else known_networks()
        if given.subjects < 2:
            raise UserError(f"--subjects {given.subjects}: an interval needs at least 2")
        given.out.mkdir(parents=True, exist_ok=True)
        for name in names:  # written after each: hours of work are not lost with the last
            record = run([name], subjects=given.subjects, curves=not given.no_curves)
            _add(record, given.out / "faithfulness.json", fresh=not given.networks and name == names[0])
        print(write_page(given.out))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())


