"""Cox's model of a table, everything in it learned from the patients it is fitted to.

    clinical values    z-scores, the mean where missing, a ridge so light that it only keeps weights finite
    image features     normal scores by rank, cut at ±3, along the axes that hold 99 % of their variance,
                       with the ridge whose C-index within inner folds is best

Radiomics repeat one another (a hundred features, some twenty axes) and have tails over many powers of ten. The inner
folds keep a patient's rows together and spread deaths evenly; where nearly all died they are plain.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from medattn_lite.data.patient_splits import Split, stratified_kfold
from medattn_lite.errors import UserError
from medattn_lite.optional import optional
from medattn_lite.survival.concordance import pair_counts

INNER_FOLDS = 3
CLINICAL_PENALTY = 1.0  # of the sum over patients
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0)
VARIANCE = 0.99
LARGEST_SCORE = 3.0


class CoxModel:
    """Cox's model with a ridge: light on clinical values, and on image features as strong as inner folds ask for.

    Args:
        is_image: (K,) bool, which columns are image features.
        seed: of the inner folds.
        clinical_penalty: ridge on clinical values.
        image_penalty: ridge on image features; None takes the one whose C-index within inner folds is best.
    """

    def __init__(
        self, is_image: np.ndarray, seed: int = 0, *, clinical_penalty: float = CLINICAL_PENALTY,
        image_penalty: float | None = None,
    ) -> None:  # fmt: skip
        self.is_image, self.seed = is_image, seed
        self.clinical_penalty, self.chosen = clinical_penalty, image_penalty
        self.penalty = PENALTIES[0] if image_penalty is None else image_penalty

    def fit(
        self, values: np.ndarray, time: np.ndarray, event: np.ndarray, groups: Sequence[str] | None = None
    ) -> CoxModel:
        """Learns from (N, K) values.

        Args:
            values: of N rows.
            time: (N,) days.
            event: (N,) bool, True for death.
            groups: patient of each row, whose rows stay together in the inner folds; None where each row is a patient.

        Raises:
            UserError: too few patients or deaths to choose the ridge on image features by inner folds.
        """
        if self.is_image.any() and self.chosen is None:
            patients = [str(row) for row in range(len(time))] if groups is None else list(groups)
            self.penalty = PENALTIES[int(np.argmax(self._inner_scores(values, time, event, patients)))]
        self._learn_scale(values)
        self._weigh(self._prepared(values), time, event)
        return self

    def predict(self, values: np.ndarray) -> np.ndarray:
        """(N,) log risks."""
        return self.fitted.predict(self._prepared(values))

    def _learn_scale(self, values: np.ndarray) -> None:
        from sklearn.preprocessing import QuantileTransformer

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column that is missing for all of these patients
            self.middle = np.nan_to_num(np.nanmean(values, axis=0))
        filled = np.where(np.isnan(values), self.middle, values)
        self.mean, spread = filled.mean(axis=0), filled.std(axis=0)
        self.spread = np.where(spread > 0, spread, 1.0)
        self.ranks = None
        if self.is_image.any():
            images = filled[:, self.is_image]
            self.ranks = QuantileTransformer(n_quantiles=min(100, len(values)), output_distribution="normal")
            self.ranks.fit(images)
            self.axes = _main_axes(self._normal_scores(images))

    def _prepared(self, values: np.ndarray) -> np.ndarray:
        filled = np.where(np.isnan(values), self.middle, values)
        clinical = ((filled - self.mean) / self.spread)[:, ~self.is_image]
        if self.ranks is None:
            return clinical
        return np.column_stack([clinical, self._normal_scores(filled[:, self.is_image]) @ self.axes])

    def _normal_scores(self, images: np.ndarray) -> np.ndarray:
        assert self.ranks is not None  # asked of image features alone
        return np.clip(self.ranks.transform(images), -LARGEST_SCORE, LARGEST_SCORE)

    def _weigh(self, prepared: np.ndarray, time: np.ndarray, event: np.ndarray) -> None:
        optional("sksurv")
        from sksurv.linear_model import CoxPHSurvivalAnalysis
        from sksurv.util import Surv

        light = int((~self.is_image).sum())
        penalties = np.r_[np.full(light, self.clinical_penalty), np.full(prepared.shape[1] - light, self.penalty)]
        self.fitted = CoxPHSurvivalAnalysis(alpha=penalties, ties="efron").fit(prepared, Surv.from_arrays(event, time))

    def _inner_scores(
        self, values: np.ndarray, time: np.ndarray, event: np.ndarray, patients: Sequence[str]
    ) -> np.ndarray:
        """C-index within inner folds for each of the penalties."""
        inner = CoxModel(self.is_image, clinical_penalty=self.clinical_penalty)
        risk, fold = np.zeros((len(PENALTIES), len(time))), np.zeros(len(time), dtype=int)
        for number, split in enumerate(inner_folds(patients, event, self.seed)):
            train, test = split.rows("train", patients), split.rows("test", patients)
            inner._learn_scale(values[train])
            learned, test_values = inner._prepared(values[train]), inner._prepared(values[test])
            fold[test] = number
            for place, inner.penalty in enumerate(PENALTIES):
                inner._weigh(learned, time[train], event[train])
                risk[place, test] = inner.fitted.predict(test_values)
        c_indices = np.array(
            [pair_counts(event, time, fold_risk, tolerance=0.0, within=fold).c_index for fold_risk in risk]
        )
        if not np.isfinite(c_indices).all():
            raise _too_few(event, patients, "; in some inner fold no death can be compared with a longer survival")
        return c_indices


def inner_folds(patients: Sequence[str], event: np.ndarray, seed: int) -> list[Split]:
    """Folds by patient to choose a ridge by: deaths spread evenly, or plain where too few patients are without one.

    Args:
        patients: of N rows.
        event: (N,) bool, True for death.
        seed: of the shuffle.

    Raises:
        UserError: fewer patients who died than folds.
    """
    died = {patient: False for patient in patients}
    for patient, event_of_row in zip(patients, np.asarray(event).tolist(), strict=True):
        died[patient] |= event_of_row
    deaths = sum(died.values())
    if deaths < INNER_FOLDS:
        raise _too_few(event, patients)
    if len(died) - deaths >= INNER_FOLDS:
        return stratified_kfold(patients, [died[patient] for patient in patients], INNER_FOLDS, seed)
    everyone = np.random.default_rng(seed).permutation(sorted(died)).tolist()
    return [Split(tuple(sorted(set(everyone) - set(test))), tuple(sorted(test)))
            for test in (everyone[number::INNER_FOLDS] for number in range(INNER_FOLDS))]  # fmt: skip


def _too_few(event: np.ndarray, patients: Sequence[str], more: str = "") -> UserError:
    deaths = len({patient for patient, died in zip(patients, np.asarray(event).tolist(), strict=True) if died})
    return UserError(f"{deaths} deaths among {len(set(patients))} patients are too few to choose the ridge on image "
                     f"features by {INNER_FOLDS} inner folds{more}: give image_penalty (from {PENALTIES[0]:g} to "
                     f"{PENALTIES[-1]:g}), or more patients")  # fmt: skip


def out_of_fold_risk(
    values: np.ndarray, time: np.ndarray, event: np.ndarray, *, folds: int = 5, seed: int = 0
) -> np.ndarray:
    """Computes (N,) log risks, each of a model of (N, K) clinical values fitted to the patients of other folds.

    With outcomes shuffled they rank a little below one half: who is left out drags the others the other way.
    """
    names, risk = [str(row) for row in range(len(time))], np.zeros(len(time))
    for split in stratified_kfold(names, np.asarray(event).tolist(), folds, seed):
        train, test = split.rows("train", names), split.rows("test", names)
        model = CoxModel(np.zeros(values.shape[1], dtype=bool)).fit(values[train], time[train], event[train])
        risk[test] = model.predict(values[test])
    return risk


def _main_axes(scores: np.ndarray) -> np.ndarray:
    """(R, K) directions that hold 99 % of the variance; a ridge would shrink the rest to next to nothing."""
    _, lengths, axes = np.linalg.svd(scores - scores.mean(axis=0), full_matrices=False)
    share = np.cumsum(lengths**2) / max(float((lengths**2).sum()), 1e-12)
    return axes[: int(np.searchsorted(share, VARIANCE)) + 1].T
