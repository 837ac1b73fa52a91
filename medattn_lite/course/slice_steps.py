"""What notebooks 02 to 05 need before they train: slices of a data set, split; and heads whose grade is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

if TYPE_CHECKING:
    from medattn_lite.data import SliceSet


def open_slices(numbers: Mapping[str, Any], *, data: str, root: str | None, seed: int) -> SliceSet:
    """Reads or makes heads with and without tumour in their axial slices, and prints how many there are.

    Args:
        numbers: of the notebook at this scale: "size" (H, W) of a slice and "per_subject", how many of a patient at
            most; for phantoms "n", how many heads, and "spacing_mm", the edge of a voxel.
        data: name of the data set.
        root: its folder.
        seed: of phantoms, and of which slices are drawn.

    Returns:
        the slices; their labels say whether there is tumour.
    """
    from medattn_lite.data import SliceSet, open_dataset

    size = numbers["size"]
    phantom = {"n": numbers["n"], "shape": (size[0] * 3 // 4, *size), "spacing_mm": numbers["spacing_mm"],
               "task": "segmentation", "seed": seed}  # fmt: skip
    dataset = open_dataset(data, root, **(phantom if data == "phantom" else {}))
    slices = SliceSet(dataset, size=size, per_subject=numbers["per_subject"], seed=seed)
    sick, people = int(slices.labels.sum()), len(set(slices.subjects))
    shape = tuple(slices.images.shape[1:])
    print(f"{len(slices)} slices of {people} heads, {sick} with tumour; each is (C, H, W) = {shape}")
    return slices


def split_by_patient(slices: SliceSet, *, seed: int) -> tuple[SliceSet, SliceSet]:
    """Splits slices into those to train on and those to test on: two thirds of the patients, and the others.

    Both sides get patients whose slices show much tumour and such whose slices show little, in like shares.

    Args:
        slices: of several patients.
        seed: of who goes where.
    """
    from medattn_lite.data import train_valid_test

    pixels = slices.table().groupby("subject")["tumour_pixels"].mean()
    split = train_valid_test(pixels.index, pixels > pixels.median(), fractions=(0.67, 0.0, 0.33), seed=seed)
    return slices.subset(split.train), slices.subset(split.test)


def labelled_heads(dataset: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Reads all samples that have a label, and normalises their images.

    Args:
        dataset: raw samples, of `open_dataset`.
    """
    from medattn_lite.data import normalise

    heads = []
    for place in tqdm(range(len(dataset)), desc="reading heads", leave=False):
        sample = dataset[place]
        if sample.get("label") is not None:
            heads.append({**sample, "image": normalise(sample["image"])})
    return heads
