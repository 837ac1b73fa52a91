"""Survival times with a known hazard, so that the best possible C-index is known.

Weibull times with hazard `h(t) = h₀(t) exp(η)`,
`η = 0.40 (age − 60)/10 + 0.9 ln(volume/60 mL) + 2.4 (necrosis − 0.3) + resection`,
and censoring that knows nothing of η. `η` is the oracle's risk. With `realism="clinical"` a low grade lowers it by 2:
the hazard of a glioblastoma is several times that of a lower grade.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from medattn_lite.data.phantom.fields import stream, uniform

RESECTIONS = {"gross total": -0.9, "subtotal": 0.0, "biopsy": 0.9}
SHAPE = 1.6
MEDIAN_DAYS = 430.0
AGE, VOLUME, NECROSIS = 0.40, 0.9, 2.4
LOW_GRADE = -2.0  # of η, in a clinical cohort
FOLLOW_UP_DAYS = (150.0, 2200.0)


def log_risk(*, age_years: float, volume_ml: float, necrosis: float, resection: str) -> float:
    """The oracle's risk η; `necrosis` is the dead share of the tumour core."""
    size = VOLUME * math.log(max(volume_ml, 0.5) / 60.0)
    return AGE * (age_years - 60.0) / 10.0 + size + NECROSIS * (necrosis - 0.3) + RESECTIONS[resection]


def draw_resection(seed: int) -> str:
    """How much was removed: independent of everything in the picture."""
    position = uniform(stream(seed, "resection"), 0, 1)
    return "gross total" if position < 0.4 else "subtotal" if position < 0.78 else "biopsy"


def true_survival(days: Sequence[float], risk: float) -> list[float]:
    """Computes the chance to be alive after so many days from the oracle's risk, which no network can beat."""
    scale = MEDIAN_DAYS / math.log(2.0) ** (1 / SHAPE)
    return [math.exp(-((day / scale) ** SHAPE) * math.exp(risk)) for day in days]


def draw_survival(seed: int, risk: float) -> tuple[float, bool]:
    """Observed time in days and whether death was seen (False: censored)."""
    random = stream(seed, "survival")
    share = max(uniform(random, 0, 1), 1e-6)
    scale = MEDIAN_DAYS / math.log(2.0) ** (1 / SHAPE)
    death = scale * (-math.log(share) * math.exp(-risk)) ** (1 / SHAPE)
    censored = uniform(random, *FOLLOW_UP_DAYS)
    return float(max(1.0, min(death, censored))), bool(death <= censored)
