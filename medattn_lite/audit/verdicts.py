"""One line for each factor: does it tell the label better than chance, once the number of factors is corrected for?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

LEVEL = 0.05
TELLS, CHANCE, DECLARED, GIVEN, NOT_SCORED = "tells", "chance", "declared", "given", "not scored"


@dataclass(frozen=True)
class Finding:
    """What one factor or one model tells.

    Attributes:
        name: of the factor or the group of statistics.
        kind: "factor", "model", "declared" (the signal of the task: no leak) or "given" (what others are adjusted for).
        label: what is asked for.
        measure: "AUC" or "C-index"; 0.5 is chance.
        value: of the score; turned so that it is 0.5 or more for a numeric factor.
        low: lower end of the 95 % interval.
        high: upper end.
        n: patients.
        p: two-sided for a numeric factor, one-sided for what is cross-validated.
        direction: which way a numeric factor goes.
        null: mean and standard deviation of the score on shuffled labels, where it was cross-validated.
        why: why it could not be scored.
        p_holm: `p`, corrected by Holm for all that was tested.
        tests: how many were tested.
        given: facts that it was adjusted for.
    """

    name: str
    kind: str
    label: str
    measure: str = "AUC"
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    n: int = 0
    p: float = float("nan")
    direction: str = ""
    null: tuple[float, float] | None = None
    why: str = ""
    p_holm: float = float("nan")
    tests: int = 0
    given: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """"tells", "chance", "declared", "given" or "not scored"."""
        if not np.isfinite(self.value):
            return NOT_SCORED
        if self.kind in (DECLARED, GIVEN):
            return self.kind
        return TELLS if self.p_holm < LEVEL else CHANCE

    @property
    def ends(self) -> str:
        """Measure, value and interval; where there are too few patients for an interval, the value alone."""
        alone = f"{self.measure} {self.value:.2f}"
        return f"{alone} [{self.low:.2f}, {self.high:.2f}]" if math.isfinite(self.low) else f"{alone} (no interval)"

    @property
    def sentence(self) -> str:
        """The verdict in plain words, with value, interval and number of patients."""
        if self.verdict == NOT_SCORED:
            return f"not scored: {self.why}"
        figures = f"{self.ends}, n = {self.n}"
        figures += f", {self.direction}" if self.direction else ""
        if self.verdict == DECLARED:
            return f"declared signal of the task: {figures}"
        if self.verdict == GIVEN:
            return f"taken as given: {figures}"
        figures = f"given {', '.join(self.given)}: {figures}" if self.given else figures
        if self.verdict == TELLS:
            return f"tells {self.label} better than chance{' ' if self.given else ': '}{figures}"
        once = f" once corrected for {self.tests} comparisons" if self.p < LEVEL else ""
        return f"not better than chance{once}{' ' if self.given else ': '}{figures}"

    def as_dict(self) -> dict[str, object]:
        """Plain JSON values; None for what is not a number."""
        facts = {**asdict(self), "verdict": self.verdict, "sentence": self.sentence}
        return {key: None if isinstance(value, float) and not np.isfinite(value) else value
                for key, value in facts.items()}


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Applies Holm's step-down correction (1979): the chance of one false alarm among all stays below the level.

    Args:
        p_values: (M,).

    Returns:
        (M,) corrected, at most 1.
    """
    values = np.asarray(p_values, dtype=float)
    order = np.argsort(values)
    steps = np.arange(len(values), 0, -1) * values[order]
    corrected = np.empty(len(values))
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return corrected


def corrected(findings: Sequence[Finding]) -> list[Finding]:
    """The same findings with Holm's p values over all that were tested; declared signal and what is given are not."""
    tested = [place for place, finding in enumerate(findings)
              if finding.kind not in (DECLARED, GIVEN) and np.isfinite(finding.p)]
    result = list(findings)
    for at, p_value in zip(tested, holm([findings[at].p for at in tested]), strict=True):
        result[at] = replace(findings[at], p_holm=float(p_value), tests=len(tested))
    return result
