"""Alt text: every figure carries a sentence or two for readers who do not see it."""

from __future__ import annotations

from matplotlib.figure import Figure


def set_alt(figure: Figure, text: str) -> Figure:
    """Attaches a description to a figure and returns the figure.

    Args:
        figure: any matplotlib figure.
        text: what the picture shows, in words, with the values that matter.

    Raises:
        ValueError: if the text is empty.

    Example:
        >>> from medattn_lite.plots import alt_text, new_figure, set_alt
        >>> alt_text(set_alt(new_figure(4, 3), "An empty figure"))
        'An empty figure'
    """
    text = " ".join(str(text).split())
    if not text:
        raise ValueError("alt text is empty: say in a sentence what the figure shows")
    figure.set_label(text)  # the one free text of a Figure: it survives pickling and pyplot leaves it alone
    return figure


def alt_text(figure: Figure) -> str:
    """Returns the description attached by `set_alt`, or an empty string.

    Example:
        >>> from medattn_lite import plots
        >>> plots.alt_text(plots.weights_bars([0.7, 0.2, 0.1]))
        'Bars, attention weights. key 1 0.70, key 2 0.20, key 3 0.10.'
    """
    return str(figure.get_label() or "")


def listed(names: list[str], *, limit: int = 6) -> str:
    """A list in words: "t1, t2 and flair"; a long one is cut with the count of what is left."""
    names = [str(name) for name in names]
    if len(names) > limit:
        names = [*names[: limit - 1], f"{len(names) - limit + 1} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
