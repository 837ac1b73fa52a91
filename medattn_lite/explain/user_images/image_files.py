"""Reads a user's image files into a sample: one file per channel, or one 4-D file; a mask if a network needs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch

from medattn_lite.data.nifti_io.volumes import Grid, Volume, dimensions, header_remarks, load_volume, voxel_sizes
from medattn_lite.data.readers.nifti_folders import contrast_of
from medattn_lite.data.readers.read_voxels import check_voxels, read_labels, require_same_grid
from medattn_lite.errors import UserError
from medattn_lite.explain.user_images import large_images
from medattn_lite.explain.user_images.large_images import ChannelFiles
from medattn_lite.training.tasks.volumes import Sample

# what sequences are called elsewhere
_SAME = {"t1w": "t1", "t1n": "t1", "t1gd": "t1ce", "t1c": "t1ce", "t1post": "t1ce", "t2w": "t2", "t2f": "flair"}


def read_image(
    files: Sequence[str], channels: Sequence[str], *, mask: Path | None = None, order: Sequence[str] | None = None
) -> Sample:
    """Reads an image as a network's own were read: one grid for all channels, nothing constant or NaN.

    Args:
        files: `NAME=FILE` for each channel, in any order; or files in the channels' order; or one 4-D file.
        channels: names of the network's channels.
        mask: file of a mask on the same grid, anything above 0 inside.
        order: channels of a 4-D file as it stores them; None where `dataset.json` of its folder tells them (the
            Medical Segmentation Decathlon). A 4-D file says nothing of its channels itself.

    Returns:
        a sample with the `grid` of its file, to write a map back onto, and `meta["notes"]`, what was assumed, in words.

    Raises:
        UserError: a file is missing, damaged, on another grid or in another place than its name says; the channels are
            not those of the network; or the order of a 4-D file's channels is not known.
    """
    named = [_named(word, channels) for word in files]
    notes: list[str] = []
    if len(named) == 1 and named[0][0] is None and len(channels) > 1 and len(dimensions(named[0][1])) == 4:
        paths = [named[0][1]]
        stored, order_source = channel_order(paths[0], channels, order)
        count = dimensions(paths[0])[3]
        if count != len(stored):
            raise UserError(f"{paths[0]} holds {count} channels and {order_source} names {len(stored)}: name each of "
                            "them once, in the order in which the file stores them")
        readers = [partial(load_volume, paths[0], volume=stored.index(name)) for name in channels]
        notes.append(f"channels of {paths[0].name} in the order {', '.join(stored)} ({order_source})")
    else:
        if order is not None:
            raise UserError("an order of channels is for one 4-D file: give files by name, as in --image "
                            f"{channels[0]}=FILE")  # fmt: skip
        paths = _in_order(named, channels)
        if len(paths) > 1 and not any(name for name, _ in named):
            assumed = [f"{path.name} is {name}" for name, path in zip(channels, paths, strict=True)
                       if contrast_of(path) != name]  # fmt: skip
            if assumed:
                notes.append(f"taken in the order given, since the names do not say it: {', '.join(assumed)}")
        notes += _twice(paths, channels)
        readers = [partial(load_volume, path) for path in paths]
    image, affine, grid = _read(readers, paths, channels)
    for path in dict.fromkeys([*paths, *([mask] if mask is not None else [])]):
        notes += [f"{path.name}: {line}" for line in sum(header_remarks(path), [])]
    sample: Sample = {
        "image": cast(torch.Tensor, image), "affine": affine, "grid": grid,
        "subject": paths[0].name, "source": "file", "channels": tuple(channels),
        "meta": {"case": paths[0].name, "voxel_size_mm": voxel_sizes(affine), "notes": tuple(dict.fromkeys(notes))},
    }  # fmt: skip
    if mask is not None:
        labels = read_labels(mask, None, grid=grid, image=paths[0])
        if not labels.any():
            raise UserError(f"{mask} is empty: name a mask with the tumour in it")
        sample["mask"] = torch.from_numpy(np.ascontiguousarray(labels[None] > 0).astype(np.uint8))
    return sample


def _read(
    readers: Sequence[Callable[[], Volume]], paths: Sequence[Path], channels: Sequence[str]
) -> tuple[torch.Tensor | ChannelFiles, np.ndarray, Grid]:
    """The channels stacked, or left on the disk where they are large; affine and grid."""
    size = 4 * len(readers) * math.prod(dimensions(paths[0])[:3])
    named = [paths[min(number, len(paths) - 1)] for number in range(len(readers))]
    if size > large_images.LARGE:
        image = ChannelFiles(readers, named, channels)
        return image, image.affine, image.grid
    volumes = [read() for read in readers]
    first = volumes[0]
    for path, volume in zip(named, volumes, strict=True):
        require_same_grid(first.grid, volume.grid, named[0], path)
    array = np.stack([volume.array for volume in volumes])
    check_voxels(array, named, channels)
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)), first.affine, first.grid


def channel_order(path: Path, channels: Sequence[str], order: Sequence[str] | None) -> tuple[list[str], str]:
    """The channels of a 4-D file in the order in which it stores them, and what tells so.

    Args:
        path: the file.
        channels: names of the network's channels, each of which must be among them.
        order: as the user says; None looks for the `dataset.json` of a Decathlon task beside the file.

    Raises:
        UserError: nothing tells the order, or a channel of the network is not in it.
    """
    if order is not None:
        stored, order_source = [word.strip().lower() for word in order], "as --channels says"
    else:
        stored, order_source = _decathlon_order(path), "as the dataset.json beside it says"
        if not stored:
            raise UserError(f"{path} is 4-D and does not say in which order its channels are (the Decathlon stores "
                            f"flair, t1, t1ce, t2): say it, as in --channels {','.join(channels)}")  # fmt: skip
    known = {name.lower(): name for name in channels}
    stored = [known.get(_SAME.get(name, name), known.get(name, name)) for name in stored]
    lacking = [name for name in channels if stored.count(name) != 1]
    if lacking:
        raise UserError(f"{path}: its channels are {', '.join(stored)} ({order_source}), and the run takes "
                        f"{lacking[0]} once; it takes {', '.join(channels)}")  # fmt: skip
    return stored, order_source


def _decathlon_order(path: Path) -> list[str]:
    """The channels that a `dataset.json` in the folder of the file, or above it, names; none where there is none."""
    import json

    for folder in (path.parent, path.parent.parent):
        try:
            modality = json.loads((folder / "dataset.json").read_text(encoding="utf-8")).get("modality")
            names = modality if isinstance(modality, dict) else {}
            return [str(name).strip().lower() for _, name in sorted(names.items(), key=lambda item: int(item[0]))]
        except (OSError, ValueError, AttributeError, RecursionError):
            continue
    return []


def with_place(standard: Sample, sample: Sample, at: Sequence[float] | None) -> Sample:
    """A standardised sample whose mask says where to cut.

    Args:
        standard: brought to the network's voxel size, with the user's mask if there is one.
        sample: as read.
        at: a point in RAS millimetres, which goes before the mask.

    Raises:
        UserError: neither a mask nor a point is given, or the point is outside.
    """
    mask = standard.get("mask")
    if at is None and mask is None:
        raise UserError("this run looks at a crop around the tumour: give its mask (--mask FILE), or a point in it in "
                        "mm (--at X,Y,Z)")  # fmt: skip
    if at is None and mask is not None and bool((mask > 0).any()):
        return standard
    if at is None:  # so small that resampling has lost it
        middle = np.argwhere(sample["mask"][0].numpy() > 0).mean(axis=0)
        at = sample["affine"][:3, :3] @ middle + sample["affine"][:3, 3]
    place = torch.zeros((1, *standard["image"].shape[1:]), dtype=torch.uint8)
    place[(0, *index_of(at, standard))] = 1
    return {**standard, "mask": place}


def index_of(at: Sequence[float], sample: Sample) -> tuple[int, ...]:
    """The voxel of a sample that holds a point in millimetres.

    Raises:
        UserError: it is outside.
    """
    index = np.rint(np.linalg.inv(sample["affine"]) @ np.array([*at, 1.0]))[:3].astype(int)
    if not all(0 <= i < length for i, length in zip(index, sample["image"].shape[1:], strict=True)):
        raise UserError(f"the point {point_words(at)} mm is not in the image: give RAS millimetres, as a viewer does")
    return tuple(int(i) for i in index)


def point_words(at: Sequence[float]) -> str:
    """A point as it is written on the command line."""
    return ", ".join(f"{value:g}" for value in at)


def _named(word: str, channels: Sequence[str]) -> tuple[str | None, Path]:
    """A channel's name, if one stands before the file."""
    name, equals, path = word.partition("=")
    if not equals or Path(word).exists():
        return None, Path(word).expanduser()
    known = {channel.lower(): channel for channel in channels}
    if name.lower() not in known:
        raise UserError(f"--image {word}: there is no channel {name!r}; {_wanted(channels)}")
    return known[name.lower()], Path(path).expanduser()


