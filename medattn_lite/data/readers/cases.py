"""A case is what lies on the disk for one scan; a `PatientDataset` turns cases into samples.

Opening a data set only lists folders and reads tables. Voxels are read when a sample is asked
for, and every reader checks them the same way: same grid, no NaN, not constant, known labels.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from medattn_lite.data.dataset import Sample
from medattn_lite.data.nifti_io.volumes import Grid, voxel_sizes
from medattn_lite.data.readers.find_files import left_out
from medattn_lite.data.readers.read_voxels import check_voxels, read_channels, read_labels
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from medattn_lite.data.batches import MonaiSamples



@dataclass(frozen=True)
class Case:
    """One scan of one patient.

    Attributes:
        case: its folder or file name.
        subject: the patient. Two scans of one patient have two cases and one subject.
        images: file of each channel that exists.
        mask: file of the segmentation, if there is one.
        label: class, if known.
        time: days of follow-up, if known.
        event: whether death was seen at `time`; False means alive when last heard of.
        meta: whatever else the source says (grade, age, …).
        missing: channels without a file. `meta["not_found"]` has the paths that a table names for them.
    """

    case: str
    subject: str
    images: Mapping[str, Path]
    mask: Path | None = None
    label: int | None = None
    time: float | None = None
    event: bool | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def lacks(self) -> str:
        """The missing channels in words, with the file that a table names for each, if one does."""
        paths = self.meta.get("not_found", {})
        return ", ".join(f"{name} (no file {paths[name]})" if name in paths else name for name in self.missing)

    def with_facts(self, **facts: Any) -> Case:
        """A copy with some fields replaced; `meta` is added to, not replaced."""
        facts["meta"] = {**self.meta, **facts.get("meta", {})}
        return replace(self, **facts)


class NothingComplete(UserError):
    """No case of a folder has all its files.

    Attributes:
        incomplete: the cases, each with what it lacks.
    """

    def __init__(self, message: str, incomplete: Sequence[Case]) -> None:
        super().__init__(message)
        self.incomplete = list(incomplete)


def mask_of(case: Case) -> Path:
    """The file of a case's segmentation.

    Raises:
        UserError: it has none.
    """
    if case.mask is None:
        raise UserError(f"{case.case} has no segmentation")
    return case.mask


class PatientDataset(Sequence):
    """Samples of real patients, read when asked for.

    Args:
        source: name of the data set, as in `DATASETS`.
        root: its folder.
        channels: channels of every sample, in order.
        cases: complete and incomplete cases; only those with every channel become samples.
        mask_values: file label → sample label, for `read_mask`; None keeps the labels 0 to 255.

    Attributes:
        cases: cases with every channel: `dataset[i]` is `dataset.cases[i]`.
        incomplete: the other cases.
        remarks: what the reader has to say about the folder or its table, in words.
        set_aside: files that were recognised and are not read on purpose, such as brain masks.
        by_table: a table names the files, so that those it does not name are no loss.
        place: the folder that the cases lie in, where only a part of `root` is read.

    Raises:
        UserError: no case is complete.
    """

    expects = "image files"  # the layout, for the message that nothing was found

    def __init__(
        self,
        source: str,
        root: Path,
        channels: Sequence[str],
        cases: Sequence[Case],
        *,
        mask_values: Mapping[int, int] | None = None,
    ) -> None:
        self.source = source
        self.root = root
        self.channels = tuple(channels)
        self.cases = [case for case in cases if not case.missing]
        self.incomplete = [case for case in cases if case.missing]
        self.mask_values = mask_values
        self.remarks: list[str] = []
        self.set_aside: list[Path] = []
        self.by_table = False
        self.place = root
        if not self.cases:
            if self.incomplete:
                first = self.incomplete[0]
                raise NothingComplete(
                    f"none of the {len(self.incomplete)} cases in {root} has all of {', '.join(self.channels)}: "
                    f"{first.case} lacks {first.lacks}; add the files "
                    f"(medattn check-data {source} --root {root} names them all)", self.incomplete,
                )  # fmt: skip
            raise UserError(f"{root} holds no case of {source}: expected {self.expects}; check the folder")

    def __len__(self) -> int:
        return len(self.cases)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> PatientDataset: ...

    def __getitem__(self, index: int | slice) -> Sample | PatientDataset:
        """A sample, read now; a slice is the same data set with fewer cases, read when asked for."""
        if isinstance(index, slice):
            part = copy.copy(self)
            part.cases = self.cases[index]
            return part
        return self.read(self.cases[index])

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(case) for case in self.cases)

    @property
    def subjects(self) -> list[str]:
        """The patient of every sample."""
        return [case.subject for case in self.cases]

    @property
    def labels(self) -> list[int | None]:
        """The class of every sample, None where unknown."""
        return [case.label for case in self.cases]

    def subset(self, subjects: Sequence[str]) -> PatientDataset:
        """The same data set with the scans of these patients only."""
        wanted = set(subjects)
        unknown = wanted - set(self.subjects)
        if unknown:
            raise UserError(f"no patient {sorted(unknown)[0]} in {self.root}: see dataset.subjects")
        part = copy.copy(self)
        part.cases = [case for case in self.cases if case.subject in wanted]
        return part

    def files(self) -> list[Path]:
        """Every file that a case is made of, complete or not."""
        return [path for case in (*self.cases, *self.incomplete) for path in
                (*case.images.values(), *([case.mask] if case.mask is not None else []))]

    def not_read(self) -> tuple[list[str], list[str]]:
        """What lies in the folder and is in no case: what is lost to the data set, and what is worth knowing, in words.

        Links without a target, other formats, downloads that stopped, empty classes; see `listing.left_out`.
        """
        used = {*self.files(), *self.set_aside}
        lost, spare = left_out(self.place, used, pictures=self.source in ("images", "lgg"))
        return ([], [*spare, *lost]) if self.by_table else (lost, spare)  # a table says what belongs to the data set

    def as_monai(self) -> MonaiSamples:
        """The data set for MONAI's transforms and any DataLoader: see `medattn_lite.data.batches.as_monai`."""
        from medattn_lite.data.batches import as_monai

        return as_monai(self)

    def table(self) -> pd.DataFrame:
        """One row per sample: subject, case, label, time, event and what the source says besides."""
        import pandas as pd

        rows = [
            {
                "subject": case.subject,
                "case": case.case,
                "label": case.label,
                "time": case.time,
                "event": case.event,
                "has_mask": case.mask is not None,
                **case.meta,
            }
            for case in self.cases
        ]
        return pd.DataFrame(rows)

    def read(self, case: Case) -> Sample:
        """Reads one case into a sample.

        Raises:
            UserError: a file is damaged, on another grid, not finite, constant, or its mask has
                labels that this data set does not know.
        """
        import torch

        array, affine, grid = self.read_image(case)
        check_voxels(array, [case.images[name] for name in self.channels if name in case.images], self.channels)
        sample: Sample = {
            "image": torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)),
            "affine": affine,
            "subject": case.subject,
            "source": self.source,
            "channels": self.channels,
            "grid": grid,
            "meta": {"case": case.case, "voxel_size_mm": voxel_sizes(affine), **case.meta},
        }
        if case.mask is not None:
            mask = self.read_mask(case, grid)
            if mask.shape != array.shape[1:]:
                raise UserError(
                    f"{case.mask} has shape {mask.shape} but its image {array.shape[1:]} (D, H, W): "
                    "use a mask drawn on the same image"
                )
            sample["mask"] = torch.from_numpy(np.ascontiguousarray(mask[None], dtype=np.uint8))
        for key in ("label", "time", "event"):
            if getattr(case, key) is not None:
                sample[key] = getattr(case, key)
        return sample

    def read_image(self, case: Case) -> tuple[np.ndarray, np.ndarray, Grid | None]:
        """(C, D, H, W), its affine and the grid of the first channel's file."""
        return read_channels([case.images[name] for name in self.channels])

    def read_mask(self, case: Case, grid: Grid | None) -> np.ndarray:
        """(D, H, W) of labels."""
        return read_labels(mask_of(case), self.mask_values, grid=grid, image=next(iter(case.images.values()), None))
