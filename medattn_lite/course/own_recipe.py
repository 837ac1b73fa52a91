"""Which recipe fits a folder: what its table and its masks say decides, and the choice is said in words.

    labels of two classes         grading: a network, and a logistic regression on the tumour where there are masks
    masks of several labels       fusion, labels 1, 2, 3 read as 1, 2, 4
    masks                         lesions
    time and event                survival
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from medattn_lite.data.readers.cases import PatientDataset

LEAST = 4  # patients of a class, with a mask, or with a death: fewer do not make a fold


@dataclass(frozen=True)
class Choice:
    """A recipe for a folder.

    Attributes:
        recipe: its name.
        variants: what to train: a network, then a control without one where the recipe has one.
        words: more of the command line, such as the meaning of labels.
        because: why, in words.
    """

    recipe: str
    variants: tuple[str, ...]
    words: str
    because: str


def choose_recipe(dataset: PatientDataset, mask_labels: Sequence[int] = ()) -> Choice:
    """Chooses the recipe that a folder's table and masks allow.

    Args:
        dataset: of `open_dataset`.
        mask_labels: labels above 0 that its masks hold, as its check reports them.

    Raises:
        UserError: no recipe fits; says what is missing.
    """
    cases = dataset.cases
    labels = Counter(case.label for case in cases if case.label is not None)
    masks, deaths = sum(case.mask is not None for case in cases), sum(bool(case.event) for case in cases)
    if len(labels) == 2 and min(labels.values()) >= LEAST:
        control = ("tumour features",) if masks == len(cases) else ()
        how = "masks to cut the tumour out" if control else "no mask of everybody, so that the whole head is graded"
        return Choice("grading", ("P3D + IAM", *control), "", f"two classes ({_counts(labels)}) and {how}")
    if masks >= LEAST and len(set(mask_labels)) > 1:
        because = f"{masks} masks with the labels {_list(mask_labels)}"
        if set(mask_labels) != {1, 2, 3}:
            return Choice("fusion", ("DynUNet",), "", because)
        return Choice("fusion", ("DynUNet",), "--set label_map=1:1,2:2,3:4",
                      f"{because}, of which 3 is read as enhancing tumour: write another label_map if it is not")
    if masks >= LEAST:
        return Choice("lesions", ("RSA-010",), "", f"{masks} masks of one label")
    if deaths >= LEAST:
        return Choice("survival", ("SE-ResNeXt-50", "outline"), "", f"follow-up with {deaths} deaths")
    raise UserError(f"no recipe fits {len(cases)} cases with {len(labels)} classes ({_counts(labels) or 'no label'}), "
                    f"{masks} masks and {deaths} deaths: give two classes, masks or follow-up of at least {LEAST} "
                    "patients each, in a table (columns label, mask, time, event)")


def _counts(labels: Counter) -> str:
    return ", ".join(f"{label}: {count}" for label, count in sorted(labels.items()))


def _list(labels: Sequence[int]) -> str:
    return ", ".join(map(str, sorted(set(labels))))