def _in_order(named: Sequence[tuple[str | None, Path]], channels: Sequence[str]) -> list[Path]:
    """The files in the order of the channels."""
    names = [name for name, _ in named if name is not None]
    if len(named) != len(channels):
        raise UserError(f"{len(named)} image{'s' if len(named) > 1 else ''} given and {_wanted(channels)}")
    if names and len(names) < len(named):
        raise UserError("some images have a channel's name and some have none: name all of them, as in --image "
                        f"{channels[0]}=FILE")  # fmt: skip
    if names:
        twice = [name for name in channels if names.count(name) > 1]
        if twice:
            raise UserError(f"channel {twice[0]!r} is given twice; {_wanted(channels)}")
        by_name = dict(named)
        return [by_name[name] for name in channels]
    for channel, (_, path) in zip(channels, named, strict=True):
        contrast = contrast_of(path)
        if contrast in channels and contrast != channel:
            raise UserError(f"{path.name} looks like {contrast} and stands in the place of {channel}: give the files "
                            f"in the order {', '.join(channels)}, or by name (--image {contrast}=FILE)")  # fmt: skip
    return [path for _, path in named]


def _twice(paths: Sequence[Path], channels: Sequence[str]) -> list[str]:
    """A slip of the hand, or a sequence that is missing and filled up with another one: the map is of a wrong image."""
    return [f"{first} and {second} are one and the same file ({path.name}): the network was trained on different ones"
            for number, (second, other) in enumerate(zip(channels, paths, strict=True))
            for first, path in zip(channels[:number], paths[:number], strict=True)
            if path.exists() and other.exists() and path.samefile(other)]  # fmt: skip


def _wanted(channels: Sequence[str]) -> str:
    files = " ".join(f"{name}=FILE" for name in channels)
    return (f"the run takes {len(channels)} ({', '.join(channels)}): give --image {files}, or one 4-D file with "
            "--channels")
