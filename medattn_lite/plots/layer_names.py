"""Layer names for people: the part that all names share at their end says nothing and is left out."""

from __future__ import annotations

from collections.abc import Iterable


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Shortens layer names to what tells them apart: "layer2.0.attention.gate" → "layer2.0".

    Args:
        names: module names with dots.

    Example:
        >>> from medattn_lite.plots import short_names
        >>> short_names(["layer1.0.se.gate", "layer2.0.se.gate"])
        {'layer1.0.se.gate': 'layer1', 'layer2.0.se.gate': 'layer2'}
    """
    names = list(names)
    parts = [name.split(".") for name in names]
    shared = 0
    if len(parts) > 1:
        while all(len(p) > shared + 1 for p in parts) and len({p[-shared - 1] for p in parts}) == 1:
            shared += 1
    shortened = [".".join(p[: len(p) - shared]) for p in parts]
    if len(set(shortened)) < len(names) or any(piece.isdigit() for piece in shortened):
        return dict(zip(names, names, strict=True))
    return dict(zip(names, shortened, strict=True))
