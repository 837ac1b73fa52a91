"""The affinity explorer: choose a voxel and see what recurrent slice attention and non-local attention look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain import Affinities, SliceAffinities, read_affinities, whereabouts
from medattn_lite.plots.affinity import ENDS, AffinityRow, affinity_view
from medattn_lite.plots.layer_names import short_names
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer

ALL_PATHS, IN_TURN = "all paths", "all steps in turn"
VOXEL, EVERY, MASK = "the voxel", "all voxels, mean", "the mask, mean"
PLANES = {2: ("rows", "columns"), 3: ("axial", "coronal", "sagittal")}
NUMBERS = {1: "one step", 2: "two steps", 3: "three steps"}


PathChoice = str | tuple[str, ...] | None  # a step, steps in turn, or all paths


@dataclass(frozen=True)
class AffinityState:
    """What the controls of an affinity explorer say; a voxel by planes in 3-D, by rows and columns in 2-D."""

    image: int
    layer: str
    asks: str
    matrix: str
    opacity: float
    axial: int | None = None
    coronal: int | None = None
    sagittal: int | None = None
    rows: int | None = None
    columns: int | None = None
    steps: str = ALL_PATHS
    background: int = 0

    @property
    def voxel(self) -> tuple[int, ...]:
        """Its indices, in the order of the image's axes."""
        places = (self.axial, self.coronal, self.sagittal, self.rows, self.columns)
        return tuple(index for index in places if index is not None)


