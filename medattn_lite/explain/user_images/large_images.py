"""An image too large to be held whole several times: its channels are read from their files one at a time.

512×512×300 voxels of four channels take 1.3 GB in single precision, and preparing them for a network twice as much
again. What a network sees is far smaller: each channel is read, standardised and brought to the network's voxel size
by itself, with the head found in all of them, and gives the very values that the whole image would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from medattn_lite.data.checking.check_channels import HeadSum
from medattn_lite.data.intensity import centre_and_scale, coarse
from medattn_lite.data.nifti_io.volumes import Volume
from medattn_lite.data.readers.read_voxels import check_voxels, require_same_grid
from medattn_lite.data.transforms import foreground
from medattn_lite.errors import UserError
from medattn_lite.explain.grids import to_file_grid
from medattn_lite.training.tasks.task import Task
from medattn_lite.training.tasks.volumes import Sample, standardise

SLAB = 16  # slices
LARGE = 6e8  # bytes of an image in single precision from which it is read in this way


class ChannelFiles:
    """The image of a sample, (C, D, H, W), of which one channel is in memory at a time.

    Args:
        readers: one for each channel, that reads its file.
        paths: file of each channel, for messages.
        channels: their names.

    Attributes:
        shape: (C, D, H, W).
        affine, grid: of the first channel.
        head: (1, D, H, W) bool, as `foreground` finds it.
        levels: centre, scale and background of each channel, found in all of them together.

    Raises:
        UserError: a file cannot be read, lies on another grid, or is constant or not finite.
    """

    def __init__(self, readers: Sequence[Callable[[], Volume]], paths: Sequence, channels: Sequence[str]) -> None:
        self._readers = readers
        heads, small = HeadSum(), []
        for number, (read, path, name) in enumerate(zip(readers, paths, channels, strict=True)):
            volume = read()
            if number == 0:
                self.affine, self.grid = volume.affine, volume.grid
                self.shape = torch.Size((len(readers), *volume.array.shape))
            require_same_grid(self.grid, volume.grid, paths[0], path)
            check_voxels(volume.array[None], [path], [name])
            heads.add(volume.array)
            small.append(coarse(torch.from_numpy(np.ascontiguousarray(volume.array, dtype=np.float32))[None])[0])
        head_mask = heads.head(tuple(self.shape[1:]))
        if head_mask is None or not (head := coarse(torch.from_numpy(head_mask[None]))[0]).any():
            raise UserError(f"{paths[0]}: no head was found in the image; is it the right file?")
        self.head = torch.from_numpy(head_mask[None])
        self.levels = centre_and_scale(torch.stack(small), head)

    def __len__(self) -> int:
        return len(self._readers)

    def __getitem__(self, number: int) -> Tensor:
        """(D, H, W) float32, read now."""
        return torch.from_numpy(np.ascontiguousarray(self._readers[number]().array, dtype=np.float32))

    def __iter__(self) -> Iterator[Tensor]:
        return (self[number] for number in range(len(self)))


def whole(sample: Sample) -> Sample:
    """A sample with its image in memory."""
    image = sample["image"]
    return {**sample, "image": torch.stack(list(image))} if isinstance(image, ChannelFiles) else sample


def head_of(sample: Sample) -> np.ndarray:
    """(D, H, W) bool: the head or brain in a sample's image."""
    image = sample["image"]
    return (image.head if isinstance(image, ChannelFiles) else foreground(image))[0].numpy()


def on_file_grid(values: np.ndarray, affine: np.ndarray, sample: Sample) -> np.ndarray:
    """`to_file_grid` on the grid of a sample, in slabs of slices where the image is on the disk.

    Args:
        values: (d, h, w) on the network's grid.
        affine: 4×4, its indices to millimetres.
        sample: with `image` and `affine`.

    Returns:
        (D, H, W) float32.
    """
    size, image = tuple(sample["image"].shape[1:]), sample["image"]
    if not isinstance(image, ChannelFiles):
        return to_file_grid(values, affine, size, sample["affine"])
    volume = np.empty(size, np.float32)
    for start in range(0, size[0], SLAB):
        part = volume[start : start + SLAB]
        slab_affine = np.array(sample["affine"], dtype=np.float64)
        slab_affine[:3, 3] += slab_affine[:3, 0] * start
        part[...] = to_file_grid(values, affine, part.shape, slab_affine)
    return volume


def standardised(task: Task, sample: Sample) -> Sample:
    """`standardise`, one channel at a time where the image is on the disk."""
    image = sample["image"]
    if not isinstance(image, ChannelFiles):
        return standardise(task, sample)
    parts: list[Tensor] = []
    result = sample
    for number in range(len(image)):
        base = sample.copy()
        if number:
            base.pop("mask", None)
        centre, scale, background = (values[number : number + 1] for values in image.levels)
        # nobody else holds the channel, so that it is gone as soon as it is normalised
        done = standardise(task, {**base, "image": image[number][None]}, inside=image.head,
                           levels=(centre, scale, background))  # fmt: skip
        parts.append(done.pop("image"))
        result = done if number == 0 else result
    return {**result, "image": torch.cat(parts)}
