"""The inter-slice explorer: which channel is opened in which slice, and the prediction when slices are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain import InterSliceReading, read_inter_slice, slice_gates
from medattn_lite.plots.inter_slice_view import inter_slice_view
from medattn_lite.plots.layer_names import short_names
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer

NONE = "none"


@dataclass(frozen=True)
class InterSliceState:
    """What the controls of an inter-slice explorer say."""

    image: int
    slice: int
    layer: str
    closed: int | str
    towards_mean: float
    opacity: float
    background: int | None = None


class InterSliceExplorer(Explorer[InterSliceState]):
    """See `inter_slice_explorer`."""

    State = InterSliceState

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        *,
        masks: Tensor | None,
        labels: Sequence[int] | Tensor | None,
        names: Sequence[str] | None,
        channels: Sequence[str] | None,
    ) -> None:
        self._model, self._images, self._masks, self._labels, self._names = model, images, masks, labels, names
        self._contrasts = [str(name) for name in channels or [f"channel {i}" for i in range(images.shape[1])]]
        self._readings = lru_cache(maxsize=32)(self._read)
        gates = slice_gates(model, images[:1])
        if not gates:
            raise UserError("this model has no inter-slice attention: give a P3D network with attention=True")
        self._depths = {layer: values.shape[2] for layer, values in gates.items()}
        depth, first = images.shape[2], next(iter(gates))
        style = {"style": LABEL, "layout": CONTROL}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "image": ipywidgets.IntSlider(
                value=0, min=0, max=len(images) - 1, disabled=len(images) == 1, description="volume", **style
            ),
            "slice": ipywidgets.IntSlider(
                value=self._first_slice(), min=0, max=depth - 1, description="axial I→S", **style
            ),
            "layer": ipywidgets.Dropdown(
                options=[(short, layer) for layer, short in short_names(gates).items()], description="block", **style
            ),
            "closed": ipywidgets.SelectionSlider(
                options=[NONE, *range(self._depths[first])], value=NONE, description="close its slice", **style
            ),
            "towards_mean": ipywidgets.FloatSlider(
                value=0.0, min=0.0, max=1.0, step=0.05, description="towards mean", readout_format=".0%", **style
            ),
        }
        if images.shape[1] > 1:
            controls["background"] = ipywidgets.Dropdown(
                options=[(name, i) for i, name in enumerate(self._contrasts)], value=0, description="background",
                **style,
            )
        controls["opacity"] = ipywidgets.FloatSlider(
            value=0.6, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%", **style
        )
        self.controls = controls
        super().__init__(controls)

    def adjust(self, name: str) -> None:
        """Another block has another number of slices; what was closed is open again."""
        if name == "layer":
            self.controls["closed"].options = [NONE, *range(self._depths[str(self.controls["layer"].value)])]
            self.controls["closed"].value = NONE

    def view(self, state: InterSliceState) -> tuple[Figure, str]:
        number, layer, position = state.image, state.layer, state.slice
        closed = None if state.closed == NONE else int(state.closed)
        towards_mean, opacity = state.towards_mean, state.opacity
        before = self._readings(number, layer, 0.0, None).probabilities
        now = self._readings(number, layer, towards_mean, closed)
        names = self._names or [f"class {i}" for i in range(len(before))]
        truth = "" if self._labels is None else f": {names[int(self._labels[number])]}"
        background = state.background or 0
        drawn = f" ({self._contrasts[background]})" if state.background is not None else ""
        figure = inter_slice_view(
            self._images[number, background], position, gates=now.gates, layer=layer, spatial=now.spatial,
            extents=now.extents, before=before, after=now.probabilities, closed=closed, towards_mean=towards_mean,
            mask=None if self._masks is None else self._masks[number], opacity=opacity, class_names=names,
            caption=f"volume {number}{drawn}{truth}",
        )
        gates = now.gates[layer].mean(0)  # (D',)
        summary = f"Volume {number}{drawn}{truth}, axial slice {position}. {short_names(now.gates)[layer]}: mean gates "
        summary += f"of its {len(gates)} slices {', '.join(f'{gate:.2f}' for gate in gates.tolist())}. "
        summary += self._prediction(names, before, now.probabilities, towards_mean, closed)
        low, high = float(now.spatial.min()), float(now.spatial.max())
        return figure, f"{summary} Map of places from {low:.2f} to {high:.2f}, at {opacity:.0%} opacity."

    def _read(self, number: int, layer: str, towards_mean: float, closed: int | None) -> InterSliceReading:
        """One volume, one block, one setting; the last ones are remembered."""
        image = self._images[number : number + 1]
        return read_inter_slice(self._model, image, layer, towards_mean=towards_mean, closed=closed)

    def _first_slice(self) -> int:
        """Where to begin: at the slice with most of the first mask, or in the middle."""
        if self._masks is not None and self._masks[0].any():
            return int((self._masks[0] > 0).flatten(1).sum(1).argmax())
        return self._images.shape[2] // 2

    @staticmethod
    def _prediction(names: Sequence[str], before: Tensor, after: Tensor, moved: float, closed: int | None) -> str:
        best, now = int(before.argmax()), int(after.argmax())
        text = f"As it is, the model says {names[best]} ({before[best]:.3f})"
        changes = [f"the gates of all blocks moved {moved:.0%} towards their mean over the slices"] if moved else []
        changes += [f"slice {closed} of this block closed"] if closed is not None else []
        return f"{text}; with {' and '.join(changes)}, {names[now]} ({after[now]:.3f})." if changes else f"{text}."


def inter_slice_explorer(
    model: nn.Module,
    images: Tensor,
    labels: Sequence[int] | Tensor | None = None,
    names: Sequence[str] | None = None,
    *,
    masks: Tensor | None = None,
    channels: Sequence[str] | None = None,
) -> InterSliceExplorer:
    """Explores inter-slice attention of a volume: a gate for each channel of each slice, and the map of places.

    Args:
        model: a P3D classifier with inter-slice attention; it is not changed.
        images: (N, C, D, H, W), as the model takes them.
        labels: (N,) true classes, for the caption.
        names: names of the classes.
        masks: (N, D, H, W) or (N, 1, D, H, W), such as tumours: their outline, and how much lies in each slice.
        channels: names of the images' channels.

    Returns:
        An `Explorer`. Its controls: image, slice, layer (the block), closed (a slice of the block whose gates are set
        to 0), towards_mean (how far the gates of all blocks are moved towards one value per channel), opacity, and
        background where there are several channels.

    Raises:
        UserError: for a model without inter-slice attention, or images and masks that are not batches of volumes.
    """
    images = torch.as_tensor(images)
    if images.dim() != 5:
        raise UserError(f"the inter-slice explorer takes a batch of volumes (N, C, D, H, W), not {tuple(images.shape)}")
    if labels is not None and len(labels) != len(images):
        raise UserError(f"{len(labels)} labels for {len(images)} images: give one per image")
    if masks is not None:
        masks = torch.as_tensor(masks)
        masks = masks[:, 0] if masks.dim() == 5 else masks
        if tuple(masks.shape) != (len(images), *images.shape[2:]):
            raise UserError(f"masks of shape {tuple(masks.shape)} do not fit images of {tuple(images.shape)}")
    return InterSliceExplorer(model, images, masks=masks, labels=labels, names=names, channels=channels)
