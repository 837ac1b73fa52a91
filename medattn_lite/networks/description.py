"""How `medattn networks` describes networks: measured once, kept in a file, so that the list is there at once.

`published.json` holds what `registry.describe` measures of every network at published size; a test holds the two
together; `network_list` measures all networks anew and writes the file. Nothing here imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("published.json")


@dataclass(frozen=True)
class Description:
    """One network measured, as `medattn networks` lists it; shapes are of a batch of one image."""

    name: str
    paper: str
    summary: str
    parameters: int
    trainable: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    output: str

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Description:
        """The inverse of `as_dict`."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()
        }
        return cls(**values)


def table(descriptions: list[Description]) -> list[str]:
    """Lines of text: one per network, under its paper."""
    lines: list[str] = []
    paper = None
    for item in descriptions:
        if item.paper != paper:
            paper = item.paper
            lines += ["", paper] if lines else [paper]
        shapes = f"{_times(item.input_shape)} → {_times(item.output_shape)}"
        lines.append(f"  {item.name:<24}{item.parameters:>12,}  {shapes:<40}{item.summary}")
    return lines


def published(names: Sequence[str] = ()) -> list[Description] | None:
    """The kept descriptions of networks.

    Args:
        names: of networks, as in `registry.NETWORKS`; all of them, in its order, if left out.

    Returns:
        None where one is not among them, such as a network with another mechanism.
    """
    kept = {facts["name"]: Description.from_dict(facts) for facts in _content()["networks"]}
    return [kept[name] for name in names or kept] if set(names) <= set(kept) else None


def published_mechanisms() -> list[str]:
    """The kept lines of `registry.mechanism_table`."""
    return _content()["mechanisms"]


def _content() -> dict[str, Any]:
    return json.loads(FILE.read_text(encoding="utf-8"))


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
