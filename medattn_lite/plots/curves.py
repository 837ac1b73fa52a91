"""Curves of training and of evaluation: loss, validation, ROC, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from medattn_lite.plots.alt import set_alt
from medattn_lite.plots.style import CLASS_COLOURS, MUTED, as_array, figure_function, light_grid, new_figure

FEW = 4  # runs whose legend finds room inside the axes


@figure_function
def training_curve(
    steps: Sequence[int] | Mapping[str, Any],
    loss: Sequence[float] | None = None,
    *,
    valid_steps: Sequence[int] | None = None,
    valid: Sequence[float] | None = None,
    valid_label: str = "validation AUC",
    title: str = "",
    alt: str | None = None,
) -> Figure:
    """Draws the loss of every step, faint, with its running mean; beside it the score on the validation set.

    Args:
        steps: iteration numbers, or a name → History mapping to compare runs (anything with the
            attributes steps, loss, valid_steps and valid_auc).
        loss: one per step.
        valid_steps: iterations at which the validation set was looked at.
        valid: the score there.
        valid_label: what the score is.
        title: above the curves.
        alt: alt text, instead of the one written from the values.

    Example:
        >>> from medattn_lite import plots
        >>> print(plots.alt_text(plots.training_curve([1, 2, 3], [0.9, 0.5, 0.4])))
        Training curve. The loss goes from 0.90 to 0.40 in 3 steps.
    """
    if isinstance(steps, Mapping):
        runs = {
            name: (as_array(run.steps), as_array(run.loss), as_array(run.valid_steps), as_array(run.valid_auc))
            for name, run in steps.items()
        }
    else:
        checks = as_array([] if valid_steps is None else valid_steps), as_array([] if valid is None else valid)
        runs = {"": (as_array(steps), as_array([] if loss is None else loss), *checks)}
    checked = any(len(run[3]) for run in runs.values())
    figure = new_figure(9.6 if checked else 7.6 if len(runs) > FEW else 5.6, 3.2)
    left, *right = figure.subplots(1, 2 if checked else 1, squeeze=False)[0]
    words = []
    for number, (name, (at, losses, valid_at, scores)) in enumerate(runs.items()):
        colour = CLASS_COLOURS[number % len(CLASS_COLOURS)]
        smooth = _running_mean(losses)
        left.plot(at, losses, color=colour, alpha=0.25, linewidth=1.0)
        left.plot(at, smooth, color=colour, label=name or "running mean")
        text = "no steps"
        if len(losses):
            text = f"the loss goes from {smooth[0]:.2f} to {smooth[-1]:.2f} in {int(at[-1])} steps"
        if len(scores):
            right[0].plot(valid_at, scores, color=colour, marker="o", markersize=4, label=name or None)
            text += f", {valid_label} ends at {scores[-1]:.2f}"
        words.append(f"{name}: {text}" if name else text[0].upper() + text[1:])
    left.set(xlabel="iteration", ylabel="loss", title=title or "training")
    left.set_ylim(bottom=0.0)
    light_grid(left)
    if len(runs) > FEW and not right:
        left.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        left.legend(loc="best")
    if right:
        right[0].set(xlabel="iteration", ylabel=valid_label, title="validation")
        right[0].set_ylim(min(0.45, right[0].get_ylim()[0]), 1.02)
        light_grid(right[0])
        if len(runs) > 1:
            right[0].legend(loc="best")
    return set_alt(figure, alt or f"Training curve{f', {title}' if title else ''}. {'; '.join(words)}.")


@figure_function
def roc(
    labels: ArrayLike,
    probabilities: ArrayLike | Mapping[str, ArrayLike],
    *,
    intervals: Any | Mapping[str, Any] | None = None,
    band: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
    title: str = "ROC",
    alt: str | None = None,
) -> Figure:
    """Draws ROC curves with the AUC and its interval in the legend, and the line of guessing.

    Args:
        labels: (N,), 0 or 1.
        probabilities: (N,) for class 1, or a name → (N,) mapping to compare models.
        intervals: one `Interval` (value, low, high) of the AUC, or a mapping by the same names.
        band: false-positive rates with the lowest and highest true-positive rate at each, drawn as a band.
        title: above the curves.
        alt: alt text, instead of the one written from the values.

    Raises:
        ValueError: if the labels hold one class only.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.roc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> print(plots.alt_text(figure)[:60])
        ROC curve over 2 positive and 2 negative cases. AUC 0.75.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    truth = as_array(labels).ravel()
    if len(np.unique(truth)) < 2:
        raise ValueError("a ROC curve needs both classes in the labels")
    curves = probabilities if isinstance(probabilities, Mapping) else {"": probabilities}
    if intervals is not None and not isinstance(intervals, Mapping):
        intervals = {name: intervals for name in curves}
    figure = new_figure(5.4, 4.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, label="guessing, AUC 0.50")
    if band is not None:
        rates, lowest, highest = (as_array(part) for part in band)
        axes.fill_between(rates, lowest, highest, color=CLASS_COLOURS[0], alpha=0.18, linewidth=0)
    words = []
    for number, (name, values) in enumerate(curves.items()):
        values = as_array(values).ravel()
        false_rate, true_rate, _ = roc_curve(truth, values)
        interval = (intervals or {}).get(name)
        text = f"{name + ', ' if name else ''}AUC {roc_auc_score(truth, values):.2f}"
        if interval is not None and not getattr(interval, "missing", ""):
            text += f" [{interval.low:.2f}, {interval.high:.2f}]"
        axes.plot(false_rate, true_rate, color=CLASS_COLOURS[number % len(CLASS_COLOURS)], label=text)
        words.append(text)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal", title=title)
    axes.set(xlabel="false-positive rate", ylabel="true-positive rate")
    light_grid(axes, axis="both")
    axes.legend(loc="lower right")
    count = f"{int((truth == 1).sum())} positive and {int((truth == 0).sum())} negative cases"
    return set_alt(figure, alt or f"{title} curve over {count}. {'; '.join(words)}.")


