"""Tasks of the positive controls side by side: an image, and under it how often each network tells candidates right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.style import GREY, MUTED, OKABE_ITO, as_array, figure_function, light_grid, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOK_ALIKE, LESION, CUE = OKABE_ITO["blue"], OKABE_ITO["orange"], OKABE_ITO["green"]


@dataclass(frozen=True)
class TaskPanel:
    """What is drawn of one task.

    Attributes:
        title: over the picture.
        image: (H, W).
        objects: (H, W): 1 look-alike, 2 lesion.
        cue: (H, W) bool.
        accuracies: network → accuracy of each seed.
    """

    title: str
    image: object
    objects: object
    cue: object
    accuracies: Mapping[str, Sequence[float]]


@figure_function
def control_tasks(panels: Sequence[TaskPanel], *, columns: int = 4) -> Figure:
    """Draws each task's image above the accuracies of its networks, one dot per seed.

    Args:
        panels: the tasks.
        columns: tasks in a row.

    Returns:
        The figure.

    Raises:
        ValueError: no task.

    Example:
        >>> import numpy as np
        >>> from medattn_lite import plots
        >>> image, objects = np.random.default_rng(0).random((16, 16)), np.zeros((16, 16), int)
        >>> panel = plots.TaskPanel("mirror (RSA)", image, objects, objects > 0, {"rsa": [0.98, 1.0], "plain": [0.5]})
        >>> print(plots.alt_text(plots.control_tasks([panel]))[:60])
        Synthetic images with lesions in orange, look-alikes in blue
    """
    if not panels:
        raise ValueError("control_tasks needs at least one task")
    lines = -(-len(panels) // columns)
    figure = new_figure(3.6 * columns, 5.4 * lines)
    grid = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[1.5, 1] * lines)
    for place in range(lines * columns):
        line, column = divmod(place, columns)
        upper, lower = grid[2 * line][column], grid[2 * line + 1][column]
        if place >= len(panels):
            upper.axis("off")
            lower.axis("off")
            continue
        _picture(upper, panels[place])
        _dots(lower, panels[place])
    sentences = [f"{panel.title} {_spoken(panel)}" for panel in panels]
    what = ("Synthetic images with lesions in orange, look-alikes in blue and the cue in green; below each, accuracies "
            "by network, one dot per seed, chance 0.5")  # fmt: skip
    return set_alt(figure, ". ".join([what, *sentences]) + ".")


def _picture(axes: Axes, panel: TaskPanel) -> None:
    image, objects, cue = (as_array(part) for part in (panel.image, panel.objects, panel.cue))
    axes.imshow(image, cmap=GREY, interpolation="nearest")
    for mask, colour, style in ((objects == 1, LOOK_ALIKE, "-"), (objects == 2, LESION, "-"), (cue > 0, CUE, ":")):
        if mask.any():
            axes.contour(mask.astype(float), levels=[0.5], colors=[colour], linewidths=1.6, linestyles=style)
    axes.set_title(panel.title)
    axes.set_xticks([])
    axes.set_yticks([])


def _dots(axes: Axes, panel: TaskPanel) -> None:
    for row, values in enumerate(panel.accuracies.values()):
        spread = np.linspace(-0.15, 0.15, len(values)) if len(values) > 1 else np.zeros(len(values))
        axes.plot(list(values), row + spread, "o", color=LESION if row == 0 else MUTED, markersize=6)
        if not len(values):
            axes.text(0.5, row, "not run", va="center", color=MUTED)
    axes.axvline(0.5, color=MUTED, linestyle="--", linewidth=1)
    axes.set_xlim(0.35, 1.03)
    axes.set_ylim(len(panel.accuracies) - 0.5, -0.5)
    axes.set_yticks(range(len(panel.accuracies)), list(panel.accuracies))
    axes.set_xlabel("accuracy per candidate")
    light_grid(axes, axis="x")


def _spoken(panel: TaskPanel) -> str:
    return listed([f"{name} {np.mean(values):.2f}" if len(values) else f"{name} not run"
                   for name, values in panel.accuracies.items()])  # fmt: skip
