"""The attention playground: move a query and a few keys in the plane, and see who is attended to.

    scores → weights → context, by `medattn_lite.attention.attend`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from medattn_lite.attention.scores import AdditiveScores, attend
from medattn_lite.errors import UserError
from medattn_lite.plots.attention import playground
from medattn_lite.widgets.explorer import CONTROL, Explorer

MOST_KEYS = 5
EDGE = 2.0
QUERY = (1.5, 0.5)
KEYS = ((1.0, 1.0), (-1.0, 1.5), (0.5, -1.5), (1.8, -0.3), (-1.2, -1.0))
OWN_VALUES = ((0.0, 2.0), (2.0, 0.0), (0.0, -2.0), (-2.0, 0.0), (1.5, 1.5))
AS_KEYS, AS_OWN = "the keys themselves", "vectors of their own"


def plain_additive() -> AdditiveScores:
    """Bahdanau's score with W = U = identity and v = (1, 1): Σ tanh(query + key), nothing learned."""
    score = AdditiveScores(2, 2, hidden_features=2)
    with torch.no_grad():
        score.query.weight.copy_(torch.eye(2))
        score.key.weight.copy_(torch.eye(2))
        score.key.bias.zero_()
        score.score.weight.fill_(1.0)
    return score


SCORES: dict[str, str | Callable[[Tensor, Tensor], Tensor]] = {
    "dot": "dot", "scaled dot": "scaled", "additive": plain_additive(),
}  # fmt: skip


@dataclass(frozen=True)
class PlaygroundState:
    """What the controls of the playground say; of the key vectors the first `keys` take part."""

    score: str
    temperature: float
    keys: int
    values: str
    query_x: float
    query_y: float
    key_1_x: float
    key_1_y: float
    key_2_x: float
    key_2_y: float
    key_3_x: float
    key_3_y: float
    key_4_x: float
    key_4_y: float
    key_5_x: float
    key_5_y: float

    @property
    def key_vectors(self) -> list[list[float]]:
        """(keys, 2)."""
        every = [[self.key_1_x, self.key_1_y], [self.key_2_x, self.key_2_y], [self.key_3_x, self.key_3_y],
                 [self.key_4_x, self.key_4_y], [self.key_5_x, self.key_5_y]]  # fmt: skip
        return every[: self.keys]


class AttentionPlayground(Explorer[PlaygroundState]):
    """See `attention_playground`."""

    State = PlaygroundState

    def __init__(
        self, query: Sequence[float], keys: Sequence[Sequence[float]], *, score: str, temperature: float
    ) -> None:
        row, label = CONTROL, {"description_width": "64px"}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "score": ipywidgets.Dropdown(
                options=list(SCORES), value=score, description="score", style=label, layout=row
            ),
            "temperature": ipywidgets.FloatLogSlider(
                value=temperature, min=-1, max=1, step=0.05, description="temp. τ", readout_format=".2f",
                style=label, layout=row,
            ),
            "keys": ipywidgets.IntSlider(
                value=len(keys), min=2, max=MOST_KEYS, description="keys", style=label, layout=row
            ),
            "values": ipywidgets.Dropdown(
                options=[AS_KEYS, AS_OWN], value=AS_KEYS, description="values", style=label, layout=row
            ),
        }
        starts = {"query": query} | {f"key_{i}": (*keys, *KEYS[len(keys) :])[i - 1] for i in range(1, MOST_KEYS + 1)}
        for name, vector in starts.items():
            for axis, value in zip("xy", vector, strict=True):
                controls[f"{name}_{axis}"] = ipywidgets.FloatSlider(
                    value=value, min=-EDGE, max=EDGE, step=0.1, description=f"{name.replace('_', ' ')} {axis}",
                    readout_format=".1f", style=label, layout=row,
                )
        super().__init__(controls)
        self.adjust("keys")

    def adjust(self, name: str) -> None:
        """Show the sliders of the keys that take part."""
        if name != "keys":
            return
        for i in range(1, MOST_KEYS + 1):
            for axis in "xy":
                shown = i <= self.controls["keys"].value
                self.controls[f"key_{i}_{axis}"].layout.display = None if shown else "none"

    def view(self, state: PlaygroundState) -> tuple[Figure, str]:
        count = state.keys
        query = torch.tensor([state.query_x, state.query_y])
        keys = torch.tensor(state.key_vectors)
        values = keys if state.values == AS_KEYS else torch.tensor(OWN_VALUES[:count])
        temperature = round(state.temperature, 3)
        with torch.no_grad():
            scores, weights, context = attend(
                query, keys, values, score=SCORES[state.score], temperature=temperature
            )
        figure = playground(
            query, keys, values, scores=scores, weights=weights, context=context,
            score_name=state.score, temperature=temperature,
        )
        most = int(weights.argmax())
        pairs = ", ".join(f"key {i + 1}: {scores[i]:z.2f} → {weights[i]:.2f}" for i in range(count))
        summary = (
            f"The query ({query[0]:z.1f}, {query[1]:z.1f}) looks most at key {most + 1}, "
            f"with weight {weights[most]:.2f}. Score → weight: {pairs}. Context ({context[0]:z.2f}, {context[1]:z.2f})."
        )
        return figure, summary


def attention_playground(
    query: Sequence[float] = QUERY,
    keys: Sequence[Sequence[float]] = KEYS[:4],
    *,
    score: str = "dot",
    temperature: float = 1.0,
) -> AttentionPlayground:
    """Explores attention in the plane, with sliders: query, two to five keys, score and temperature.

    Args:
        query: two numbers from -2 to 2.
        keys: two to five such pairs.
        score: "dot", "scaled dot" or "additive" (with identity matrices, so nothing is learned).
        temperature: 0.1 to 10.

    Returns:
        An `Explorer`. Its controls: score, temperature, keys (how many), values, query_x, query_y,
        key_1_x, key_1_y, …, key_5_y.

    Raises:
        UserError: for vectors or a score that the sliders cannot show.
    """
    vectors = [tuple(float(number) for number in vector) for vector in (query, *keys)]
    if not 2 <= len(keys) <= MOST_KEYS:
        raise UserError(f"the playground takes 2 to {MOST_KEYS} keys, not {len(keys)}")
    if any(len(vector) != 2 or max(map(abs, vector)) > EDGE for vector in vectors):
        raise UserError(f"query and keys are pairs of numbers from -{EDGE:g} to {EDGE:g}; got {vectors}")
    if score not in SCORES:
        raise UserError(f"score must be one of {', '.join(SCORES)}, not {score!r}")
    if not 0.1 <= temperature <= 10:
        raise UserError(f"temperature must lie between 0.1 and 10, not {temperature:g}")
    return AttentionPlayground(vectors[0], vectors[1:], score=score, temperature=temperature)
