"""The gate explorer: the gates of a trained model for one image, and the prediction when some are off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import ipywidgets
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain import channel_gates, layer_box, ranked_channels, spatial_gates, switched_off, to_image_grid
from medattn_lite.plots.alt import listed
from medattn_lite.plots.gate_view import gate_view
from medattn_lite.plots.layer_names import short_names
from medattn_lite.training import predict_probabilities
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer

NONE = "none"


@dataclass(frozen=True)
class GateState:
    """What the controls of a gate explorer say."""

    image: int
    layer: str
    most_open: int
    most_closed: int
    channel: int | str
    slice: int | None = None
    background: int | None = None
    spatial: str | None = None
    opacity: float = 0.6


class GateExplorer(Explorer[GateState]):
    """See `gate_explorer`."""

    State = GateState

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        *,
        labels: Sequence[int] | Tensor | None,
        names: Sequence[str] | None,
        channels: Sequence[str] | None,
    ) -> None:
        self._model, self._images, self._labels = model, images, labels
        self._names = names
        self._contrasts = [str(name) for name in channels or [f"channel {i}" for i in range(images.shape[1])]]
        self._readings = lru_cache(maxsize=8)(self._read)
        gates, spatial, _ = self._readings(0)
        if not gates:
            raise UserError("this model has no channel gates: give one with squeeze-and-excitation or CBAM in it")
        self._sizes = {layer: len(values) for layer, values in gates.items()}
        last = list(gates)[-1]
        style = {"style": LABEL, "layout": CONTROL}
        self.controls: dict[str, ipywidgets.ValueWidget] = {
            "image": ipywidgets.IntSlider(
                value=0, min=0, max=len(images) - 1, disabled=len(images) == 1, description="image", **style
            ),
            "layer": ipywidgets.Dropdown(
                options=[(short, layer) for layer, short in short_names(gates).items()],
                value=last, description="layer", **style,
            ),
            "most_open": ipywidgets.IntSlider(
                value=0, min=0, max=self._sizes[last], description="most open off", **style
            ),
            "most_closed": ipywidgets.IntSlider(
                value=0, min=0, max=self._sizes[last], description="least open off", **style
            ),
            "channel": ipywidgets.SelectionSlider(options=[NONE], value=NONE, description="channel off", **style),
        }
        self.adjust("layer")
        if images.dim() == 5:
            depth = images.shape[2]
            self.controls["slice"] = ipywidgets.IntSlider(
                value=depth // 2, min=0, max=depth - 1, description="axial I→S", **style
            )
        if images.shape[1] > 1:
            self.controls["background"] = ipywidgets.Dropdown(
                options=[(name, i) for i, name in enumerate(self._contrasts)], value=0, description="background",
                **style,
            )
        if spatial:
            self.controls["spatial"] = ipywidgets.Dropdown(
                options=[(short, layer) for layer, short in short_names(spatial).items()],
                value=next(iter(spatial)), description="spatial map", **style,
            )
            self.controls["opacity"] = ipywidgets.FloatSlider(
                value=0.6, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%", **style
            )
        super().__init__(self.controls)

    def adjust(self, name: str) -> None:
        """Another layer has another number of channels; what was off is on again."""
        if name != "layer":
            return
        count = self._sizes[self.controls["layer"].value]
        for slider in ("most_open", "most_closed"):
            self.controls[slider].value = 0
            self.controls[slider].max = count
        self.controls["channel"].options = [NONE, *range(count)]

    def view(self, state: GateState) -> tuple[Figure, str]:
        number, layer = state.image, state.layer
        gates, spatial, before = self._readings(number)
        off = self._off(gates[layer], state)
        after = before
        if off:
            with switched_off(self._model, layer, off):
                after = predict_probabilities(self._model, self._images[number : number + 1])[0]
        shown = state.spatial
        picture = self._images[number, state.background or 0]
        map_ = None if shown is None else spatial[shown]
        if state.slice is not None:
            map_ = None if map_ is None else map_[state.slice]
            picture = picture[state.slice]
        names = self._names or [f"class {i}" for i in range(len(before))]
        truth = "" if self._labels is None else f": {names[int(self._labels[number])]}"
        drawn = "" if state.background is None else f" ({self._contrasts[state.background]})"
        opacity = state.opacity
        chosen = "" if state.channel == NONE else f", channel {state.channel} off"
        figure = gate_view(
            picture, gates=gates, layer=layer, before=before, after=after, off=off, spatial=map_,
            spatial_name="spatial map" if shown is None else f"spatial map, {short_names(spatial)[shown]}",
            opacity=opacity, class_names=names,
            caption=f"image {number}{drawn}{truth}{chosen}",
        )
        summary = f"Image {number}{drawn}{truth}. "
        summary += self._prediction(names, before, after, off, short_names(gates)[layer])
        if state.channel != NONE and off == self._off(gates[layer], replace(state, channel=NONE)):
            summary += f" Channel {state.channel} was off already."
        if state.slice is not None:
            summary += f" Axial slice {state.slice}."
        if shown is not None and map_ is not None:
            low, high = float(map_.min()), float(map_.max())
            summary += f" Spatial map of {short_names(spatial)[shown]} from {low:.2f} to {high:.2f}"
            summary += f", at {opacity:.0%} opacity."
        return figure, summary

    def _read(self, number: int) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
        """Gates, spatial maps and probabilities of one image, nothing off; the last eight are remembered.

        The maps are on the image's grid, each where its layer looks.
        """
        image = self._images[number : number + 1]
        gates = {layer: values[0] for layer, values in channel_gates(self._model, image).items()}
        maps = {
            layer: to_image_grid(values[0], image.shape[2:], box=layer_box(self._model, image, values.shape[1:]))
            for layer, values in spatial_gates(self._model, image).items()
        }
        return gates, maps, predict_probabilities(self._model, image)[0]

    @staticmethod
    def _off(gates: Tensor, state: GateState) -> list[int]:
        order = ranked_channels(gates)
        off = {*order[: state.most_open], *order[len(order) - state.most_closed :]}
        if state.channel != NONE:
            off.add(int(state.channel))
        return sorted(off)

    @staticmethod
    def _prediction(names: Sequence[str], before: Tensor, after: Tensor, off: list[int], layer: str) -> str:
        best = int(before.argmax())
        text = f"The model says {names[best]} ({before[best]:.3f}) with all gates at work. "
        if not off:
            return text + f"Nothing is switched off in {layer}."
        which = f"channel{'s' if len(off) > 1 else ''} {listed([str(channel) for channel in off], limit=8)}"
        now = int(after.argmax())
        text += f"With {len(off)} switched off in {layer} ({which}) it says {names[now]} ({after[now]:.3f}); "
        return text + f"{names[best]} went from {before[best]:.3f} to {after[best]:.3f}."


def gate_explorer(
    model: nn.Module,
    images: Tensor,
    labels: Sequence[int] | Tensor | None = None,
    names: Sequence[str] | None = None,
    *,
    channels: Sequence[str] | None = None,
) -> GateExplorer:
    """Explores the gates of a model by layer for a chosen image; switch some off and see the prediction move.

    Args:
        model: a classifier with squeeze-and-excitation or CBAM in it; it is not changed.
        images: (N, C, H, W) or (N, C, D, H, W), as the model takes them.
        labels: (N,) true classes, for the caption.
        names: names of the classes.
        channels: names of the images' channels.

    Returns:
        An `Explorer`. Its controls: image, layer, most_open (how many of the most open gates are off),
        most_closed, channel ("none" or a number), and where they make sense slice, background (which
        channel of the image is drawn), spatial (which map) and opacity.

    Raises:
        UserError: for a model without channel gates, or images that are not a batch.
    """
    images = torch.as_tensor(images)
    if images.dim() not in (4, 5):
        raise UserError(f"the gate explorer takes a batch (N, C, H, W) or (N, C, D, H, W), not {tuple(images.shape)}")
    if labels is not None and len(labels) != len(images):
        raise UserError(f"{len(labels)} labels for {len(images)} images: give one per image")
    return GateExplorer(model, images, labels=labels, names=names, channels=channels)
