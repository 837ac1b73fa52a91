"""A picture of every pathology: `medattn study phantom-pictures figures/phantoms.png`.

Beside the picture it writes a JSON file with the command and what each row shows.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medattn_lite.data.dataset import Sample
from medattn_lite.data.phantom.pathology import Pathology, glioma, healthy, meningioma, metastases, ms_lesions
from medattn_lite.data.phantom.phantoms_and_patients import window
from medattn_lite.data.phantom.subject import Subject

ROWS: tuple[tuple[str, Pathology], ...] = (
    ("no disease", healthy()),
    ("high-grade glioma", glioma(grade="high", diameter_mm=56)),
    ("low-grade glioma", glioma(grade="low", diameter_mm=52)),
    ("metastases", metastases(count=4, diameter_mm=24)),
    ("meningioma", meningioma(diameter_mm=40)),
    ("multiple sclerosis, 8 mL", ms_lesions(load_ml=8)),
    ("multiple sclerosis, 45 mL", ms_lesions(load_ml=45)),
)
NAMES = {"t1": "T1", "t1ce": "T1ce", "t2": "T2", "flair": "FLAIR"}
# Label values → colour: BraTS labels of tumours; 1 is also a lesion of multiple sclerosis.
COLOURS = {1: (0.80, 0.47, 0.65), 2: (0.34, 0.71, 0.91), 4: (0.90, 0.62, 0.0)}


def montage(out: str | Path, *, seed: int = 20, shape: tuple[int, int, int] = (144, 172, 144)) -> Path:
    """Draw one subject of every pathology: four sequences, mask, coronal and sagittal plane.

    Args:
        out: The picture to write (.png); the JSON lies beside it.
        seed: Of the first row; the others follow.
        shape: VoxelGrid of the subjects.

    Returns:
        The picture's path.
    """
    from matplotlib.figure import Figure

    path = Path(out)
    figure = Figure(figsize=(14.2, 2.25 * len(ROWS)), facecolor="black", layout="constrained")
    axes = figure.subplots(len(ROWS), 7)
    shown = []
    for row, (name, disease) in enumerate(ROWS):
        sample = Subject(disease, seed + row).render(shape=shape)
        at = _position(sample)
        _draw_row(axes[row], name, sample, at)
        facts = {key: value for key, value in sample["meta"].items() if isinstance(value, (int, float, str))}
        shown.append({"row": name, "seed": seed + row, "slices": at, **_finite(facts)})
    figure.suptitle("Synthetic subjects; no patient is in this picture", color="white", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, pil_kwargs={"optimize": True})
    command = f"medattn study phantom-pictures {path.as_posix()} --seed {seed}"
    record = {"command": command, "synthetic": True, "shape": list(shape), "rows": shown}
    path.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def _position(sample: Sample) -> list[int]:
    """Where each axis shows most lesion; without one, the ventricles."""
    mask = sample["mask"][0].numpy() > 0
    depth, height, width = mask.shape
    if not mask.any() or sample["meta"]["pathology"] == "ms":
        return [int(0.55 * depth), int(0.52 * height), int(0.58 * width)]
    return [int(mask.sum(axis=tuple(a for a in range(3) if a != axis)).argmax()) for axis in range(3)]


def _draw_row(axes: Sequence, name: str, sample: Sample, at: list[int]) -> None:
    image, mask = sample["image"].numpy(), sample["mask"][0].numpy()
    volumes = dict(zip(sample["channels"], image, strict=True))
    second = "flair" if sample["meta"]["pathology"] == "ms" else "t1ce"
    panels = [(f"{NAMES[key]}", volumes[key], volumes[key][at[0]]) for key in ("t1", "t1ce", "t2", "flair")]
    panels.append(("mask on FLAIR", volumes["flair"], volumes["flair"][at[0]]))
    panels.append((f"{NAMES[second]}, coronal", volumes[second], volumes[second][:, at[1]]))
    panels.append((f"{NAMES[second]}, sagittal", volumes[second], volumes[second][:, :, at[2]]))
    for column, (axis, (title, volume, plane)) in enumerate(zip(axes, panels, strict=True)):
        low, high = window(volume)
        axis.imshow(plane, cmap="gray", origin="lower", vmin=low, vmax=high, interpolation="bicubic")
        if title.startswith("mask"):
            axis.imshow(_coloured(mask[at[0]]), origin="lower", interpolation="nearest")
        axis.set_title(f"{name}\n{title}" if column == 0 else title, color="white", fontsize=10, loc="left")
        axis.axis("off")


def _coloured(mask: np.ndarray) -> np.ndarray:
    out = np.zeros((*mask.shape, 4))
    for value, colour in COLOURS.items():
        out[mask == value] = (*colour, 0.6)
    return out


def _finite(facts: dict) -> dict:
    """Numbers JSON can hold, rounded to what is meaningful."""
    rounded = {key: round(value, 3) if isinstance(value, float) else value for key, value in facts.items()}
    return {key: value for key, value in rounded.items() if not (isinstance(value, float) and np.isnan(value))}


def main(arguments: list[str] | None = None) -> int:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args(arguments)
    print(montage(options.out, seed=options.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
