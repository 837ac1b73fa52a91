"""Show a figure in a notebook: one PNG, its alt text beside it, and nothing left in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.typing import ColorType

from medattn_lite.plots.alt import alt_text
from medattn_lite.plots.dark import DARK_PAPER
from medattn_lite.plots.style import PAPER, styled

DPI = 100
DARK_PNG = "application/vnd.medattn.dark+png"  # base64, beside image/png: the same picture for a dark page


def render_png(figure: Figure, *, dpi: int = DPI) -> bytes:
    """Renders the figure as PNG bytes; the alt text travels inside the file as its description.

    The same figure gives the same bytes (no date, no version in the file).

    Example:
        >>> from medattn_lite import plots
        >>> plots.render_png(plots.split_attention(2))[1:4]
        b'PNG'
    """
    stream = BytesIO()
    metadata, pil_kwargs = {"Software": None, "Description": alt_text(figure)}, {"compress_level": 4}
    face = figure.get_facecolor() if to_hex(figure.get_facecolor()) == DARK_PAPER else PAPER
    with styled():  # ticks are made while drawing, so the style must hold here too
        if not isinstance(figure.canvas, FigureCanvasAgg) or figure.canvas.manager is not None:  # made by pyplot
            figure.savefig(stream, format="png", dpi=dpi, facecolor=face, metadata=metadata, pil_kwargs=pil_kwargs)
        else:
            with _as_saved(figure, dpi, face):
                figure.canvas.draw()
                imsave(stream, figure.canvas.buffer_rgba(), format="png", origin="upper", dpi=dpi,
                       metadata=metadata, pil_kwargs=pil_kwargs)  # type: ignore[arg-type]  # None leaves it out
    return stream.getvalue()


@contextmanager
def _as_saved(figure: Figure, dpi: int, face: ColorType) -> Iterator[None]:
    """What `savefig` sets while it draws, without the second pass over all artists that it makes for the layout."""
    before, engine, paper = figure.dpi, figure.get_layout_engine(), figure.get_facecolor()
    figure.set_dpi(dpi)
    figure.set_facecolor(face)
    try:
        if engine is not None and figure.axes:
            engine.execute(figure)
            figure.set_layout_engine("none")
        yield
    finally:
        figure.set_dpi(before)
        figure.set_facecolor(paper)
        if engine is not None:
            figure.set_layout_engine(engine)


def mime_bundle(figure: Figure, *, dpi: int = DPI) -> tuple[dict[str, Any], dict[str, Any]]:
    """The figure as a notebook output: data and metadata, by MIME type.

    Raises:
        ValueError: if the figure has no alt text.
    """
    alt = alt_text(figure)
    if not alt:
        raise ValueError("this figure has no alt text: call medattn_lite.plots.set_alt(figure, text) first")
    return {"image/png": render_png(figure, dpi=dpi), "text/plain": alt}, {"image/png": {"alt": alt}}


def show(figure: Figure, *, dpi: int = DPI) -> None:
    """Displays a figure under the cell with its alt text, then closes it.

    The output holds `image/png` with the alt text in its metadata, where nbconvert and our reports
    look for it, and `text/plain` with the same words for whoever reads without pictures.

    Args:
        figure: a figure with alt text, from this package or your own after `set_alt`.
        dpi: pixels an inch.

    Raises:
        ValueError: if the figure has no alt text.
    """
    from IPython.display import display

    data, metadata = mime_bundle(figure, dpi=dpi)
    plt.close(figure)  # only matters for figures that pyplot made
    display(data, metadata=metadata, raw=True)
