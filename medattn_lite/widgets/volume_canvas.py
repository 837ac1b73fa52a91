"""The live viewer: niivue draws, controls beside it do by keyboard what the mouse does, the voxel is said in words."""

from __future__ import annotations

import gzip
import math
from html import escape
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.colors import to_rgb

from medattn_lite.plots.panels import PLANES
from medattn_lite.plots.style import CROSSHAIR, mask_colour, mask_names
from medattn_lite.widgets.explorer import CONTROL, LABEL, SIDE, SMALL, fit_range
from medattn_lite.widgets.volume_layers import COLOUR_MAPS, Layer, Layers, ends

HIGH = 460  # pixels of the canvas
FINEST = 256  # voxels per side: a larger volume is sent at every second voxel, or third, …
VIEWS = {"planes and 3-D": 3, "axial": 0, "coronal": 1, "sagittal": 2, "3-D": 4}  # niivue's numbers
FAINT = 0.05  # of a map's highest value: what is below is not drawn, since niivue draws all values equally opaque


class VolumeCanvas(ipywidgets.Box):
    """niivue over its controls' state; made by `view_volume`.

    Attributes:
        canvas: niivue's widget.
        controls: name → ipywidget, usable by keyboard.
        readout: the voxel at the cross in words, announced to screen readers.
    """

    def __init__(self, layers: Layers, *, opacity: float, colour_map: str) -> None:
        from ipyniivue import NiiVue, ShowRender

        self._layers = layers
        self._step = max(1, math.ceil(max(layers.shape) / FINEST))
        self._look = {layer.name: (opacity, colour_map) for layer in layers.overlays}
        self._following = False
        self.canvas = NiiVue(
            height=HIGH, crosshair_width=1, crosshair_color=(*to_rgb(CROSSHAIR), 0.9), back_color=(0.0, 0.0, 0.0, 1.0),
            multiplanar_show_render=ShowRender.ALWAYS, show_3d_crosshair=True, scroll_requires_focus=True,
            is_orient_cube=False, drag_and_drop_enabled=False, font_min_px=11, log_level="error", loading_text="",
        )  # fmt: skip
        self.controls = self._make_controls()
        self.readout = ipywidgets.HTML()
        self.readout.add_class("medattn-readout")
        self._load()
        self.move(layers.start)
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._moved(name), names="value")
        self.canvas.on_location_change(self._clicked)
        row = {"flex_flow": "row wrap", "grid_gap": "0 16px"}
        box = ipywidgets.Box(list(self.controls.values()), layout=row)
        side = ipywidgets.VBox([box, self.readout], layout={"flex": f"1 1 {SIDE}", "min_width": "0"})
        place = ipywidgets.Box([self.canvas], layout={"flex": "1000 1 520px", "min_width": "0", "display": "block"})
        super().__init__([side, place], layout={**row, "grid_gap": "8px 16px", "align_items": "flex-start"})
        self.add_class("medattn-viewer")

    @property
    def position(self) -> tuple[int, int, int]:
        """Indices of the voxel at the cross."""
        axial, coronal, sagittal = (int(self.controls[plane.name].value) for plane in PLANES)
        return axial, coronal, sagittal

    def move(self, index: tuple[int, int, int]) -> None:
        """Bring the cross to a voxel."""
        self._follow(index)
        sides = [math.ceil(side / self._step) for side in self._layers.shape]
        inside = [(min(i // self._step, side - 1) + 0.5) / side for i, side in zip(index, sides, strict=True)]
        self.canvas.scene.crosshair_pos = inside[::-1]  # niivue counts W, H, D

    def _make_controls(self) -> dict[str, ipywidgets.ValueWidget]:
        layers, style = self._layers, {"style": LABEL, "layout": CONTROL}
        names = [layer.name for layer in layers.contrasts]
        controls: dict[str, ipywidgets.ValueWidget] = {
            "view": ipywidgets.Dropdown(options=list(VIEWS), description="view", **style),
            "contrast": ipywidgets.Dropdown(
                options=[(name, number) for number, name in enumerate(names)], value=layers.chosen,
                description="contrast", **style,
            ),
            "window": ipywidgets.FloatRangeSlider(description="window", readout_format=".3g", **style),
        }  # fmt: skip
        self._fit_window(controls["window"], layers.contrasts[layers.chosen])
        for plane in PLANES:
            controls[plane.name] = ipywidgets.IntSlider(
                min=0, max=layers.shape[plane.across] - 1, description=f"{plane.name} {ends(plane.across)}", **style
            )
        if layers.overlays:
            first = layers.overlays[0]
            opacity, colours = self._look[first.name]
            controls["overlay"] = ipywidgets.Dropdown(
                options=[layer.name for layer in layers.overlays], description="overlay", **style
            )
            controls["opacity"] = ipywidgets.FloatSlider(
                value=opacity, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%", **style
            )
            controls["colours"] = ipywidgets.Dropdown(
                options=list(COLOUR_MAPS), value=colours, disabled=first.kind == "mask",
                description="colour map", **style,
            )  # fmt: skip
        return controls

    def _load(self) -> None:
        """Give niivue the chosen contrast and all overlays."""
        shown = self._layers.contrasts[int(self.controls["contrast"].value)]
        self.canvas.load_volumes([self._volume(shown), *(self._volume(layer) for layer in self._layers.overlays)])

    def _volume(self, layer: Layer) -> Any:
        from ipyniivue import Volume

        sent = {"data": self._file(layer), "name": f"{layer.name}.nii.gz", "colorbar_visible": layer.kind == "map"}
        if layer.kind == "contrast":
            low, high = self.controls["window"].value
            return Volume(colormap="gray", cal_min=low, cal_max=high, **sent)
        opacity, colours = self._look[layer.name]
        if layer.kind == "mask":
            volume = Volume(opacity=opacity, **sent)
            volume.set_colormap_label(_labels(layer.values))
            return volume
        high = max(abs(end) for end in layer.limits) or 1.0
        negative = {"colormap_negative": "winter", "cal_min_neg": -high, "cal_max_neg": -high * FAINT}
        return Volume(opacity=opacity, colormap=colours, cal_min=high * FAINT, cal_max=high,
                      **(negative if layer.signed else {}), **sent)  # fmt: skip

    def _file(self, layer: Layer) -> bytes:
        """A NIfTI file with axes W, H, D, as niivue keeps its volumes."""
        import nibabel as nib

        every = (slice(None, None, self._step),) * 3
        values = np.ascontiguousarray(layer.values[every].transpose(2, 1, 0))
        affine = self._layers.affine @ np.diag([self._step] * 3 + [1.0])
        return gzip.compress(nib.Nifti1Image(values, affine[:, [2, 1, 0, 3]]).to_bytes(), compresslevel=1)

    def _moved(self, name: str) -> None:
        if self._following:
            return
        if name == "view":
            from ipyniivue import SliceType

            self.canvas.set_slice_type(SliceType(VIEWS[self.controls["view"].value]))
        elif name == "contrast":
            self._following = True
            self._fit_window(self.controls["window"], self._layers.contrasts[self.controls["contrast"].value])
            self._following = False
            self._load()
        elif name == "window":
            shown = self.canvas.volumes[0]
            shown.cal_min, shown.cal_max = self.controls["window"].value
        elif name == "overlay":
            self._following = True
            self.controls["opacity"].value, self.controls["colours"].value = self._look[self.controls["overlay"].value]
            self.controls["colours"].disabled = self._layers.overlays[self._number()].kind == "mask"
            self._following = False
        elif name in ("opacity", "colours"):
            self._look[self.controls["overlay"].value] = self.controls["opacity"].value, self.controls["colours"].value
            shown = self.canvas.volumes[1 + self._number()]
            shown.opacity = self.controls["opacity"].value
            if self._layers.overlays[self._number()].kind == "map":
                shown.colormap = self.controls["colours"].value
        else:
            self.move(self.position)
        self._say()

    def _number(self) -> int:
        """Which overlay the controls speak of."""
        return [layer.name for layer in self._layers.overlays].index(self.controls["overlay"].value)

    def _clicked(self, location: dict[str, Any]) -> None:
        """niivue's cross has moved: the sliders follow."""
        voxel = location.get("vox") or ()
        if len(voxel) < 3:
            return
        indices = [int(round(float(i))) * self._step for i in voxel[:3]][::-1]  # niivue counts W, H, D
        axial, coronal, sagittal = (min(max(i, 0), side - 1)
                                    for i, side in zip(indices, self._layers.shape, strict=True))  # fmt: skip
        self._follow((axial, coronal, sagittal))

    def _follow(self, index: tuple[int, int, int]) -> None:
        self._following = True
        for plane, i in zip(PLANES, index, strict=True):
            if int(self.controls[plane.name].value) // self._step != int(i) // self._step:
                self.controls[plane.name].value = int(i)
        self._following = False
        self._say()

    def _say(self) -> None:
        chosen = self._layers.contrasts[int(self.controls["contrast"].value)]
        text = f"{self._layers.words()} {self._layers.place(self.position, chosen)}"
        if self._step > 1:
            text += f" Drawn at every {self._step}. voxel, for its size."
        self.readout.value = f'<div role="status" aria-live="polite" style="{SMALL}">{escape(text)}</div>'

    @staticmethod
    def _fit_window(slider: ipywidgets.FloatRangeSlider, contrast: Layer) -> None:
        low, high = contrast.limits
        span = high - low
        slider.step = float(f"{span / 50:.1g}")
        values = contrast.values
        ends = min(float(values.min()), low), max(float(values.max()), high)
        fit_range(slider, max(ends[0], low - span), min(ends[1], high + span), (low, high))


def _labels(values: np.ndarray) -> dict[str, list[Any]]:
    """niivue's colours of a mask: those of every figure of the package, with their names."""
    names = mask_names(np.unique(values))
    colours = [(0.0, 0.0, 0.0), *(to_rgb(mask_colour(value)) for value in names)]
    red, green, blue = ([round(255 * colour[part]) for colour in colours] for part in range(3))
    return {"R": red, "G": green, "B": blue, "A": [0, *[255] * len(names)], "I": [0, *names],
            "labels": ["", *names.values()]}  # fmt: skip
