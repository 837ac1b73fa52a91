"""One phantom subject: a person, a disease, and a scan of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from medattn_lite.data.dataset import Sample
from medattn_lite.data.phantom import contrasts as sequences
from medattn_lite.data.phantom.anatomy import anatomy_of
from medattn_lite.data.phantom.fields import blur
from medattn_lite.data.phantom.geometry import VoxelGrid, make_grid
from medattn_lite.data.phantom.gliomas import draw_glioma, glioma_pushes
from medattn_lite.data.phantom.head import add_head
from medattn_lite.data.phantom.lesions import DrawnDisease, place, slab_of
from medattn_lite.data.phantom.mass_effect import Push
from medattn_lite.data.phantom.metastases_and_meningiomas import (
    draw_meningioma,
    draw_metastases,
    meningioma_pushes,
    metastases_pushes,
)
from medattn_lite.data.phantom.ms import draw_ms
from medattn_lite.data.phantom.pathology import Glioma, Healthy, Meningioma, Metastases, MSLesions, Pathology
from medattn_lite.data.phantom.person import Person, draw_person
from medattn_lite.data.phantom.scanner import acquire, stamp_mark
from medattn_lite.data.threads import one_thread
from medattn_lite.errors import UserError

_DRAW: Mapping[type, Callable[..., DrawnDisease]] = {
    Glioma: draw_glioma, Metastases: draw_metastases, Meningioma: draw_meningioma, MSLesions: draw_ms,
}  # fmt: skip
_PUSHES: Mapping[type, Callable[..., tuple[Push, ...]]] = {
    Glioma: glioma_pushes, Metastases: metastases_pushes, Meningioma: meningioma_pushes,
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A synthetic subject. `dataclasses.replace(subject, pathology=...)` is the same person, other disease.

    Attributes:
        pathology: What the person has: `glioma(...)`, `metastases(...)`, `meningioma(...)`,
            `ms_lesions(...)` or `healthy()`.
        seed: Decides head, folding, tissue, scanner, and whatever the pathology leaves open.
        subject_id: Name in tables; made from the seed when None.
        shortcut: Plant the scanner mark.
        age_years: Age; drawn from the seed when None.
        resection: "gross total", "subtotal" or "biopsy"; changes survival, not the picture.
    """

    pathology: Pathology
    seed: int = 0
    subject_id: str = ""
    shortcut: bool = False
    age_years: float | None = None
    resection: str | None = None

    def __init__(
        self,
        pathology: Pathology,
        seed: int = 0,
        *,
        subject_id: str | None = None,
        shortcut: bool = False,
        age_years: float | None = None,
        resection: str | None = None,
    ) -> None:
        if type(pathology) is not Healthy and type(pathology) not in _DRAW:
            raise UserError(f"pathology={pathology!r}: give glioma(...), metastases(...), meningioma(...), "
                            "ms_lesions(...) or healthy()")  # fmt: skip
        if age_years is not None and not 0 < age_years < 120:
            raise UserError(f"age_years={age_years}: give an age in years between 0 and 120")
        values = {
            "pathology": pathology,
            "seed": int(seed),
            "subject_id": f"phantom-{int(seed):06d}" if subject_id is None else subject_id,
            "shortcut": bool(shortcut),
            "age_years": age_years,
            "resection": resection,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def person(self) -> Person:
        """The traits that no disease changes."""
        return draw_person(self.seed, self.age_years)

    @property
    def label(self) -> int:
        """Grade of a glioma (0 low, 1 high); for others 1 if there is a disease."""
        if isinstance(self.pathology, Glioma):
            return int(self.pathology.grade == "high")
        return int(not isinstance(self.pathology, Healthy))

    @one_thread()
    def lesions(self, grid: VoxelGrid, device: str | torch.device = "cpu") -> DrawnDisease:
        """The disease on a grid, with the anatomy it displaced."""
        disease = self.pathology
        cause = disease.displaced_by if isinstance(disease, Healthy) else disease
        pushes = _PUSHES[type(cause)](cause, self.seed) if type(cause) in _PUSHES else ()
        anatomy = anatomy_of(self.person, grid, device, pushes)
        if isinstance(disease, Healthy):
            nothing = torch.zeros(grid.shape, dtype=torch.uint8, device=device)
            return DrawnDisease(anatomy, {}, nothing, nothing.bool(), {"shift_mm": anatomy["shift"].max().item()})
        return _DRAW[type(disease)](disease, anatomy, self.seed)

    @one_thread()
    def region(
        self, shape: tuple[int, ...], spacing_mm: float | tuple[float, ...] | None = None,
        device: str | torch.device = "cpu",
    ) -> torch.Tensor:  # fmt: skip
        """The voxels of the disease, or of the glioma that a displaced healthy head does not have, as `render` cuts.

        Args:
            shape: `(D, H, W)`, or `(H, W)` for the slice that `render` takes.
            spacing_mm: As in `render`.
            device: Where to compute.
        """
        disease = self.pathology
        if isinstance(disease, Healthy) and disease.displaced_by is not None:
            return replace(self, pathology=disease.displaced_by).region(shape, spacing_mm, device)
        if len(shape) == 3:
            return self.lesions(make_grid(shape, spacing_mm), device).label > 0
        volume, slab = self._slice_grid(shape, spacing_mm, None, False)
        return slab_of(self.lesions(volume, device), slab).label[1] > 0

    @one_thread()
    def render(
        self,
        *,
        shape: tuple[int, ...] = (96, 112, 96),
        spacing_mm: float | tuple[float, ...] | None = None,
        contrasts: tuple[str, ...] = sequences.CONTRASTS,
        device: str | torch.device = "cpu",
        noise: float = 1.0,
        contrast: float = 1.0,
        vessels: float = 1.0,
        slice_mm: float | None = None,
        skull: bool = False,
        soften: float = 0.0,
    ) -> Sample:
        """Scan the subject: the same seed gives the same bits on a kind of CPU, whatever the number of threads.

        Args:
            shape: `(D, H, W)`; or `(H, W)` for one axial slice.
            spacing_mm: Voxel size; None fits the whole head into the shape with cubic voxels.
            contrasts: Sequences, of "t1", "t1ce", "t2", "flair".
            device: Where to compute and where the tensors stay.
            noise: Noise level; 1 is a typical scan, 0 none.
            contrast: Lesion contrast; 1 is typical.
            vessels: Brightness of vessels; 1 is typical.
            skull: Keep skull and scalp; by default the brain is stripped, as in public data sets.
            soften: Extra blur of the tissue before the scan, σ in voxels: for asking whether a network looks at
                sharpness. 0.45 takes as much roughness away as interpolation at half a voxel.
            slice_mm: World z of a 2-D slice; None takes the lesion's centre, or the ventricles.

        Returns:
            A sample: `image` `(C, D, H, W)` float32, `mask` `(1, D, H, W)` uint8, `signal`
            `(1, D, H, W)` bool, `label`, `affine`, `subject`, `source`, `channels`, `grid`, `meta`.
            For a 2-D shape the D axis is gone and `affine` is that of the slice.
        """
        unknown = [name for name in contrasts if name not in sequences.CONTRASTS]
        if unknown or not contrasts:
            raise UserError(f"contrasts={tuple(contrasts)!r}: choose from {', '.join(sequences.CONTRASTS)}")
        flat = len(shape) == 2
        if flat:
            volume, slab = self._slice_grid(shape, spacing_mm, slice_mm, skull)
            lesions = slab_of(self.lesions(volume, device), slab)
            grid = lesions.anatomy.grid
        else:
            grid = make_grid(shape, spacing_mm, skull=skull)
            lesions = self.lesions(grid, device)
        image = sequences.tissue_images(lesions.anatomy, self.seed, tuple(contrasts), vessels=vessels)
        texture = lesions.anatomy["texture"]
        image = sequences.paint_lesions(
            image, lesions.fractions, self.seed, tuple(contrasts), texture, contrast=contrast
        )
        if soften > 0:
            image = blur(image, (soften,) * 3)
        kept = lesions.anatomy["brain"]
        if skull:
            image, kept = add_head(image, kept, grid, self.seed, tuple(contrasts))
        image = acquire(image, kept, grid, self.seed, tuple(contrasts), noise=noise)
        mark = None
        if self.shortcut:
            image, mark = stamp_mark(image, grid, tuple(contrasts))
        return self._sample(image, lesions, mark, grid, tuple(contrasts), flat)

    def _slice_grid(
        self, shape: tuple[int, ...], spacing_mm: float | tuple[float, ...] | None, slice_mm: float | None, skull: bool
    ) -> tuple[VoxelGrid, slice]:
        """A volume in which a slice lies at the height that is asked for, and the three slices around it.

        The disease is drawn on the whole volume, so that it is as large in the slice as it would be there.
        """
        volume = make_grid((max(shape), *shape), spacing_mm, skull=skull)
        if slice_mm is None:
            disease = self.pathology
            if isinstance(disease, Healthy) and disease.displaced_by is not None:
                disease = disease.displaced_by  # the slice that would go through the tumour
            kind, site = disease.kind, getattr(disease, "site", None)
            known = kind in ("glioma", "metastases", "meningioma")
            slice_mm = float(place(self.seed, kind, site)[0]) if known else 16.0
        step, count = volume.spacing_mm[0], volume.shape[0]
        index = min(max(round((slice_mm - volume.origin_mm[0]) / step), 1), max(count - 2, 1))
        middle = slice_mm + (0.5 * (count - 1) - index) * step
        if count < 3:
            raise UserError(f"shape={tuple(shape)!r}: a slice needs at least 3 pixels along an axis")
        return VoxelGrid(volume.shape, volume.spacing_mm, (middle, *volume.centre_mm[1:])), slice(index - 1, index + 2)

    def _sample(
        self, image: torch.Tensor, lesions: DrawnDisease, mark: torch.Tensor | None, grid: VoxelGrid,
        contrasts: tuple[str, ...], flat: bool,
    ) -> Sample:  # fmt: skip
        affine = grid.affine
        keep = slice(1, 2) if flat else slice(None)
        if flat:
            affine = affine.copy()
            affine[:3, 3] += affine[:3, 0]
        sample: Sample = {
            "image": image[:, keep].float(),
            "mask": lesions.label[None, keep],
            "signal": lesions.signal[None, keep],
            "label": self.label,
            "affine": np.asarray(affine, dtype=np.float64),
            "subject": self.subject_id,
            "source": "phantom",
            "channels": contrasts,
            "grid": None,
            "meta": self._meta(lesions, grid),
        }
        if mark is not None:
            sample["mark"] = mark[None, keep]
        if flat:
            for name in ("image", "mask", "signal", "mark"):
                if name in sample:
                    sample[name] = sample[name][:, 0]
        return sample

    def _meta(self, lesions: DrawnDisease, grid: VoxelGrid) -> dict:
        kind = self.pathology.kind
        meta = {
            "synthetic": True,
            "pathology": kind,
            "grade": {"high": "HGG", "low": "LGG"}.get(getattr(self.pathology, "grade", ""), ""),
            "diameter_mm": getattr(self.pathology, "diameter_mm", float("nan")),
            "age_years": self.person.age_years,
            "resection": self.resection,
            "shortcut": self.shortcut,
            "spacing_mm": grid.spacing_mm,
            "whole_ml": float((lesions.label > 0).sum()) * grid.voxel_ml,
        }
        for value, name in ((1, "label1_ml"), (2, "label2_ml"), (4, "label4_ml")):
            meta[name] = float((lesions.label == value).sum()) * grid.voxel_ml
        return meta | lesions.facts
