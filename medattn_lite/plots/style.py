"""One look for every figure: colours that colour-blind readers can tell apart, text of 10 points or more.

Maps are drawn in cividis; classes in the colours of Okabe and Ito (Color Universal Design, 2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from medattn_lite.plots.alt import alt_text

Arguments = ParamSpec("Arguments")

MAP = "cividis"
GREY = "gray"
INK = "#1f1f1f"
MUTED = "#5f6368"
PAPER = "#ffffff"
GRID = "#e3e3e3"

OKABE_ITO = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
CLASS_COLOURS = tuple(OKABE_ITO[name] for name in ("blue", "orange", "green", "vermilion", "purple", "sky"))
SWITCHED_OFF = OKABE_ITO["vermilion"]
CROSSHAIR = OKABE_ITO["yellow"]

# BraTS writes 1, 2 and 4 (since 2021: 3 for enhancing tumour).
MASK_COLOURS = {1: OKABE_ITO["purple"], 2: OKABE_ITO["sky"], 3: OKABE_ITO["orange"], 4: OKABE_ITO["orange"]}
BRATS_NAMES = {1: "core, not enhancing", 2: "oedema", 3: "enhancing tumour", 4: "enhancing tumour"}

STYLE = {
    "text.usetex": False,  # a user's matplotlibrc may ask for a LaTeX that is not installed
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "legend.fontsize": 10,
    "legend.frameon": False,
    "figure.titlesize": 13,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CLASS_COLOURS),
    "image.cmap": MAP,
    "lines.linewidth": 1.8,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
}

FIGURES: dict[str, Callable[..., Figure]] = {}


@contextmanager
def styled() -> Iterator[None]:
    """Sets the package's style inside this block; the reader's own settings come back after it.

    Example:
        >>> import matplotlib
        >>> from medattn_lite.plots import styled
        >>> with styled():
        ...     print(matplotlib.rcParams["image.cmap"])
        ...
        cividis
    """
    with mpl.rc_context(STYLE):  # type: ignore[arg-type]  # the stubs want each key's name
        yield


def figure_function(function: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Mark a public figure function: it draws in the package's style and must describe its figure.

    Raises:
        RuntimeError: if the figure comes back without alt text.
    """

    @wraps(function)
    def draw(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with styled():
            figure = function(*args, **kwargs)
        if not alt_text(figure):
            raise RuntimeError(f"{function.__name__} made a figure without alt text: call set_alt before returning it")
        return figure

    FIGURES[function.__name__] = draw
    return draw


Layout = Literal["constrained", "compressed", "tight"]


def new_figure(width: float, height: float, *, layout: Layout | None = "constrained") -> Figure:
    """Makes an empty figure in inches that pyplot does not know of, so nothing has to be closed.

    Example:
        >>> from medattn_lite.plots import new_figure
        >>> new_figure(4, 3).get_size_inches()
        array([4., 3.])
    """
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def mask_names(values: Iterable[int]) -> dict[int, str]:
    """Names a mask's labels: BraTS' names when it has several, plain "lesion" when it has one.

    Args:
        values: the labels that occur, 0 (background) left out or not.

    Example:
        >>> from medattn_lite.plots import mask_names
        >>> mask_names([0, 1]), mask_names([0, 2, 4])
        ({1: 'lesion'}, {2: 'oedema', 4: 'enhancing tumour'})
    """
    present = sorted({int(value) for value in values} - {0})
    if set(present) <= {1}:
        return {value: "lesion" for value in present}
    return {value: BRATS_NAMES.get(value, f"label {value}") for value in present}


def mask_colour(value: int) -> str:
    """The colour of a mask label, the same in every figure."""
    return MASK_COLOURS.get(int(value), CLASS_COLOURS[int(value) % len(CLASS_COLOURS)])


def as_array(values: Any) -> np.ndarray:
    """A tensor on any device, a list or an array, as a NumPy array; no copy where none is needed."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    return np.asarray(values)


def readable_on(background: ColorType) -> str:
    """Black or white, whichever has more contrast on a colour (both have at least 4.5 : 1 at the border)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(background))
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "white"


def light_grid(axes: Axes, *, axis: Literal["both", "x", "y"] = "y") -> None:
    """Quiet grid lines behind the data."""
    axes.grid(True, axis=axis, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
