"""Explains a run's network on a user's image, preprocessed as in training; the map is on the input file's grid.

    sample = read_image(["t1.nii.gz", …], run.task.channels, mask=…)
    found = explain_sample(run, sample, method="Grad-CAM")
    save_volume(found.values, "map.nii.gz", grid=sample["grid"])

A crop of a tumour is cut around the mask, or around a point; a segmentation is explained window by window, as it is
predicted, each window asked about the voxels it calls so, and the maps put together as the predictions are; slices are
explained one by one and stacked. Where the network saw nothing, the map is 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from medattn_lite.data.nifti_io.volumes import voxel_sizes
from medattn_lite.data.slice_cutting import letterbox
from medattn_lite.errors import UserError
from medattn_lite.explain.grids import to_file_grid, to_image_grid
from medattn_lite.explain.methods import Explanation, empty_map_warnings, explain_image, find_method
from medattn_lite.explain.model import LogRisk, RegionSum, Target, forward_eval
from medattn_lite.explain.user_images.image_files import index_of, point_words, with_place
from medattn_lite.explain.user_images.large_images import head_of, on_file_grid, standardised, whole
from medattn_lite.explain.user_images.runs import TrainedRun
from medattn_lite.explain.user_images.target_words import check_only_target, find_class, find_region
from medattn_lite.training.augmentation import pad_to
from medattn_lite.training.tasks.segmentation import Segmentation
from medattn_lite.training.tasks.volumes import Sample
from medattn_lite.training.tasks.windows import slide


@dataclass(frozen=True)
class SampleMap:
    """A map on the grid of the user's file.

    Attributes:
        values: (D, H, W) float32 in the package's orientation; 0 where the network saw nothing.
        method: its name.
        signed: whether values below 0 speak against the target.
        target: what was asked, in words; "" for attention.
        layer: where it was taken; None for methods of the image itself.
        grid: sides of the layer's map.
        prediction: what the network says of the image, in words.
        notes: what a reader must know, in the order of importance.
    """

    values: np.ndarray
    method: str
    signed: bool
    target: str
    layer: str | None
    grid: tuple[int, ...]
    prediction: str
    notes: tuple[str, ...]


def explain_sample(
    run: TrainedRun,
    sample: Sample,
    *,
    method: str = "Grad-CAM",
    target: str | None = None,
    at: Sequence[float] | None = None,
    layer: str | None = None,
    progress: bool = False,
    **options: Any,
) -> SampleMap:
    """Explains what a run's network says of one image.

    Args:
        run: from `open_run`.
        sample: raw, from `read_image`.
        method: one of `METHODS`.
        target: name or number of a class or a region; None for the class predicted (tumour, where a run asks for
            its presence), the first region, or the risk.
        at: a point in RAS millimetres, as viewers show it: the middle of a crop around the tumour, in place of a
            mask, or the only voxel of a region to explain.
        layer: see `explain_image`.
        progress: show a bar where it takes long.
        **options: of the method, see `explain_image`.

    Raises:
        UserError: what a run needs is missing, or there is nothing to explain.
    """
    chosen = find_method(method)
    settings = {"method": method, "layer": layer, **options}
    task = run.task
    if task.unit == "slices":
        if at is not None:
            raise UserError("a run of slices explains whole slices: leave --at out")
        result = _slices(run, whole(sample), target, settings, progress)
    elif task.unit == "windows":
        result = _windows(run, whole(sample), target, at, settings, progress)
    else:
        shown = {"progress": True} if progress and "progress" in chosen.options else {}
        result = _volume(run, sample, target, at, {**settings, **shown})
    if "mask" in sample and (at is not None or not task.needs_place):
        why = "a point was given, too" if task.needs_place else "this run looks at the whole image"
        result = replace(result, notes=(*result.notes, f"the mask was not used: {why}"))
    head = head_of(sample)
    if result.values.max() > 0 and not head.flat[result.values.argmax()]:
        note = "the highest value lies outside the head, where there is nothing to see: do not trust this map blindly"
        return replace(result, notes=(*result.notes, note))
    return result


def place_to_show(result: SampleMap, sample: Sample) -> tuple[int, ...]:
    """Finds the voxel (d, h, w) of the head where the map is highest, or lowest where nothing speaks for the target."""
    values = np.where(head_of(sample), result.values, 0)
    place = values.argmax() if values.max() > 0 else values.argmin()
    return tuple(int(index) for index in np.unravel_index(place, values.shape))


def _volume(
    run: TrainedRun, sample: Sample, word: str | None, at: Sequence[float] | None, settings: dict[str, Any]
) -> SampleMap:
    """One class or risk of one volume, or of a crop of it."""
    task = run.task
    extra_inputs, notes = task.extra_inputs(run.network)
    standard = standardised(task, sample)
    if task.needs_place:
        standard = with_place(standard, sample, at)
        notes.append(_extent("the crop around the tumour", task.settings.size, standard["affine"]))
    elif at is not None:
        raise UserError("this run looks at the whole head: leave --at out")
    prepared = task.crop(standard)
    image = _as_trained(prepared["image"])[None]
    output = forward_eval(run.network, image, extra_inputs=extra_inputs)
    goal: Target
    if task.asks == "risk":
        check_only_target(word, "risk")
        goal = LogRisk(str(run.network.head))
    else:
        goal = find_class(word, task.class_names, task.usual_class(output))
    explanation = explain_image(run.network, image, target=goal, extra_inputs=extra_inputs, **settings)
    values = on_file_grid(explanation.values[0].numpy(), prepared["affine"], sample)
    return _mapped(values, explanation, [explanation.note, *notes], task.in_words(output, run.network))


def _windows(
    run: TrainedRun, sample: Sample, word: str | None, at: Sequence[float] | None, settings: dict[str, Any],
    progress: bool,
) -> SampleMap:  # fmt: skip
    """A region of one volume, window by window; or one voxel, in the window around it."""
    task = cast(Segmentation, run.task)  # its unit is windows
    size, prepared, region = task.window_size, task.prepare(sample), find_region(word, task)
    image = _as_trained(prepared["image"])
    padded, place = pad_to(image, size, fill=image.flatten(1).amin(1))
    overlap = task.settings.options.get("overlap", 0.5)
    without_layer = {name: value for name, value in settings.items() if name != "layer"}
    explained: list[Explanation] = []

    def explain(window: Tensor, goal: RegionSum) -> Tensor:
        layer = explained[0].layer if explained else settings["layer"]  # the same in every window
        explained.append(explain_image(run.network, window[None], target=goal, layer=layer, **without_layer))
        return explained[-1].values

    def explain_region(windows: Tensor) -> Tensor:
        """(1, C, …) to its map (1, 1, …), 0 where a method that asks for the region finds none."""
        mask = region.voxels(forward_eval(run.network, windows))
        needed = find_method(settings["method"]).asks and not bool(mask.any())
        return torch.zeros_like(windows[:, :1]) if needed else explain(windows[0], region)[None].to(windows)

    if at is None:
        values = slide(explain_region, padded[None], size, overlap=overlap, batch=1, progress=progress)[0, 0][place]
    else:
        voxel = [i + side.start for i, side in zip(index_of(at, prepared), place, strict=True)]
        first = [min(max(i - want // 2, 0), have - want)
                 for i, want, have in zip(voxel, size, padded.shape[1:], strict=True)]  # fmt: skip
        box = tuple(slice(start, start + want) for start, want in zip(first, size, strict=True))
        goal = RegionSum(region.region, link=region.link, name=f"{region.name} at {point_words(at)}",
                         voxel=tuple(i - start for i, start in zip(voxel, first, strict=True)))  # fmt: skip
        whole = torch.zeros(padded.shape[1:])
        whole[box] = explain(padded[(slice(None), *box)], goal)[0]
        values = whole[place]
    if not explained:
        raise UserError(f"the network finds no {region.name} in this image, so there is nothing to explain: give a "
                        "point to explain with --at X,Y,Z (mm)")  # fmt: skip
    segmented = slide(lambda windows: task.probabilities(forward_eval(run.network, windows)).cpu(), padded[None], size,
                      overlap=overlap)[0, task.regions.index(region.name)][place] > 0.5  # fmt: skip
    voxel_ml = abs(float(np.linalg.det(prepared["affine"][:3, :3]))) / 1000
    summaries = empty_map_warnings(values[None], explained[0].target) if explained[0].signed else []
    notes = [*_counted([explanation.note for explanation in explained], summaries, "windows"),
             f"windows of {'×'.join(map(str, size))} voxels, as the run predicts"]  # fmt: skip
    on_file = to_file_grid(values.numpy(), prepared["affine"], sample["image"].shape[1:], sample["affine"])
    return _mapped(on_file, explained[0], notes, f"{region.name}: {float(segmented.sum()) * voxel_ml:.1f} mL")


def _slices(
    run: TrainedRun, sample: Sample, word: str | None, settings: dict[str, Any], progress: bool
) -> SampleMap:
    """One class of every slice with enough head, stacked."""
    task, prepared = run.task, run.task.prepare(sample)
    images, depths, size = _as_trained(prepared["image"]), prepared["depths"], sample["image"].shape[1:]
    output = torch.cat([forward_eval(run.network, image[None]) for image in images]).cpu()
    goal = find_class(word, task.class_names, task.usual_class(output))
    high, wide = task.settings.size
    inner, pads = letterbox(size[1:], sample["affine"], (high, wide))
    picture = (slice(pads[2], pads[2] + inner[0]), slice(pads[0], pads[0] + inner[1]))
    values, slice_notes = torch.zeros(tuple(size)), []
    rows = tqdm(list(zip(images, depths, strict=True)), desc="explaining slices", disable=not progress, leave=False)
    for image, depth in rows:
        explanation = explain_image(run.network, image[None], target=goal, **settings)
        settings["layer"] = explanation.layer  # the same in every slice
        slice_notes.append(explanation.note)
        values[depth] = to_image_grid(explanation.values[0][picture], size[1:])
    summaries = empty_map_warnings(values[depths][None], goal.words) if explanation.signed else []
    notes = _counted(slice_notes, summaries, "slices")
    if len(depths) < size[0]:
        notes.append(f"{size[0] - len(depths)} of {size[0]} slices show too little head for this run: the map is 0 "
                     "there")  # fmt: skip
    return _mapped(values.numpy(), explanation, notes, task.in_words(output, run.network))


def _mapped(values: np.ndarray, explanation: Explanation, notes: Sequence[str], words: str) -> SampleMap:
    return SampleMap(values, explanation.method, explanation.signed, explanation.target, explanation.layer,
                     explanation.grid, words, tuple(note for note in notes if note))  # fmt: skip


def _as_trained(image: Tensor) -> Tensor:
    """With the precision in which a task keeps its images."""
    return image.half().float()


def _extent(what: str, size: Sequence[int], affine: np.ndarray) -> str:
    sides = "×".join(f"{n * edge:.0f}" for n, edge in zip(size, voxel_sizes(affine), strict=True))
    return f"the map covers {what}, {sides} mm, and is 0 outside it"


def _counted(slice_notes: Sequence[str], summaries: Sequence[str], what: str) -> list[str]:
    """Notes of the whole, then those of its parts that say something else, with how many say it."""
    others = Counter(note for note in slice_notes if note and not note.startswith("all values are"))
    return [*summaries, *(f"{note} ({count} of {len(slice_notes)} {what})" for note, count in others.items())]
