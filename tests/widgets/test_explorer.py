"""Claims about every explorer: each control moves the picture, its text and the readout; errors are never hidden."""

from __future__ import annotations

import html
import itertools
from dataclasses import dataclass

import ipywidgets
import pytest
from matplotlib.figure import Figure

from medattn_lite.errors import UserError
from medattn_lite.plots import alt_text, render_png
from medattn_lite.widgets import Explorer
from tests.widgets.conftest import KINDS, make_explorer


def other_values(control):
    """One or two values that the control does not have now, as near as a key press where it is a slider."""
    if isinstance(control, ipywidgets.FloatRangeSlider):
        low, high = control.value
        return [(low + control.step, high), (control.min, low + 2 * control.step)]
    if isinstance(control, ipywidgets.SelectionSlider):
        return [value for value in control.options if value != control.value][:2]
    if isinstance(control, ipywidgets.Dropdown):
        values = [option[1] if isinstance(option, tuple) else option for option in control.options]
        return [value for value in values if value != control.value][:2]
    if isinstance(control, ipywidgets.FloatLogSlider):
        return [2.0, 0.5]
    return [value for value in (control.value + control.step, control.value - control.step) if value <= control.max]


def look(explorer):
    return bytes(explorer.picture.value), explorer.picture.alt, explorer.summary


@pytest.mark.parametrize("kind", KINDS)
def test_every_control_moves_picture_alt_text_and_readout(kind):
    explorer = make_explorer(kind)
    unmoved = []
    for name, control in explorer.controls.items():
        if control.layout.display == "none":
            continue
        before = look(explorer)
        control.value = other_values(control)[0]
        assert explorer.error is None
        unmoved += [
            (name, control.value, part)
            for part, was, now in zip(("picture", "alt", "readout"), before, look(explorer), strict=True)
            if was == now
        ]
    assert not unmoved


@pytest.mark.parametrize("kind", KINDS)
def test_static_figure_is_the_picture_of_the_state_everywhere_on_a_grid(kind):
    explorer = make_explorer(kind)
    first, second, third = list(explorer.controls)[:3]
    for state in itertools.product(*([explorer.state[name], other_values(explorer.controls[name])[0]]
                                     for name in (first, second, third))):  # fmt: skip
        explorer.set(**dict(zip((first, second, third), state, strict=True)))
        assert explorer.error is None
        figure = explorer.static()
        assert isinstance(figure, Figure)
        assert render_png(figure) == bytes(explorer.picture.value)
        assert alt_text(figure) == explorer.picture.alt
        assert explorer.summary in html.unescape(explorer.readout.value)


def test_controls_are_labelled_and_reachable_by_keyboard(explorer):
    labels = [control.description for control in explorer.controls.values()]
    assert all(labels) and len(set(labels)) == len(labels)
    for control in explorer.controls.values():
        assert control.tabbable is not False
        assert getattr(control, "continuous_update", True)


def test_the_picture_is_one_widget_for_life(explorer):
    picture = explorer.picture
    name, control = next(iter(explorer.controls.items()))
    control.value = other_values(control)[0]
    assert explorer.picture is picture and picture in explorer.children[1].children
    assert bytes(picture.value).startswith(b"\x89PNG")
    assert picture.tooltip == picture.alt and picture.description == ""


def test_the_readout_is_announced(explorer):
    assert 'role="status"' in explorer.readout.value and 'aria-live="polite"' in explorer.readout.value


def test_a_control_that_does_not_exist_is_refused(explorer):
    before = explorer.state, look(explorer)
    with pytest.raises(UserError, match="no control 'colour'; there are"):
        explorer.set(colour="red")
    assert (explorer.state, look(explorer)) == before


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("playground", {"query_x": 3.0}), ("playground", {"score": "cosine"}),
        ("slices", {"axial": 99}), ("slices", {"overlay": "cam"}),
        ("se", {"image": 3}), ("se", {"layer": "layer9"}), ("se", {"most_open": "many"}),
    ],
)  # fmt: skip
def test_a_value_that_a_control_cannot_take_is_refused_and_nothing_moves(kind, wrong):
    explorer = make_explorer(kind)
    first = next(iter(explorer.controls))
    before = explorer.state
    moved = {first: other_values(explorer.controls[first])[0]} | wrong
    with pytest.raises(UserError, match=f"{next(iter(wrong))} cannot be"):
        explorer.set(**moved)
    assert explorer.state == before


def test_start_again_brings_everything_back(explorer):
    before = explorer.state, look(explorer)
    for name in list(explorer.controls)[:4]:
        explorer.controls[name].value = other_values(explorer.controls[name])[0]
    assert explorer.state != before[0]
    explorer._again.click()
    assert (explorer.state, look(explorer)) == before


def test_set_redraws_once(explorer, monkeypatch):
    drawn = []
    monkeypatch.setattr(explorer, "redraw", lambda: drawn.append(explorer.state))
    names = list(explorer.controls)[:3]
    explorer.set(**{name: explorer.state[name] for name in names})
    assert len(drawn) == 1


@dataclass(frozen=True)
class Number:
    number: int


class Fragile(Explorer[Number]):
    """Draws the playground's picture, but not at 3."""

    State = Number

    def __init__(self):
        self.inner = make_explorer("playground")
        super().__init__({"number": ipywidgets.IntSlider(value=1, min=0, max=5, description="number")})

    def view(self, state):
        if state.number == 3:
            raise ZeroDivisionError("three is <too> much")
        return self.inner.static(), f"The number is {state.number}."


def test_an_error_is_raised_kept_and_told_in_the_readout():
    explorer = Fragile()
    picture = bytes(explorer.picture.value)
    with pytest.raises(ZeroDivisionError):
        explorer.controls["number"].value = 3
    assert isinstance(explorer.error, ZeroDivisionError)
    assert "ZeroDivisionError" in explorer.summary and 'role="alert"' in explorer.readout.value
    assert "&lt;too&gt;" in explorer.readout.value
    assert bytes(explorer.picture.value) == picture
    explorer.controls["number"].value = 2
    assert explorer.error is None and explorer.summary == "The number is 2."


def test_without_a_kernel_the_output_still_holds_picture_and_words(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["image/png"] == bytes(explorer.picture.value)
    assert data["text/plain"] == explorer.summary
    assert metadata["image/png"]["alt"] == explorer.picture.alt
