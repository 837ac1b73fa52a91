"""Uno's C-index, which does not depend on who left early, beside Harrell's.

    Harrell  C = pairs in order / pairs that can be compared
    Uno      C = Σ w_i 1(η_i > η_j) / Σ w_i  over i died, t_i < t_j, t_i < τ;      w_i = 1 / G(t_i)²

Two patients can be compared when it is known who died first. Harrell's pairs are therefore those that follow-up
happened to leave, and its value changes with censoring even if the network does not. Uno's weights let each death
stand for the pairs that were lost: G(t) is the share still followed up at t had nobody died. Papers: Harrell et al.
1982, Uno et al. 2011. scikit-survival weighs the pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval, bootstrap
from medattn_lite.optional import optional
from medattn_lite.survival.follow_up import FollowUp, checked_risk


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
    """Computes Uno's C-index with its 95 % interval.

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
    risk = checked_risk(risk, test)

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
    optional("sksurv")
    from sksurv.metrics import concordance_index_ipcw

    everyone = train or test
    # G is 0 from the last follow-up on, so no death on that day or later can be weighted.
    tau = min(everyone.time.max(), np.inf if until is None else until)
    with np.errstate(invalid="ignore"):
        return float(concordance_index_ipcw(everyone.records(), test.records(), risk, tau=tau)[0])
