"""What all widgets share: labelled controls, one picture that is replaced in place, and the same in words.

A widget computes nothing of its own. It turns the state of its controls into a call of `explain/` and of
`plots/`; so every state can be drawn without a browser, by `static()`, and tested without one.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, ClassVar, Generic, TypeVar

import ipywidgets
from matplotlib.figure import Figure
from traitlets import TraitError, Unicode

from medattn_lite.errors import UserError
from medattn_lite.plots.alt import alt_text
from medattn_lite.plots.dark import on_dark
from medattn_lite.plots.places import PlanePlace, plane_places
from medattn_lite.plots.show import DARK_PNG, mime_bundle, render_png
from medattn_lite.widgets.page import page_pointer
from medattn_lite.widgets.pointing import Pointing
from medattn_lite.widgets.waiting import progress_html

LABEL = {"description_width": "104px"}
CONTROL = {"width": "290px"}
SIDE = "292px"  # controls and readout
SMALL = "font-size:12px;line-height:1.35"
HIGHEST = "636px"  # of the picture, which its box exceeds by 3: a screen of 768 has 640 below JupyterLab's bars

StateT = TypeVar("StateT")  # a frozen dataclass of a widget's own: one field per control


class Picture(ipywidgets.Image):
    """An image with a text for those who do not see it (the browser's `title`, the image's accessible name)."""

    # ipywidgets' page sets a tooltip only on a widget whose description is empty, and an Image has none: without
    # this one the whole picture is replaced by a JavaScript error.
    description = Unicode("").tag(sync=True)

    @property
    def alt(self) -> str:
        return self.tooltip or ""

    @alt.setter
    def alt(self, text: str) -> None:
        self.tooltip = text


class Explorer(ipywidgets.Box, Generic[StateT]):
    """Controls, a picture and a readout that follow each other.

    The picture stands beside the controls, the readout under them, so that a slider and its answer are on the screen
    together; where there is no room for both, the picture goes below.

    Subclasses give the controls, `view`, and a frozen dataclass `State` with a field per control (and a default for
    each control that some inputs do without). A redraw happens within the message that moved a control:
    JupyterLab sends a slider's next value only after the last one was answered, and only the newest, so a
    fast hand never queues pictures.

    Args:
        controls: name → ipywidget with a `value` and a description; all usable by keyboard.
        box: how the controls are laid out; a wrapping row by default.

    Attributes:
        State: the class of what `view` is given.
        controls: as given; `controls["opacity"].value = 0.3` works as moving it.
        picture: the one image, replaced in place.
        readout: the state in words, announced to screen readers.
        summary: the words of the readout.
        error: what went wrong in the last redraw, or None.
    """

    State: ClassVar[type[Any]]

    def __init__(
        self, controls: Mapping[str, ipywidgets.ValueWidget], *, box: ipywidgets.Box | None = None
    ) -> None:
        self.controls = dict(controls)
        size = {"max_width": "100%", "max_height": HIGHEST, "width": "auto", "height": "auto"}
        self.picture = Picture(format="png", layout={**size, "margin": "0"})
        self.picture.add_class("medattn-picture")
        self.readout = ipywidgets.HTML()
        self.readout.add_class("medattn-readout")
        self.summary = ""
        self.error: Exception | None = None
        self._holding = False
        self._initial = self.state
        self._again = ipywidgets.Button(description="Start again", tooltip="All controls back to where they began")
        self._again.on_click(lambda _: self.reset())
        self._page, self._pointing = page_pointer(), Pointing(self.controls)
        self._places: list[PlanePlace] = []
        self._hint = ipywidgets.HTML()
        row = {"flex_flow": "row wrap", "grid_gap": "0 16px"}
        box = box or ipywidgets.Box(list(self.controls.values()), layout=row)
        parts = [box, self._again, self.readout, self._hint]
        pointer = [] if self._page is None else [self._page]  # invisible; here it takes no room from the picture
        # In one line the picture takes nearly all the room that is left; below the controls, both take the whole width.
        side = ipywidgets.VBox([*parts, *pointer], layout={"flex": f"1 1 {SIDE}", "min_width": "0"})
        place = ipywidgets.Box([self.picture], layout={"flex": "1000 1 520px", "min_width": "0", "display": "block"})
        super().__init__([side, place], layout={**row, "grid_gap": "8px 16px", "align_items": "flex-start"})
        self.add_class("medattn-explorer")
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._moved(name), names="value")
        self.redraw()
        if self._page is not None:
            self._page.observe(lambda _: self.redraw(), names="dark")
            self._page.observe(lambda change: self._pointed(change["new"]), names="event")
            words = "; ".join(self._pointing.able(self._places))
            self._hint.value = f'<div style="{SMALL}">Mouse: {escape(words)}.</div>' if words else ""

    def view(self, state: StateT) -> tuple[Figure, str]:
        """The figure of a state, with alt text, and the state in words. Reads nothing but its argument.

        Args:
            state: the values of the controls.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how it looks")

    def waits_for(self, state: StateT) -> str:
        """What a reader of this state waits for, in a sentence, where its picture takes a second or more; else ""."""
        return ""

    def adjust(self, name: str) -> None:
        """Called when a control has moved, before the redraw: a place to fit the range of other controls."""

    @property
    def state(self) -> dict[str, Any]:
        """Name → value of every control."""
        return {name: control.value for name, control in self.controls.items()}

    def state_with(self, **changed: object) -> StateT:
        """The present state as `view` takes it, with some values changed."""
        return self.State(**{**self.state, **changed})

    def set(self, **state: object) -> None:
        """Move several controls at once, with one redraw.

        Raises:
            UserError: for a control that does not exist or a value it cannot take; nothing is moved then.
        """
        unknown = [name for name in state if name not in self.controls]
        if unknown:
            raise UserError(f"no control {', '.join(map(repr, unknown))}; there are {', '.join(self.controls)}")
        before = self.state
        self._holding = True
        try:
            for name in self.controls:  # in the order on the screen: a later one may depend on an earlier one
                if name in state:
                    self._assign(name, state[name])
        except UserError:
            for name, value in before.items():
                self._assign(name, value)
            raise
        finally:
            self._holding = False
        self.redraw()

    def reset(self) -> None:
        """Bring all controls back to where they began."""
        self.set(**self._initial)

    def static(self) -> Figure:
        """The picture of the present state as a figure, for the page that is read without a kernel."""
        return self.view(self.state_with())[0]

    def redraw(self) -> None:
        """Draw the present state. An error is written into the readout, kept in `error`, and raised."""
        try:
            state = self.state_with()
            if waiting := self.waits_for(state):
                self.readout.value = progress_html(waiting, style=SMALL)
            figure, summary = self.view(state)
            dark = self._page is not None and self._page.dark
            png, alt = render_png(on_dark(figure) if dark else figure), alt_text(figure)
            self._places = plane_places(figure)
        except Exception as error:
            self.error = error
            self.summary = f"This state could not be drawn ({type(error).__name__}): {error}"
            self.readout.value = f'<div role="alert"><b>{escape(self.summary)}</b></div>'
            raise
        self.error = None
        self.summary = summary
        self.picture.value = png
        self.picture.alt = alt
        if self._page is not None:
            able = self._pointing.able(self._places)
            self._page.boxes = [list(place.box) for place in self._places] if able else []
        self.readout.value = f'<div role="status" aria-live="polite" style="{SMALL}">{escape(summary)}</div>'

    def _moved(self, name: str) -> None:
        if self._holding:
            return
        self._holding = True
        try:
            self.adjust(name)
        finally:
            self._holding = False
        self.redraw()

    def _pointed(self, event: Mapping[str, Any]) -> None:
        changed = self._pointing.values(self._places, event)
        if changed:
            self.set(**changed)

    def _assign(self, name: str, value: object) -> None:
        control = self.controls[name]
        try:
            control.value = value
        except TraitError as error:
            raise UserError(f"{name} cannot be {value!r}: {error}") from error
        taken = control.value
        same = taken == tuple(value) if isinstance(taken, tuple) and isinstance(value, Sequence) else taken == value
        if not same:  # sliders silently stop at their ends
            raise UserError(f"{name} cannot be {value!r}: it goes from {control.min} to {control.max}")
        self.adjust(name)

    def _repr_mimebundle_(self, **options: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """The live widget, and beside it the picture and the words for pages without a kernel."""
        data = dict(super()._repr_mimebundle_(**options) or {})
        figure = self.static()
        picture, metadata = mime_bundle(figure)
        dark = {DARK_PNG: b64encode(render_png(on_dark(figure))).decode()}
        return data | picture | dark | {"text/plain": self.summary}, metadata


def fit_range(slider: ipywidgets.ValueWidget, low: float, high: float, value: object) -> None:
    """Give a slider new ends and a value between them, in an order in which every step is valid."""
    slider.max = max(slider.max, high)
    slider.min = low
    slider.max = high
    slider.value = value
