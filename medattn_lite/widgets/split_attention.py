"""The split explorer: how a block of split attention divides a channel, and the prediction when it divides evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from medattn_lite.errors import UserError
from medattn_lite.explain import SplitReading, read_splits, split_shares
from medattn_lite.plots.alt import listed
from medattn_lite.plots.layer_names import short_names
from medattn_lite.plots.split_view import split_view
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer


@dataclass(frozen=True)
class SplitState:
    """What the controls of a split explorer say."""

    image: int
    layer: str
    channel: int
    even: float
    background: int | None = None
    opacity: float = 0.6


class SplitExplorer(Explorer[SplitState]):
    """See `split_explorer`."""

    State = SplitState

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        *,
        labels: Sequence[int] | Tensor | None,
        names: Sequence[str] | None,
        channels: Sequence[str] | None,
    ) -> None:
        self._model, self._images, self._labels, self._names = model, images, labels, names
        self._contrasts = [str(name) for name in channels or [f"channel {i}" for i in range(images.shape[1])]]
        self._readings = lru_cache(maxsize=32)(self._read)
        shares = split_shares(model, images[:1])
        if not shares:
            raise UserError("this model has no split attention: give a ResNeSt or a ResNeSAt")
        self._sizes = {layer: values.shape[2] for layer, values in shares.items()}
        first = next(iter(shares))
        style = {"style": LABEL, "layout": CONTROL}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "image": ipywidgets.IntSlider(
                value=0, min=0, max=len(images) - 1, disabled=len(images) == 1, description="image", **style
            ),
            "layer": ipywidgets.Dropdown(
                options=[(short, layer) for layer, short in short_names(shares).items()], description="block", **style
            ),
            "channel": ipywidgets.IntSlider(
                value=0, min=0, max=self._sizes[first] - 1, description="channel", **style
            ),
            "even": ipywidgets.FloatSlider(
                value=0.0, min=0.0, max=1.0, step=0.05, description="towards uniform", readout_format=".0%", **style
            ),
        }
        if images.shape[1] > 1:
            controls["background"] = ipywidgets.Dropdown(
                options=[(name, i) for i, name in enumerate(self._contrasts)], value=0, description="background",
                **style,
            )
        if self._readings(0, first, 0.0).spatial is not None:
            controls["opacity"] = ipywidgets.FloatSlider(
                value=0.6, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%", **style
            )
        self.controls = controls
        super().__init__(controls)

    def adjust(self, name: str) -> None:
        """Another block has another number of channels."""
        if name == "layer":
            last = self._sizes[str(self.controls["layer"].value)] - 1
            self.controls["channel"].value = min(self.controls["channel"].value, last)
            self.controls["channel"].max = last

    def view(self, state: SplitState) -> tuple[Figure, str]:
        number, layer, channel = state.image, state.layer, state.channel
        even, background = state.even, state.background or 0
        opacity = state.opacity
        before = self._readings(number, layer, 0.0).probabilities
        now = self._readings(number, layer, even)
        names = self._names or [f"class {i}" for i in range(len(before))]
        truth = "" if self._labels is None else f": {names[int(self._labels[number])]}"
        drawn = f" ({self._contrasts[background]})" if state.background is not None else ""
        figure = split_view(
            self._images[number, background], splits=now.splits, mixture=now.mixture, shares=now.shares, layer=layer,
            channel=channel, before=before, after=now.probabilities, towards_uniform=even, spatial=now.spatial,
            opacity=opacity, class_names=names, caption=f"image {number}{drawn}{truth}",
        )
        of_layer = now.shares[layer][:, channel]
        text = listed([f"split {r + 1} {share:.2f}" for r, share in enumerate(of_layer.tolist())])
        summary = f"Image {number}{drawn}{truth}. {short_names(now.shares)[layer]}, channel {channel}: {text}. "
        summary += self._prediction(names, before, now.probabilities, even)
        if now.spatial is not None:
            low, high = float(now.spatial.min()), float(now.spatial.max())
            summary += f" Spatial map of the block from {low:.2f} to {high:.2f}, at {opacity:.0%} opacity."
        return figure, summary

    def _read(self, number: int, layer: str, even: float) -> SplitReading:
        """One image, one block, one setting; the last ones are remembered."""
        return read_splits(self._model, self._images[number : number + 1], layer, towards_uniform=even)

    @staticmethod
    def _prediction(names: Sequence[str], before: Tensor, after: Tensor, even: float) -> str:
        best, now = int(before.argmax()), int(after.argmax())
        text = f"With unchanged shares the model says {names[best]} ({before[best]:.3f})"
        if even == 0:
            return f"{text}."
        text += f"; with the shares of all blocks moved {even:.0%} towards uniform, {names[now]} ({after[now]:.3f})"
        return f"{text}."


def split_explorer(
    model: nn.Module,
    images: Tensor,
    labels: Sequence[int] | Tensor | None = None,
    names: Sequence[str] | None = None,
    *,
    channels: Sequence[str] | None = None,
) -> SplitExplorer:
    """Explores a block of split attention: a channel's versions, their shares and their mixture; then divide evenly.

    Args:
        model: a ResNeSt or ResNeSAt classifier in 2-D; it is not changed.
        images: (N, C, H, W), as the model takes them.
        labels: (N,) true classes, for the caption.
        names: names of the classes.
        channels: names of the images' channels.

    Returns:
        An `Explorer`. Its controls: image, layer (the block), channel (of its feature maps), even (how far the shares
        of all blocks are moved towards 1/R), and where they make sense background and opacity of the spatial map.

    Raises:
        UserError: for a model without split attention, or images that are not a batch of slices.
    """
    images = torch.as_tensor(images)
    if images.dim() != 4:
        raise UserError(f"the split explorer takes a batch of slices (N, C, H, W), not {tuple(images.shape)}")
    if labels is not None and len(labels) != len(images):
        raise UserError(f"{len(labels)} labels for {len(images)} images: give one per image")
    return SplitExplorer(model, images, labels=labels, names=names, channels=channels)
