"""What the labels of a BraTS mask mean: by the year that a case's name tells, or by all masks of a folder together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from medattn_lite.data.nifti_io.volumes import load_volume
from medattn_lite.errors import UserError


class OlderLabels:
    """What label 3 means in the masks of the older years, decided over all of them when it is first asked.

    Args:
        masks: the files.
    """

    def __init__(self, masks: Sequence[Path]) -> None:
        self.masks = masks

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many masks hold 3 alone, 4 alone, or both; what cannot be read counts for nothing."""
        counts = {"3": 0, "4": 0, "both": 0}
        for path in self.masks:
            try:
                array = load_volume(path).array
            except UserError:  # the check of its own case says so
                continue
            three, four = bool((array == 3).any()), bool((array == 4).any())
            if three or four:
                counts["both" if three and four else "3" if three else "4"] += 1
        return counts

    def three(self, path: Path) -> int:
        """Sample label of a 3.

        Raises:
            UserError: some masks hold 3 and others 4, and none both.
        """
        counts = self.counts
        if counts["both"]:
            return 1
        if counts["4"]:
            raise UserError(
                f"{path} has the label 3; of the masks beside it {counts['4']} have 4 and none has both, so "
                "it may be enhancing tumour or non-enhancing core: say it with label_map={1: 1, 2: 2, "
                "3: 4, 4: 4} or {1: 1, 2: 2, 3: 1, 4: 4}"
            )
        return 4

    def describe(self) -> str:
        """How a 3 was read, in words; "" where none was asked about."""
        if "counts" not in self.__dict__:
            return ""
        counts = self.counts
        if counts["both"]:
            return (f"label 3 is read as non-enhancing core (1), as in BraTS 2015: {counts['both']} of the masks hold "
                    f"both 3 and 4, {counts['3']} hold 3 alone")
        if counts["4"]:
            return f"label 3 is not known: {counts['3']} masks hold 3, {counts['4']} hold 4, none holds both"
        return f"label 3 is read as enhancing tumour (4): {counts['3']} masks hold it and none holds 4"


def is_older(case: str) -> bool:
    """Whether a case is named as before 2023."""
    return _year(case) == "older"


def label_values(case: str, three: bool, path: Path, older: OlderLabels) -> dict[int, int]:
    """File label → sample label of one case (see `BraTSDataset.label_values`); `three`: whether its mask holds a 3."""
    if _year(case) == "paediatric":
        raise UserError(
            f"{path}: the labels of BraTS-PED differ between years; say what yours mean, e.g. "
            "label_map={1: 4, 2: 1, 3: 1, 4: 2} where 1 is enhancing, 2 core, 3 cyst, 4 oedema"
        )
    if _year(case) == "newer":
        return {1: 1, 2: 2, 3: 4, 4: 5}
    return {1: 1, 2: 2, 3: older.three(path) if three else 4, 4: 4}


def _year(case: str) -> str:
    """How the labels of a case are written: "paediatric", "newer" (2023 on) or "older"."""
    word = case.rpartition("/")[2].lower()
    return "paediatric" if word.startswith("brats-ped") else "newer" if word.startswith("brats-") else "older"
