"""A viewer of volumes: niivue in a live notebook, a page of its own where there is no kernel."""

from __future__ import annotations

import importlib.util
import os
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medattn_lite.errors import UserError
from medattn_lite.optional import install
from medattn_lite.plots.style import MAP
from medattn_lite.widgets.volume_layers import COLOUR_MAPS, Layers, read_layers
from medattn_lite.widgets.volume_page import save_page, volume_page

if TYPE_CHECKING:
    from medattn_lite.widgets.volume_canvas import VolumeCanvas

NO_KERNEL = "MEDATTN_NO_KERNEL"  # set where a notebook is run to be read, not used: `medattn course`
HIGH = 440  # pixels of the page in a notebook


class VolumeView:
    """A volume to look at; the last line of a cell shows it.

    Attributes:
        layers: what is shown.
        opacity: of the overlays.
        colour_map: of the maps.
    """

    def __init__(self, layers: Layers, *, opacity: float, colour_map: str) -> None:
        self.layers, self.opacity, self.colour_map = layers, opacity, colour_map

    @cached_property
    def html(self) -> str:
        """The page: three linked planes and the first overlay."""
        return volume_page(self.layers, opacity=self.opacity, colour_map=self.colour_map)

    @cached_property
    def widget(self) -> VolumeCanvas:
        """niivue with its controls, for a live notebook.

        Raises:
            UserError: ipyniivue is not installed.
        """
        if importlib.util.find_spec("ipyniivue") is None:
            raise UserError(f"the live viewer needs ipyniivue: {install('viewer')}")
        from medattn_lite.widgets.volume_canvas import VolumeCanvas

        return VolumeCanvas(self.layers, opacity=self.opacity, colour_map=self.colour_map)

    @property
    def summary(self) -> str:
        """What is shown, in words."""
        return self.layers.words()

    def save_as_html(self, path: str | Path, *, overwrite: bool = False) -> int:
        """Writes the page, which opens in any browser and asks no other host; returns its size in bytes.

        Raises:
            UserError: the file is there already, or its folder is missing.
        """
        return save_page(self.layers, Path(path), opacity=self.opacity, colour_map=self.colour_map, overwrite=overwrite)

    def _repr_mimebundle_(self, **options: object) -> dict[str, Any]:
        data = {"text/html": self._frame(), "text/plain": self.summary}
        if importlib.util.find_spec("ipyniivue") is None or os.environ.get(NO_KERNEL):
            return data
        return dict(self.widget._repr_mimebundle_(**options) or {}) | data

    def _frame(self) -> str:
        several = len(self.layers.overlays) > 1
        more = " Here: the first overlay; a live notebook with the extra viewer shows all." if several else ""
        return (f'<iframe title="{escape(self.summary)}" srcdoc="{escape(self.html)}" '
                f'style="width:100%;height:{HIGH}px;border:0;background:#fff"></iframe>'
                f"<p>{escape(self.summary + more)} Click in a plane to move the cross.</p>")  # fmt: skip


def view_volume(
    source: Any,
    overlay: Any = None,
    *,
    channel: str | int = 0,
    affine: Any = None,
    threshold: float | None = None,
    opacity: float = 0.6,
    colour_map: str = MAP,
    title: str = "",
) -> VolumeView:
    """Shows three linked planes of a volume, and the volume in 3-D, with maps, masks or other contrasts over it.

    In a live notebook niivue draws (the extra `viewer`): click moves the cross in all planes, the wheel leafs after a
    click, the right button's drag sets the window, drag in 3-D turns; the controls beside it do the same by keyboard.
    Elsewhere, and without that extra, it is a page with three linked planes and the first overlay.

    Args:
        source: a sample with `image` (C, D, H, W); a NIfTI file; an array (D, H, W) or (C, D, H, W); an explanation.
        overlay: the same kinds, on the same grid; the sample's own "mask" or "signal"; the name of another contrast of
            the sample; or several by name, {"Grad-CAM": found, "tumour": "mask"}. Whole numbers are masks. None shows
            the volume alone.
        channel: name or number of the contrast that is shown first, where there are several.
        affine: 4×4 of an array, from indices (D, H, W) to mm; a sample and a file bring their own.
        threshold: values of a map up to it are not drawn; 0 for maps without negative values, None for all of them.
        opacity: of the overlays, 0 to 1.
        colour_map: of maps: one of `COLOUR_MAPS`, such as "cividis" or "inferno".
        title: what is shown; the sample's source and subject by default.

    Returns:
        The view: the last line of a cell shows it; `save_as_html(path)` writes the page.

    Raises:
        UserError: a 2-D image, an overlay of another shape or grid, an opacity outside 0 … 1, an unknown colour map,
            or no such channel or file.
    """
    if not 0 <= opacity <= 1:
        raise UserError(f"opacity is {opacity}: give a number from 0 to 1")
    if colour_map not in COLOUR_MAPS:
        raise UserError(f"there is no colour map {colour_map!r}: use one of {', '.join(COLOUR_MAPS)}")
    layers = read_layers(source, overlay, channel=channel, affine=affine, threshold=threshold, title=title)
    return VolumeView(layers, opacity=opacity, colour_map=colour_map)