@figure_function
def reliability(
    labels: ArrayLike,
    probabilities: ArrayLike | Mapping[str, ArrayLike],
    *,
    bins: int = 10,
    title: str = "calibration",
    alt: str | None = None,
) -> Figure:
    """Draws how often the class occurs among cases that were given a probability, against that probability.

    Args:
        labels: (N,), 0 or 1.
        probabilities: (N,) for class 1, or a name → (N,) mapping.
        bins: equal steps of probability; dots are as large as the number of cases in them.
        title: above the curve.
        alt: alt text, instead of the one written from the values.

    Example:
        >>> from medattn_lite import plots
        >>> figure = plots.reliability([0, 1, 1, 0], [0.2, 0.9, 0.7, 0.1], bins=2)
        >>> print(plots.alt_text(figure)[:60])
        Calibration curve over 4 cases in 2 bins: the model is off b
    """
    truth = as_array(labels).ravel().astype(float)
    curves = probabilities if isinstance(probabilities, Mapping) else {"": probabilities}
    figure = new_figure(5.4, 4.6)
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color=MUTED, linestyle=(0, (4, 3)), linewidth=1.2, label="perfect")
    words = []
    for number, (name, values) in enumerate(curves.items()):
        values = as_array(values).ravel().astype(float)
        place = np.clip((values * bins).astype(int), 0, bins - 1)
        counts = np.bincount(place, minlength=bins)
        filled = counts > 0
        predicted = np.bincount(place, values, bins)[filled] / counts[filled]
        seen = np.bincount(place, truth, bins)[filled] / counts[filled]
        colour = CLASS_COLOURS[number % len(CLASS_COLOURS)]
        axes.plot(predicted, seen, color=colour, label=name or "model", zorder=2)
        axes.scatter(predicted, seen, s=20 + 180 * counts[filled] / counts.max(), color=colour, alpha=0.8, zorder=3)
        gap = float(np.average(np.abs(predicted - seen), weights=counts[filled]))
        words.append(f"{name or 'the model'} is off by {gap:.2f} on average")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal", title=title)
    axes.set(xlabel="probability given", ylabel="share of positive cases")
    light_grid(axes, axis="both")
    axes.legend(loc="upper left")
    return set_alt(figure, alt or f"Calibration curve over {len(truth)} cases in {bins} bins: {'; '.join(words)}.")


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the last tenth of the run (at least one step, fewer at the start)."""
    if len(values) == 0:
        return np.asarray(values, dtype=float)
    window = max(1, len(values) // 10)
    total = np.cumsum(np.concatenate([[0.0], as_array(values).astype(float)]))
    end = np.arange(1, len(values) + 1)
    start = np.maximum(0, end - window)
    return (total[end] - total[start]) / (end - start)
