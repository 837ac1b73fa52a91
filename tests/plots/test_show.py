"""Claims about alt text and about showing figures in a notebook."""

from __future__ import annotations

import io
import pickle

import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from medattn_lite.plots import alt_text, new_figure, render_png, set_alt, show, styled
from medattn_lite.plots.alt import listed
from medattn_lite.plots.dark import DARK_PAPER, on_dark
from tests.plots.test_figures import EXAMPLES


@pytest.fixture
def outputs(monkeypatch):
    """What a cell would have displayed."""
    import IPython.display

    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda *data, **options: shown.append((data, options)))
    return shown


def test_show_gives_the_picture_its_alt_text_and_the_words(outputs):
    show(set_alt(new_figure(2, 1), "A small empty figure."))
    [((data,), options)] = outputs
    assert options["raw"] and options["metadata"] == {"image/png": {"alt": "A small empty figure."}}
    assert data["text/plain"] == "A small empty figure."
    assert Image.open(io.BytesIO(data["image/png"])).size == (200, 100)


def test_show_closes_figures_that_pyplot_made(outputs):
    figure, _ = plt.subplots()
    show(set_alt(figure, "A figure of the reader's own."))
    assert plt.get_fignums() == [] and len(outputs) == 1


def test_show_refuses_a_figure_without_alt_text(outputs):
    with pytest.raises(ValueError, match="set_alt"):
        show(new_figure(1, 1))
    assert outputs == []


def test_empty_alt_text_is_refused():
    with pytest.raises(ValueError, match="say in a sentence"):
        set_alt(new_figure(1, 1), "  \n ")


def test_alt_text_is_one_line_and_survives_pickling():
    figure = set_alt(new_figure(1, 1), "two\n   lines")
    assert alt_text(pickle.loads(pickle.dumps(figure))) == "two lines"


def test_alt_text_travels_inside_the_png():
    picture = Image.open(io.BytesIO(render_png(set_alt(new_figure(1, 1), "Weights of three keys."))))
    assert picture.text["Description"] == "Weights of three keys."


def test_lists_read_as_a_sentence():
    assert listed([]) == "" and listed(["t1"]) == "t1"
    assert listed(["t1", "t2", "flair"]) == "t1, t2 and flair"
    assert listed([str(i) for i in range(9)], limit=4) == "0, 1, 2 and 6 more"


def saved(figure: Figure) -> bytes:
    """The picture that matplotlib's own `savefig` makes."""
    stream, face = io.BytesIO(), figure.get_facecolor()
    dark = {"facecolor": face} if to_hex(face) == DARK_PAPER else {}
    with styled():
        figure.savefig(stream, format="png", dpi=100, metadata={"Software": None, "Description": alt_text(figure)},
                       pil_kwargs={"compress_level": 4}, **dark)
    return stream.getvalue()


@pytest.mark.parametrize("example", ["affinity_view", "attention_matrix", "audit_view", "forest", "three_planes"])
@pytest.mark.parametrize("dark", [False, True])
def test_a_picture_is_what_savefig_makes_of_it(example: str, dark: bool) -> None:
    one, other = EXAMPLES[example](), EXAMPLES[example]()
    if dark:
        one, other = on_dark(one), on_dark(other)
    assert render_png(one) == saved(other)
    assert render_png(one) == saved(other), "and the figure is left as savefig leaves it"


def test_each_axes_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = Axes.draw
    monkeypatch.setattr(Axes, "draw", lambda axes, renderer: drawn.append(id(axes)) or draw(axes, renderer))
    figure = EXAMPLES["attention_matrix"]()
    assert figure.get_layout_engine() is not None
    engine, dpi = figure.get_layout_engine(), figure.dpi
    render_png(figure, dpi=60)
    assert sorted(drawn) == sorted(set(drawn)) == sorted(map(id, figure.axes))
    assert figure.get_layout_engine() is engine and figure.dpi == dpi


def test_a_figure_of_pyplots_is_saved_by_its_own_canvas() -> None:
    figure, axes = plt.subplots()
    axes.plot([0, 1], [1, 0])
    set_alt(figure, "a line")
    try:
        assert render_png(figure) == saved(figure)
    finally:
        plt.close(figure)
