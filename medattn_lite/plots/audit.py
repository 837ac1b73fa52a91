"""What gives the label away: a dot and an interval for each factor and model, by verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from medattn_lite.plots.alt import listed, set_alt
from medattn_lite.plots.style import INK, MUTED, OKABE_ITO, figure_function, light_grid, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# verdict → words, colour, marker: the shape says it without the colour
LOOKS = {
    "tells": ("tells the label", OKABE_ITO["vermilion"], "D"),
    "declared": ("declared signal", OKABE_ITO["green"], "s"),
    "given": ("taken as given", OKABE_ITO["orange"], "^"),
    "chance": ("not better than chance", OKABE_ITO["blue"], "o"),
}
MOST = 45  # rows; more would not be read


class HasVerdict(Protocol):
    """A finding, such as `medattn_lite.audit.Finding`."""

    @property
    def name(self) -> str: ...
    @property
    def verdict(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def measure(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def null(self) -> tuple[float, float] | None: ...


@figure_function
def audit_view(findings: Sequence[HasVerdict], *, title: str = "") -> Figure:
    """Draws factors and models from the strongest down, what tells the label first.

    A grey bar behind a dot is the mean of the score on shuffled labels and twice its standard deviation to either side.

    Args:
        findings: what was not scored is left out; of more than 45 the strongest of each verdict are drawn.
        title: over the figure.

    Raises:
        ValueError: none of them was scored.
    """
    rows = [finding for verdict in LOOKS for finding in sorted((f for f in findings if f.verdict == verdict),
                                                               key=lambda finding: -finding.value)]
    if not rows:
        raise ValueError("audit_view needs at least one finding with a score")
    shown = rows[:MOST]
    figure = new_figure(9.5, 1.3 + 0.3 * len(shown))
    axes = figure.add_subplot()
    for at, finding in enumerate(shown):
        _, colour, marker = LOOKS[finding.verdict]
        if finding.null is not None:
            mean, spread = finding.null
            axes.plot([mean - 2 * spread, mean + 2 * spread], [at, at], color="#dcdcdc", linewidth=9, zorder=1,
                      solid_capstyle="butt")
        axes.plot([finding.low, finding.high], [at, at], color=colour, linewidth=2.5, alpha=0.6, zorder=2)
        axes.plot(finding.value, at, marker, color=colour, markersize=7, zorder=3)
    axes.axvline(0.5, color=MUTED, linestyle="--", linewidth=1.2, zorder=1)
    axes.set(yticks=range(len(shown)), yticklabels=[finding.name for finding in shown], title=title,
             xlabel=f"{shown[0].measure} of {shown[0].label} (0.5 is chance), 95 % interval")
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(min([0.25, *(finding.low for finding in shown if np.isfinite(finding.low))]), 1.02)
    axes.tick_params(axis="y", length=0, labelsize=10, labelcolor=INK)
    axes.spines["left"].set_visible(False)
    light_grid(axes, axis="x")
    for verdict, (words, colour, marker) in LOOKS.items():
        if any(finding.verdict == verdict for finding in shown):
            axes.plot([np.nan], [np.nan], marker, color=colour, label=words)
    if any(finding.null is not None for finding in shown):
        axes.plot([np.nan], [np.nan], color="#dcdcdc", linewidth=9, label="on shuffled labels, ± 2 sd")
    axes.legend(loc="upper center", bbox_to_anchor=(0.3, -0.45 / (0.3 * len(shown) + 0.3)), ncols=5)
    return set_alt(figure, _describe(rows, shown))


def _describe(rows: Sequence[HasVerdict], shown: Sequence[HasVerdict]) -> str:
    label, measure = rows[0].label, rows[0].measure
    leaks = [f"{finding.name} {finding.value:.2f}" for finding in rows if finding.verdict == "tells"]
    declared, adjusted_for = ([f"{finding.name} {finding.value:.2f}" for finding in rows if finding.verdict == verdict]
                              for verdict in ("declared", "given"))
    others = sum(finding.verdict == "chance" for finding in rows)
    parts = [f"{measure} of {label} for {len(rows)} factors and models, with intervals."]
    parts.append(f"Better than chance: {listed(leaks)}." if leaks else "None tells it better than chance.")
    parts += [f"Declared signal: {listed(declared)}."] if declared else []
    parts += [f"Taken as given: {listed(adjusted_for)}."] if adjusted_for else []
    parts += [f"{others} are not better than chance."] if others else []
    parts += [f"{len(rows) - len(shown)} are not drawn."] if len(shown) < len(rows) else []
    return " ".join(parts)
