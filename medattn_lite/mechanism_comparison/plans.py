"""The tasks of the comparison, each with every number of its training: the same for all mechanisms.

Sizes were chosen with seeds of 100 and above and the plain network alone, so that it lies above chance and below what
can be reached: where all networks fail or all succeed, no difference could show. lgg takes the numbers of
presence; those for images of yours are a start. Results are of seeds 0 to 4. The state after the last step is
tested; nothing is chosen on test patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from operator import gt
from types import MappingProxyType
from typing import Any

from medattn_lite.errors import UserError

MOST_RATE = 100.0
QUESTIONS = ("label", "presence", "mask")


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class TaskPlan:
    """One task.

    Attributes:
        name: what the command and the records call it.
        title: in words, for the table.
        question: "label", two classes of patients or pictures; "presence", is there a tumour in this slice; "mask",
            which voxels are marked.
        data: "phantom", or a name of `medattn_lite.data.NAMES`; "" is left to the user.
        frame: one of `FRAMES`; for two-dimensional images "p3d" becomes "resnet".
        size: (D, H, W) or (H, W) of the images.
        width: channels of the first stage.
        steps: of the optimiser (Adam, learning rate to 0 along a cosine).
        batch_size: images per step.
        learning_rate: at the start.
        crop: shape of a random crop per image in training, half of them around a marked voxel; None for whole images.
        subjects: phantoms made.
        test_share: of the patients.
        per_subject: slices per patient at most, for "presence".
        around_mask: cut a window of `size` around the annotated tumour; else the image is scaled to `size`.
        phantom: options of the phantom cohort.
    """

    name: str
    title: str
    question: str
    data: str
    frame: str
    size: tuple[int, ...]
    width: int = 8
    steps: int = 150
    batch_size: int = 8
    learning_rate: float = 2e-3
    crop: tuple[int, ...] | None = None
    subjects: int = 0
    test_share: float = 0.5
    per_subject: int | None = None
    around_mask: bool = False
    phantom: Mapping[str, Any] = field(default_factory=_nothing)

    @property
    def score(self) -> str:
        """What is compared."""
        return "Dice" if self.question == "mask" else "AUC"

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> TaskPlan:
        """The task of a record, as `as_dict` wrote it."""
        return cls(**_with_tuples(settings))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in
                {**asdict(replace(self, phantom={})), "phantom": dict(self.phantom)}.items()}  # fmt: skip


_ALL = (
    TaskPlan(
        "grade", "phantom, grade of a tumour", "label", "phantom", "p3d", (16, 24, 24), subjects=240, around_mask=True,
        steps=300, batch_size=4, learning_rate=3e-3,
        phantom={"task": "grade", "shape": (40, 48, 40), "spacing_mm": 4.0},
    ),
    TaskPlan(
        "presence", "phantom, tumour in a slice", "presence", "phantom", "resnet", (48, 48), subjects=160,
        per_subject=6, batch_size=16,
        phantom={"task": "presence", "shape": (28, 56, 48), "spacing_mm": (6.0, 3.5, 3.5)},
    ),
    TaskPlan(
        "lesions", "phantom, MS lesions voxel by voxel", "mask", "phantom", "unet", (12, 40, 40), subjects=80,
        steps=300, batch_size=2, around_mask=True,
        phantom={"task": "ms", "shape": (24, 64, 52), "spacing_mm": (6.0, 3.0, 3.0)},
    ),
    TaskPlan(
        "lgg", "patients (LGG), tumour in a slice", "presence", "lgg", "resnet", (48, 48), test_share=0.5,
        per_subject=12, batch_size=16,
    ),
    TaskPlan("label", "two classes of your own", "label", "", "p3d", (24, 28, 24)),
    TaskPlan("slices", "tumour in a slice, your own volumes", "presence", "", "resnet", (64, 64), per_subject=12,
             batch_size=16),
    TaskPlan("mask", "your own masks, voxel by voxel", "mask", "", "unet", (16, 40, 40), steps=100, batch_size=2),
)  # fmt: skip
PLANS: Mapping[str, TaskPlan] = MappingProxyType({plan.name: plan for plan in _ALL})
CHANGEABLE = tuple(field.name for field in fields(TaskPlan) if field.name not in
                   ("name", "title", "question", "data", "frame", "phantom"))  # fmt: skip


def find_plan(name: str, *, data: str | None = None, changes: Mapping[str, Any] | None = None) -> TaskPlan:
    """Looks up a task by its name.

    Args:
        name: one of `PLANS`.
        data: of tasks that are left to the user: a name of `medattn_lite.data.NAMES`.
        changes: other values of `CHANGEABLE` fields.

    Raises:
        UserError: no such task or field, a value that does not fit, or a task that needs data.
    """
    if name not in PLANS:
        raise UserError(f"no task is called {name!r}: use {', '.join(PLANS)}, or a positive control (--list)")
    plan = PLANS[name]
    wrong = [key for key in changes or {} if key not in CHANGEABLE]
    if wrong:
        raise UserError(f"no setting is called {wrong[0]!r}: use {', '.join(CHANGEABLE)}")
    if not plan.data:
        if not data or data == "phantom":
            raise UserError(f"the task {name} asks about images of yours: say --data and --root, or use one of "
                            f"{', '.join(plan.name for plan in _ALL if plan.data == 'phantom')}")  # fmt: skip
        plan = replace(plan, data=data, name=f"{name}-{data}", title=f"{data}: {plan.title}")
    plan = replace(plan, **_with_tuples(changes or {}))
    _check(plan)
    return plan


def _with_tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def _check(plan: TaskPlan) -> None:
    limits = {"steps": (1, 10_000_000), "batch_size": (1, 10_000), "width": (1, 1024), "subjects": (0, 100_000)}
    for name, (low, high) in limits.items():
        value = getattr(plan, name)
        if not _is_whole(value, low, high) or name == "subjects" and plan.data == "phantom" and value < 4:
            least = 4 if name == "subjects" and plan.data == "phantom" else low
            raise UserError(f"{name}={value!r}: give a whole number of at least {least}, at most {high}")
    if plan.per_subject is not None and not _is_whole(plan.per_subject, 1, 100_000):
        raise UserError(f"per_subject={plan.per_subject!r}: give a whole number of at least 1, or none for all slices")
    if not isinstance(plan.around_mask, bool):
        raise UserError(f"around_mask={plan.around_mask!r}: give true or false")
    if not _is_number(plan.learning_rate) or not 0 < plan.learning_rate <= MOST_RATE:
        raise UserError(f"learning_rate={plan.learning_rate!r}: give a number above 0, at most {MOST_RATE:g}")
    if not _is_number(plan.test_share) or not 0 < plan.test_share < 1:
        raise UserError(f"test_share={plan.test_share!r}: give a share between 0 and 1")
    for name in ("size", "crop"):
        value = getattr(plan, name)
        if value is None and name == "crop":
            continue
        if not isinstance(value, tuple) or len(value) not in (2, 3) or not all(_is_whole(n, 8, 1024) for n in value):
            raise UserError(f"{name}={value!r}: give two or three whole numbers of at least 8, such as (24, 28, 24)")
    if plan.crop is not None and (len(plan.crop) != len(plan.size) or any(map(gt, plan.crop, plan.size))):
        raise UserError(f"crop={plan.crop!r}: give a part of size={plan.size}, a number for each of its axes")


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
