"""Held-out phantoms in a network's input format, with their ground-truth voxels.

    trained = load_trained("grade_p3d_iam")
    for case in held_out(trained, limit=8):
        explain_image(trained.network, case.image, target=case.target)      # case.signal: where it should be

Phantom i of a cohort depends on the seed and on i alone, so only the subjects asked for are rendered.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from medattn_lite.data.dataset import Sample
from medattn_lite.data.phantom import PhantomCohort, Subject
from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError
from medattn_lite.explain.model import ClassLogit, RegionSum, Target
from medattn_lite.networks.trained import Trained
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.tasks import Task, recall_trained, task_kind

MORE = 4  # further phantoms drawn for each one wanted: half of them have something to find


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
        trained: of a recipe whose task has `signal_in_input`, such as mechanisms, presence, lesions or fusion.
        limit: at most so many subjects; None for all.
        marked: plant the scanner mark beside every head.
        more: where the tested subjects do not reach the limit, go on with further phantoms of the cohort.
        known: names of subjects that are counted and not rendered again.

    Raises:
        UserError: a recipe whose signal is not a set of voxels of the network's own input.
    """
    further = MORE * limit if more and limit is not None else 0
    cohort, task = cohort_of(trained, more=further), recall_trained(trained.facts)
    index = {name: number for number, name in enumerate(cohort.subjects)}
    yielded = 0
    for name in [*trained.tested, *cohort.subjects[len(cohort) - further :]]:
        if limit is not None and yielded >= limit:
            return
        if not task.may_have_signal(cohort.labels[index[name]]):
            continue
        if name in known:
            yielded += 1
            continue
        subject = cohort.subject(index[name])
        sample = cohort[index[name]] if not marked else _marked(cohort, index[name])
        case = case_of(trained, sample, task=task)
        if case is not None:
            yielded += 1
            yield dataclasses.replace(case, subject=subject.subject_id or name)


def graded_heads(trained: Trained, *, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Draws heads of both grades that a grading network was neither trained nor chosen on, as it takes them.

    Args:
        trained: grades whole heads, as networks of the recipe mechanisms do.
        limit: at most so many heads, half of them of each grade; None for all.

    Returns:
        Images (N, C, D, H, W) and labels (N,), in the cohort's order.

    Raises:
        UserError: it answers something else.
    """
    if not grades_heads(trained.facts):
        raise UserError(f"{trained.name} does not grade whole heads: use a network of the recipe mechanisms")
    cohort, tested = cohort_of(trained), set(trained.tested)
    rows = [row for row, name in enumerate(cohort.subjects) if name in tested]
    labels = cohort.labels
    if limit is not None:
        rows = sorted(row for grade in (0, 1) for row in [row for row in rows if labels[row] == grade][: limit // 2])
    images = torch.stack([normalise(cohort[row]["image"]) for row in rows])
    return images, torch.tensor([labels[row] for row in rows])


def grades_heads(facts: Mapping[str, Any]) -> bool:
    """Whether a trained network tells classes of whole heads apart; see `trained_facts`."""
    kind = task_kind(facts)
    return kind.asks == "class" and kind.unit == "volume" and not kind.needs_place


def case_of(trained: Trained, sample: Sample, *, task: Task | None = None) -> PhantomCase | None:
    """Makes a phantom's sample as a network takes it; None where it has nothing to find.

    Args:
        trained: see `held_out`.
        sample: rendered as the network's cohort renders its own.
        task: the network's; None rebuilds it.

    Raises:
        UserError: as `held_out`.
    """
    task = task or recall_trained(trained.facts)
    case = task.held_out_case(sample)
    if case is None:
        return None
    target: Target = ClassLogit(case.output, name=case.name)
    if case.link is not None:
        target = RegionSum(case.output, link=case.link, name=case.name)
    return PhantomCase(sample["subject"], case.image[None], case.signal, case.head, target, case.mark, case.affine)


def _marked(cohort: PhantomCohort, index: int) -> Sample:
    """The same sample with the mark; the cohort's own way of rendering is kept."""
    subject: Subject = cohort.subject(index)
    with torch.no_grad():
        return cohort.render(dataclasses.replace(subject, shortcut=True))
