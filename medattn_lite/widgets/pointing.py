"""The mouse in a plane as new values of an explorer's controls: click, wheel, drag."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets

from medattn_lite.plots.places import PlanePlace

# Plane → controls of the slice shown, of its rows and of its columns; the first that an explorer has.
CONTROLS = {
    "axial": (("axial", "slice"), ("coronal", "rows"), ("sagittal", "columns")),
    "coronal": (("coronal",), ("axial",), ("sagittal",)),
    "sagittal": (("sagittal",), ("axial",), ("coronal",)),
}
WIDER = 3.0  # a drag over a third of the picture doubles the window, or halves it
WORDS = {
    "click": "click in a plane: the cross goes there",
    "wheel": "wheel, after a click: leaf through the slices",
    "drag": "drag: right for a wider window, up for a brighter picture",
}


class Pointing:
    """Knows what the mouse did last, since wheel and drag are told as sums.

    Args:
        controls: an explorer's, by name.
    """

    def __init__(self, controls: Mapping[str, ipywidgets.ValueWidget]) -> None:
        self._controls = controls
        self._total = 0
        self._drag: tuple[int, tuple[float, float]] | None = None

    def able(self, places: Sequence[PlanePlace]) -> list[str]:
        """What the mouse can do in these planes, in words; nothing where no plane has controls."""
        parts = [self._parts(place.plane) for place in places]
        can = {
            "click": any(row or column for _, row, column in parts),
            "wheel": any(across for across, _, _ in parts),
            "drag": bool(parts) and "window" in self._controls,
        }
        return [words for name, words in WORDS.items() if can[name]]

    def values(self, places: Sequence[PlanePlace], event: Mapping[str, Any]) -> dict[str, Any]:
        """What the controls should say after an event; nothing where it means nothing here.

        Args:
            places: the planes of the picture.
            event: as `Pointer.event` has it.
        """
        x, y = float(event.get("x", -1)), float(event.get("y", -1))
        place = next((candidate for candidate in places if candidate.holds(x, y)), None)
        kind = event.get("kind")
        if place is None:
            return {}
        if kind == "click":
            _, *names = self._parts(place.plane)
            return {name: self._inside(name, i) for name, i in zip(names, place.voxel(x, y), strict=True) if name}
        if kind == "wheel":
            steps, self._total = int(event.get("total", 0)) - self._total, int(event.get("total", 0))
            name = self._parts(place.plane)[0]
            return {name: self._inside(name, self._controls[name].value + steps)} if name and steps else {}
        return self._window(event) if kind == "drag" and "window" in self._controls else {}

    def _parts(self, plane: str) -> list[str | None]:
        return [next((name for name in names if name in self._controls and not self._controls[name].disabled), None)
                for names in CONTROLS[plane]]  # fmt: skip

    def _inside(self, name: str, value: int) -> int:
        control = self._controls[name]
        return min(max(int(value), control.min), control.max)

    def _window(self, event: Mapping[str, Any]) -> dict[str, Any]:
        slider, number = self._controls["window"], int(event.get("number", 0))
        if self._drag is None or self._drag[0] != number:
            self._drag = number, tuple(slider.value)
        low, high = self._drag[1]
        width = (high - low) * 2 ** (WIDER * float(event.get("right", 0)))
        width = min(max(width, slider.step), slider.max - slider.min)
        middle = (low + high) / 2 + float(event.get("down", 0)) * (high - low)  # down: the middle rises, darker
        middle = min(max(middle, slider.min + width / 2), slider.max - width / 2)
        return {"window": (max(middle - width / 2, slider.min), min(middle + width / 2, slider.max))}