class AffinityExplorer(Explorer[AffinityState]):
    """See `affinity_explorer`."""

    State = AffinityState

    def __init__(
        self,
        models: dict[str, nn.Module],
        images: Tensor,
        *,
        masks: Tensor | None,
        channels: Sequence[str] | None,
        spacing: Sequence[float] | None,
        title: str,
    ) -> None:
        self._models, self._images, self._masks = models, images, masks
        self._contrasts = [str(name) for name in channels or [f"channel {i}" for i in range(images.shape[1])]]
        self._spacing, self._title = spacing, title
        self._readings = lru_cache(maxsize=8)(self._read)
        self._matrices = lru_cache(maxsize=64)(self._read_matrices)
        readings = self._readings(0)
        layers = _shared_layers(readings)
        slicewise = [read for one in readings.values() for read in one.values() if isinstance(read, SliceAffinities)]
        self._planes = PLANES[images.dim() - 2]
        style = {"style": LABEL, "layout": CONTROL}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "image": ipywidgets.IntSlider(
                value=0, min=0, max=len(images) - 1, disabled=len(images) == 1, description="image", **style
            ),
        }
        for plane, length, start in zip(self._planes, images.shape[2:], self._start_voxel(), strict=True):
            low, high = (word[0].upper() for word in ENDS[plane])
            controls[plane] = ipywidgets.IntSlider(
                value=start, min=0, max=length - 1, description=f"{plane} {low}→{high}", **style
            )
        controls["layer"] = ipywidgets.Dropdown(
            options=[(short, layer) for layer, short in short_names(layers).items()], description="layer", **style
        )
        controls["asks"] = ipywidgets.Dropdown(
            options=[VOXEL, EVERY, *([MASK] if masks is not None else [])], description="query", **style
        )
        if slicewise:
            steps = [ALL_PATHS, *slicewise[0].planes, *([IN_TURN] if len(slicewise[0].planes) > 1 else [])]
            controls["steps"] = ipywidgets.Dropdown(options=steps, description="RSA steps", **style)
        controls["matrix"] = ipywidgets.Dropdown(options=list(self._planes), description="matrix of", **style)
        if images.shape[1] > 1:
            controls["background"] = ipywidgets.Dropdown(
                options=[(name, i) for i, name in enumerate(self._contrasts)], value=len(self._contrasts) - 1,
                description="background", **style,
            )
        controls["opacity"] = ipywidgets.FloatSlider(
            value=0.75, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%", **style
        )
        self.controls = controls
        super().__init__(controls)

    def adjust(self, name: str) -> None:
        """One direction alone brings its own matrix."""
        if name == "steps" and self.controls["steps"].value in self._planes:
            self.controls["matrix"].value = self.controls["steps"].value

    def view(self, state: AffinityState) -> tuple[Figure, str]:
        number, layer, plane = state.image, state.layer, state.matrix
        voxel = state.voxel
        channel = state.background
        mask = None if self._masks is None else self._masks[number]
        rows, words = [], []
        for name, by_layer in self._readings(number).items():
            affinities = by_layer[layer]
            path, caption = self._path(affinities, state)
            weights = self._weights(affinities, state.asks, voxel, path, mask)
            matrix = self._matrices(number, name, layer)[plane][0]
            rows.append(AffinityRow(name, matrix, plane, weights, caption))
            words.append(f"{name}{f', {caption}' if caption else ''}: {self._describe(affinities, weights, mask)} "
                         f"{self._describe_row(matrix, plane, voxel)}")  # fmt: skip
        opacity = state.opacity
        caption = f"{self._title} {number} ({self._contrasts[channel]})".strip()
        figure = affinity_view(
            self._images[number, channel], voxel, rows, spacing=self._spacing, outline=mask, opacity=opacity,
            title=caption, query=state.asks,
        )
        summary = f"{caption}. Layer {short_names(by_layer)[layer]}. {self._asking(state.asks, voxel)} "
        return figure, summary + " ".join(words) + f" Opacity {opacity:.0%}."

    def _path(self, affinities: Affinities, state: AffinityState) -> tuple[PathChoice, str]:
        """The path to follow, and how to call it; a block that is not slice by slice has none."""
        if not isinstance(affinities, SliceAffinities):
            return None, ""
        steps = state.steps
        if steps == ALL_PATHS:
            return None, ALL_PATHS
        return (affinities.planes, IN_TURN) if steps == IN_TURN else (steps, f"{steps} step alone")

    def _weights(
        self, affinities: Affinities, asks: str, voxel: tuple[int, ...], path: PathChoice, mask: Tensor | None
    ) -> Tensor:
        if asks == VOXEL:
            return affinities.looks_at(voxel, path=path)[0]
        return affinities.received(None if asks == EVERY or mask is None else mask[None], path=path)[0]

    def _asking(self, asks: str, voxel: tuple[int, ...]) -> str:
        places = ", ".join(f"{plane} {index}" for plane, index in zip(self._planes, voxel, strict=True))
        who = {VOXEL: "This voxel looks", EVERY: "All voxels look, and their mean is shown; the cross is",
               MASK: "The voxels in the mask look, and their mean is shown; the cross is"}[asks]  # fmt: skip
        return f"{who}: {places}." if asks == VOXEL else f"{who} at {places}."

    def _describe(self, affinities: Affinities, weights: Tensor, mask: Tensor | None) -> str:
        if not weights.any():
            idle = isinstance(affinities, SliceAffinities) and not any(affinities.strengths.values())
            return "nothing: every β is 0, so the block passes its input on." if idle else "nothing."
        seen = whereabouts(weights, mask)
        places = ", ".join(f"{plane} {index}" for plane, index in zip(self._planes, seen.peak, strict=True))
        text = f"most at {places}, {seen.peak_over_uniform:.3g} times an even share; "
        text += f"half of it lies in {seen.half_mass_share:.1%} of the image"
        if mask is not None:
            text += f", {seen.in_mask:.1%} in the mask, which is {seen.mask_share:.1%} of the image"
        if isinstance(affinities, SliceAffinities) and len(affinities.planes) > 1:
            shares = [f"{NUMBERS[steps]} {share:.0%}" for steps, share in affinities.shares_by_steps.items()]
            text += f". Of what the block adds, by paths of {', '.join(shares)}"
        return text + "."

    def _describe_row(self, matrix: Tensor, plane: str, voxel: tuple[int, ...]) -> str:
        row = matrix[voxel[self._planes.index(plane)]]
        one = {"rows": "Row", "columns": "Column"}.get(plane, f"{plane.capitalize()} slice")
        best = int(row.argmax())
        return f"{one} {voxel[self._planes.index(plane)]} looks most at {best} ({float(row[best]):.2f})."

    def _read(self, number: int) -> dict[str, dict[str, Affinities]]:
        """Every model's affinities for one image; the last eight are remembered."""
        image = self._images[number : number + 1]
        return {name: read_affinities(model, image) for name, model in self._models.items()}

    def _read_matrices(self, number: int, name: str, layer: str) -> dict[str, Tensor]:
        return self._readings(number)[name][layer].on_image_slices()

    def _start_voxel(self) -> tuple[int, ...]:
        """Where to begin: in the middle of the first image's mask, or of the image."""
        if self._masks is not None and self._masks[0].any():
            return tuple(int(index) for index in (self._masks[0] > 0).nonzero().float().median(0).values)
        return tuple(length // 2 for length in self._images.shape[2:])


def affinity_explorer(
    models: nn.Module | Mapping[str, nn.Module],
    images: Tensor,
    *,
    masks: Tensor | None = None,
    channels: Sequence[str] | None = None,
    spacing: Sequence[float] | None = None,
    title: str = "image",
) -> AffinityExplorer:
    """Explores what one voxel, or many, look at: slice attention step by step or composed, beside non-local attention.

    Args:
        models: a network with recurrent slice, non-local or dual fusion attention, or several by name, to see them
            under one another; their blocks must have the same names, as in RSANet and its non-local variants.
        images: (N, C, D, H, W) or (N, C, H, W), as the networks take them.
        masks: (N, D, H, W) or (N, 1, D, H, W), such as lesions: drawn as a line, and whom the mean row is taken over.
        channels: names of the images' channels.
        spacing: voxel edges in mm, one per axis.
        title: what an image is called, such as "phantom".

    Returns:
        An `Explorer`. Its controls: image; axial, coronal, sagittal (rows, columns in 2-D), the voxel; layer; asks;
        matrix; opacity; where they make sense steps and background.

    Raises:
        UserError: networks without an affinity or without a layer in common, or images that do not fit.
    """
    models = {"": models} if isinstance(models, nn.Module) else dict(models)
    models = {name or type(model).__name__: model for name, model in models.items()}
    images = torch.as_tensor(images)
    if images.dim() not in (4, 5) or not models:
        raise UserError(f"the affinity explorer takes a batch (N, C, D, H, W) or (N, C, H, W), not "
                        f"{tuple(images.shape)}, and at least one network")  # fmt: skip
    if masks is not None:
        masks = torch.as_tensor(masks)
        masks = masks[:, 0] if masks.dim() == images.dim() else masks
        if tuple(masks.shape) != (len(images), *images.shape[2:]):
            raise UserError(f"masks have shape {tuple(masks.shape)}; give {(len(images), *images.shape[2:])}")
    return AffinityExplorer(models, images, masks=masks, channels=channels, spacing=spacing, title=title)


def _shared_layers(by_network: Mapping[str, Mapping[str, Affinities]]) -> list[str]:
    first, *others = by_network.values()
    shared = [layer for layer in first if all(layer in other for other in others)]
    if not shared:
        named = "; ".join(f"{name}: {', '.join(by_layer)}" for name, by_layer in by_network.items())
        raise UserError(f"these networks have no layer in common ({named}): give each an explorer of its own")
    signed = [
        layer
        for by_layer in by_network.values()
        for layer in by_layer
        if not getattr(by_layer[layer], "sums_to_one", True)
    ]
    if signed:
        raise UserError(f"{signed[0]} has no softmax, so its weights have signs: use looks_at and look at both")
    return shared
