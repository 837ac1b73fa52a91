"""Grad-CAM of a survival network in three planes: are coronal and sagittal maps better than axial ones?

    medattn study survival-planes --subjects 40        figures/survival_planes.json and .md

The survival deck shows Grad-CAM in three planes and calls the coronal and the sagittal ones better. Here "better" is a
number: in each slice that shows tumour, does the map put higher values on the tumour than beside it (AUC, 0.5 is
chance)? Means over the slices of a plane, then over phantoms that no network has seen. Beside the trained network
stand a re-initialised copy, maps that know nothing of any network, and as a positive control the tumour itself, as
coarse as the layer. A plane is better for the network only if it is not as much better for maps that know nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm.auto import tqdm

from medattn_lite.data.json_files import write_json
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.mean_intervals import UNIT, mean_interval
from medattn_lite.explain.faithfulness.localisation import PLANES, ignorant_maps, localise_by_plane
from medattn_lite.explain.faithfulness.phantom_cases import cohort_of
from medattn_lite.explain.faithfulness.sanity import reinitialised_copy
from medattn_lite.explain.methods import explain_image
from medattn_lite.networks.trained import Trained, load_trained, trained_facts, trained_names
from medattn_lite.training.tasks import recall_trained, task_kind

CLAIMS = (("coronal", "axial"), ("sagittal", "axial"))
TRAINED, FRESH, TRUTH = "Grad-CAM", "Grad-CAM, re-initialised", "the tumour, as coarse"
PAGE = """# Grad-CAM of survival networks in three planes

Made by `medattn study survival-planes`; do not edit by hand. Synthetic heads that no network has seen. AUC of the
tumour's voxels against the others of the head, in each slice that shows tumour, mean over slices and then over
subjects; 0.5 is chance. 95 % intervals over subjects. The survival deck calls coronal and sagittal maps better than
axial ones; a difference counts for the network only where maps that know nothing do not have it as well.
"""


def planes_of(trained: Trained, *, subjects: int, progress: bool = True) -> dict[str, Any]:
    """AUC by map and plane, with the differences that the deck claims.

    Args:
        trained: a survival network of `load_trained`.
        subjects: phantoms beyond the network's own cohort.
        progress: show a bar.

    Returns:
        `subjects`; `auc`: map → plane → interval; `difference`: "coronal − axial" → map → interval.

    Raises:
        UserError: no survival network, or fewer than 2 subjects.
    """
    task = recall_trained(trained.facts)
    if task.asks != "risk":
        raise UserError(f"{trained.name} does not predict survival: use a network of the recipe survival")
    if subjects < 2:
        raise UserError(f"--subjects {subjects}: an interval needs 2 or more")
    cohort = cohort_of(trained, more=subjects)
    samples = [task.prepare(cohort[len(cohort) - subjects + row])
               for row in tqdm(range(subjects), desc="heads", disable=not progress, leave=False)]  # fmt: skip
    fresh = reinitialised_copy(trained.network, images=torch.stack([sample["image"].float() for sample in samples[:4]]))
    rows: dict[str, list[list[float]]] = {}
    for number, sample in enumerate(samples):
        image, tumour = sample["image"].float(), sample["mask"][0] > 0
        head = (image != image[:, :1, :1, :1]).any(dim=0)
        for name, values in _maps(trained, fresh, image, tumour, number).items():
            located = localise_by_plane(values, tumour, within=head | tumour)
            rows.setdefault(name, []).append([located[plane].auc for plane in PLANES])
    table = {name: np.array(aucs) for name, aucs in rows.items()}  # (subjects, planes)
    return {
        "subjects": subjects,
        "auc": {name: {plane: mean_interval(aucs[:, place], bounds=UNIT).as_dict()
                       for place, plane in enumerate(PLANES)}
                for name, aucs in table.items()},
        "difference": {f"{better} − {than}": {
            name: mean_interval(aucs[:, PLANES.index(better)] - aucs[:, PLANES.index(than)]).as_dict()
            for name, aucs in table.items()} for better, than in CLAIMS},
    }  # fmt: skip


def _maps(
    trained: Trained, fresh: torch.nn.Module, image: Tensor, tumour: Tensor, number: int
) -> dict[str, Tensor]:  # fmt: skip
    maps = {name: explain_image(network, image[None], method="Grad-CAM").values[0]
            for name, network in ((TRAINED, trained.network), (FRESH, fresh))}  # fmt: skip
    depth, height, width = (max(side // 4, 1) for side in tumour.shape)
    coarse = functional.adaptive_avg_pool3d(tumour[None, None].float(), (depth, height, width))
    truth = functional.interpolate(coarse, size=tumour.shape, mode="trilinear")[0, 0]
    return {**maps, TRUTH: truth, **ignorant_maps(image, seed=number)}


def page_of(record: Mapping[str, Any]) -> str:
    """The tables as Markdown."""
    lines = [PAGE]
    for name, facts in record["networks"].items():
        claims = list(facts["difference"])
        lines += [f"\n## {name}: {facts['subjects']} subjects\n", f"| map | {' | '.join([*PLANES, *claims])} |",
                  "| --- " * (1 + len(PLANES) + len(claims)) + "|"]  # fmt: skip
        for kind, planes in facts["auc"].items():
            cells = [planes[plane] for plane in PLANES] + [facts["difference"][claim][kind] for claim in claims]
            lines.append(f"| {kind} | {' | '.join(Interval.from_dict(cell).text() for cell in cells)} |")
        lines += ["", " ".join(_verdict(claim, facts["difference"][claim]) for claim in claims)]
    return "\n".join(lines) + "\n"


def _verdict(claim: str, difference: Mapping[str, Any]) -> str:
    """One sentence: does the trained network's map bear the claim out, and is it more than maps that know nothing?"""
    gain = Interval.from_dict(difference[TRAINED])
    if not gain.low > 0:
        return f"{claim}: the claim is not borne out ({gain.text()})."
    free = [kind for kind in difference if kind not in (TRAINED, TRUTH)
            and Interval.from_dict(difference[kind]).high >= gain.value]  # fmt: skip
    return (f"{claim}: {gain.text()}, but maps that know nothing of the network may have as much: {', '.join(free)}."
            if free else f"{claim}: {gain.text()}, and more than any map that knows nothing of the network.")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="medattn study survival-planes", description=(__doc__ or "").split("\n")[0])
    known = [name for name in trained_names() if task_kind(trained_facts(name)).asks == "risk"]
    parser.add_argument("--networks", nargs="+", default=known, metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--subjects", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        measured = {name: planes_of(load_trained(name), subjects=options.subjects) for name in options.networks}
        record = json.loads(json.dumps({"networks": measured}))
        options.out.mkdir(parents=True, exist_ok=True)
        write_json(options.out / "survival_planes.json", record)
        (options.out / "survival_planes.md").write_text(page_of(record), encoding="utf-8")
        print(options.out / "survival_planes.md")
    except UserError as error:
        print(f"survival-planes: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
