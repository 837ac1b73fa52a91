"""Phantoms that a trained network has never seen, as it takes them, with the voxels that decide.

    trained = load_trained("grade_p3d_iam")
    for case in held_out(trained, limit=8):
        explain_image(trained.network, case.image, target=case.target)      # case.signal: where it should be

Phantom i of a cohort depends on the seed and on i alone, so only the subjects asked for are rendered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from medattn_lite.data.phantom import PhantomCohort, Subject
from medattn_lite.data.slice_cutting import fit_slice, slices_of
from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError
from medattn_lite.explain.model import ClassLogit, RegionSum, Target
from medattn_lite.networks.trained import Trained
from medattn_lite.training.recipes import find_recipe

MORE = 4  # further phantoms drawn for each one wanted: half of them have something to find
LARGEST_SLICE = 0.01  # of the head: from here a tumour counts as seen, as in the recipe


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """One subject, as a network takes it.

    Attributes:
        subject: its name.
        image: (1, C, D, H, W), or (1, C, H, W) of its slice with most tumour, as the network was trained.
        signal: (D, H, W) or (H, W) bool, the voxels that decide.
        head: bool, where anything is.
        target: what to explain: the class that the signal speaks for, or the true region.
        mark: bool, the voxels of the scanner mark; None without one.
        affine: 4×4, of a volume's voxels to RAS mm; None for a slice.
    """

    subject: str
    image: Tensor
    signal: Tensor
    head: Tensor
    target: Target
    mark: Tensor | None = None
    affine: Any = None

    @property
    def counted(self) -> Tensor:
        """The voxels in which something can be relevant: the head, and the mark."""
        return self.head if self.mark is None else self.head | self.mark


def cohort_of(trained: Trained, *, more: int = 0) -> PhantomCohort:
    """Lists the phantoms that a trained network was trained, chosen and tested on; nothing is rendered yet.

    Args:
        trained: of `load_trained`.
        more: phantoms of the same kind after them, which no network has seen.
    """
    settings, recipe = trained.facts["settings"], find_recipe(trained.facts["recipe"])
    phantom = {"shape": settings["size"], **settings["phantom"]}
    phantom["shape"] = tuple(phantom["shape"])
    return PhantomCohort(n=settings["subjects"] + more, task=recipe.phantom_task, seed=trained.facts["seed"],
                         **phantom)  # fmt: skip


def held_out(
    trained: Trained, *, limit: int | None = None, marked: bool = False, more: bool = False,
    known: Collection[str] = (),
) -> Iterator[PhantomCase]:  # fmt: skip
    """Yields the tested subjects that have something to find: high grades, slices with tumour, lesions.

    Args:
        trained: of the recipes grading on whole heads ("mechanisms"), "presence", "lesions" or "fusion".
        limit: at most so many subjects; None for all.
        marked: plant the scanner mark beside every head.
        more: where the tested subjects do not reach the limit, go on with further phantoms of the cohort.
        known: names of subjects that are counted and not rendered again.

    Raises:
        UserError: a recipe whose signal is not a set of voxels of the network's own input.
    """
    further = MORE * limit if more and limit is not None else 0
    cohort = cohort_of(trained, more=further)
    index = {name: number for number, name in enumerate(cohort.subjects)}
    yielded = 0
    for name in [*trained.tested, *cohort.subjects[len(cohort) - further :]]:
        if limit is not None and yielded >= limit:
            return
        if trained.facts["recipe"] in ("mechanisms", "presence") and not cohort.labels[index[name]]:
            continue
        if name in known:
            yielded += 1
            continue
        subject = cohort.subject(index[name])
        sample = cohort[index[name]] if not marked else _marked(cohort, index[name])
        case = case_of(trained, sample)
        if case is not None:
            yielded += 1
            yield dataclasses.replace(case, subject=subject.subject_id or name)


def graded_heads(trained: Trained, *, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Draws heads of both grades that a grading network was neither trained nor chosen on, as it takes them.

    Args:
        trained: of the recipe grading on whole heads ("mechanisms").
        limit: at most so many heads, half of them of each grade; None for all.

    Returns:
        Images (N, C, D, H, W) and labels (N,), in the cohort's order.

    Raises:
        UserError: another recipe.
    """
    if trained.facts["recipe"] != "mechanisms":
        raise UserError(f"{trained.name} does not grade whole heads: use a network of the recipe mechanisms")
    cohort, tested = cohort_of(trained), set(trained.tested)
    rows = [row for row, name in enumerate(cohort.subjects) if name in tested]
    labels = cohort.labels
    if limit is not None:
        rows = sorted(row for grade in (0, 1) for row in [row for row in rows if labels[row] == grade][: limit // 2])
    images = torch.stack([normalise(cohort[row]["image"]) for row in rows])
    return images, torch.tensor([labels[row] for row in rows])


def case_of(trained: Trained, sample: dict[str, Any]) -> PhantomCase | None:
    """Makes a phantom's sample as a network takes it; None where it has nothing to find.

    Args:
        trained: see `held_out`.
        sample: rendered as the network's cohort renders its own.

    Raises:
        UserError: as `held_out`.
    """
    recipe = trained.facts["recipe"]
    if recipe == "presence":
        return _slice_case(trained, sample)
    if recipe not in ("mechanisms", "lesions", "fusion"):
        raise UserError(f"{trained.name} was trained by {recipe}: its signal is not a set of voxels of its input; use "
                        "one of mechanisms, presence, lesions or fusion")  # fmt: skip
    head = (sample["image"] != 0).any(dim=0)
    signal = sample["signal"][0] if recipe == "mechanisms" else sample["mask"][0] > 0
    if not bool((signal & head).any()):
        return None
    targets: dict[str, Target] = {
        "mechanisms": ClassLogit(1, name="high grade"),
        "lesions": RegionSum(1, name="lesion"),
        "fusion": RegionSum(0, link="sigmoid", name="whole tumour"),
    }
    mark = sample["mark"][0] if "mark" in sample else None
    return PhantomCase(sample["subject"], normalise(sample["image"])[None], signal, head, targets[recipe], mark,
                       sample["affine"])  # fmt: skip


def _slice_case(trained: Trained, sample: dict[str, Any]) -> PhantomCase | None:
    slices = [piece for piece in slices_of(sample, "presence", LARGEST_SLICE) if piece.label == 1]
    if not slices:
        return None
    high, wide = trained.size
    shown = fit_slice(max(slices, key=lambda item: item.tumour), sample, (high, wide))
    head = (shown.image != shown.image.flatten(1).amin(1)[:, None, None]).any(dim=0)
    return PhantomCase(sample["subject"], shown.image[None], shown.mask[0] > 0, head, ClassLogit(1, name="tumour"))


def _marked(cohort: PhantomCohort, index: int) -> dict[str, Any]:
    """The same sample with the mark; the cohort's own way of rendering is kept."""
    subject: Subject = cohort.subject(index)
    with torch.no_grad():
        return cohort.render(dataclasses.replace(subject, shortcut=True))
