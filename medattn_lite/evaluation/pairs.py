"""Pairs of patients: how many can be compared, and the C-index that does not depend on who left early.

    Harrell  C = pairs in order / pairs that can be compared
    Uno      C = Σ w_i 1(η_i > η_j) / Σ w_i  over i died, t_i < t_j, t_i < τ;      w_i = 1 / G(t_i)²

Two patients can be compared when it is known who died first. Harrell's pairs are therefore those that follow-up
happened to leave, and its value changes with censoring even if the network does not. Uno's weights let each death
stand for the pairs that were lost: G(t) is the share still followed up at t had nobody died. Papers: Harrell et al.
1982, Uno et al. 2011. Pairs are counted by `concordance`; scikit-survival weighs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.concordance import pair_counts
from medattn_lite.evaluation.intervals import Interval, bootstrap
from medattn_lite.evaluation.survival import FollowUp


@dataclass(frozen=True)
class Pairs:
    """What all pairs of a cohort come to.

    Attributes:
        concordant: the higher risk died first.
        discordant: the lower risk died first.
        tied_risk: one risk for both; they count one half.
    """

    concordant: int
    discordant: int
    tied_risk: int

    @property
    def comparable(self) -> int:
        """Pairs of which it is known who died first."""
        return self.concordant + self.discordant + self.tied_risk

    @property
    def c_index(self) -> float:
        """Harrell's; NaN without a pair."""
        return (self.concordant + self.tied_risk / 2) / self.comparable if self.comparable else float("nan")


def count_pairs(test: FollowUp, risk: np.ndarray) -> Pairs:
    """Concordant, discordant and tied pairs; two deaths on one day are no pair.

    Args:
        test: N patients.
        risk: (N,) higher means earlier death.
    """
    counts = pair_counts(test.event, test.time, risk)  # each pair twice, with either patient
    concordant, tied, comparable = (int(own.sum()) // 2 for own in (counts.concordant, counts.tied, counts.comparable))
    return Pairs(concordant, comparable - concordant - tied, tied)


def c_index_ipcw(
    test: FollowUp,
    risk: np.ndarray,
    *,
    until: float | None = None,
    train: FollowUp | None = None,
    subjects: Sequence | None = None,
    n: int = 1000,
    seed: int = 0,
) -> Interval:
    """Uno's C-index with its 95 % interval.

    Args:
        test: N patients.
        risk: (N,) higher means earlier death.
        until: τ, days; deaths from then on are left out. The last follow-up of training and test set if None, but
            late deaths have large weights: choose a day on which a good part is still followed up.
        train: the patients whose censoring gives G; the test set's own (each draw's own) if None.
        subjects: patient ids where a patient has more than one row.
        n: bootstrap draws.
        seed: of the draws.

    Raises:
        UserError: no two patients can be compared before `until`.
    """
    risk = np.asarray(risk, dtype=float)
    if risk.shape != test.time.shape or not np.isfinite(risk).all():
        raise UserError(f"risk of shape {risk.shape} for {len(test.time)} patients: give one finite number for each")

    def statistic(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> float:
        return _uno(FollowUp(time, event), risk, train=train, until=until)

    last = test.time.max() if until is None else until
    try:
        return bootstrap(statistic, test.time, test.event, risk, groups=subjects, n=n, seed=seed)
    except (ValueError, UserError):
        deaths = int((test.event & (test.time < last)).sum())
        raise UserError(f"no two of {len(test.time)} patients ({deaths} deaths) can be compared before day {last:g}: "
                        "take more patients or a later day") from None  # fmt: skip


def _uno(test: FollowUp, risk: np.ndarray, *, train: FollowUp | None, until: float | None) -> float:
    from sksurv.metrics import concordance_index_ipcw

    everyone = train or test
    # G is 0 from the last follow-up on, so no death on that day or later can be weighted.
    tau = min(everyone.time.max(), np.inf if until is None else until)
    with np.errstate(invalid="ignore"):
        return float(concordance_index_ipcw(everyone.records(), test.records(), risk, tau=tau)[0])
