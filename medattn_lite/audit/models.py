"""Can a model tell the label from a group of numbers? Nested cross-validation by patient, beside shuffled labels.

Two models: a linear one with an L2 penalty (logistic regression; for survival ridge regression of the log-rank
scores), whose penalty is chosen in an inner cross-validation, and gradient boosting with small trees. Everything is
learned on training folds: medians for missing values, scales, penalty, weights. Scores are relative to the training
fold's own base rate: a fold with fewer of a class leaves more of it for training, so that base rates alone would point
the wrong way. The null distribution repeats all of it with the labels shuffled again among the patients.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from medattn_lite.audit.covariates import adjusted
from medattn_lite.audit.target import Target

PENALTIES = (0.003, 0.03, 0.3)  # C of the logistic regression; the ridge's is 1 / C
FOLDS, INNER_FOLDS = 5, 3
CATEGORY_REPEATS = 200

Model = Callable[[np.ndarray, Target, int], np.ndarray]


def out_of_fold(model: Model, numbers: np.ndarray, target: Target, patients: np.ndarray, seed: int) -> np.ndarray:
    """Scores (N, K) of patients that the model did not see.

    Args:
        model: (training and test rows stacked, target of the training rows, seed) → scores of the test rows.
        numbers: (N, P), NaN where missing.
        target: of the N rows.
        patients: (N,) who a row is of; a patient's rows stay together.
        seed: of the folds.
    """
    scores = np.zeros((len(numbers), target.columns.shape[1]))
    for train, test in folds(target, patients, FOLDS, seed):
        prepared = _prepared(numbers, train)
        scores[test] = model(prepared[np.concatenate([train, test])], target.take(train), seed)
    return scores


def linear(numbers: np.ndarray, target: Target, seed: int) -> np.ndarray:
    """L2-penalised regression; the penalty is chosen by the inner folds.

    Args:
        numbers: (T + M, P), the T training rows first.
        target: of the training rows.
        seed: of the inner folds.

    Returns:
        (M, K) scores of the other rows.
    """
    count = len(target.labels)
    inner = folds(target, np.arange(count), INNER_FOLDS, seed)
    reached = []
    for penalty in PENALTIES:
        scores = np.zeros((count, target.columns.shape[1]))
        for train, test in inner:
            scores[test] = _fit_linear(numbers[train], target.take(train), penalty)(numbers[test])
        reached.append(target.score(scores))
    best = PENALTIES[int(np.argmax(reached))]
    return _fit_linear(numbers[:count], target, best)(numbers[count:])


def boosting(numbers: np.ndarray, target: Target, seed: int) -> np.ndarray:
    """Gradient boosting of 25 trees with 4 leaves; shapes as in `linear`."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    count = len(target.labels)
    options = {"max_iter": 25, "learning_rate": 0.15, "max_leaf_nodes": 4, "l2_regularization": 1.0,
               "min_samples_leaf": min(10, max(2, count // 10)), "early_stopping": False, "random_state": seed}
    if target.time is not None:
        fitted = HistGradientBoostingRegressor(**options).fit(numbers[:count], target.columns[:, 0])
        return fitted.predict(numbers[count:])[:, None] - target.columns.mean()
    fitted = HistGradientBoostingClassifier(**options).fit(numbers[:count], target.labels)
    return np.log(fitted.predict_proba(numbers[count:])) - np.log(target.columns.mean(0))


def category_rates(codes: np.ndarray, target: Target, seed: int) -> np.ndarray:
    """What became of the training patients of the same category: the rate of each class, or the mean log-rank score.

    Args:
        codes: (T + M, 1) category of each row, the T training rows first.
        target: of the training rows.
        seed: not used.

    Returns:
        (M, K); small categories are drawn towards the rates of all.
    """
    count = len(target.labels)
    code = codes[:, 0].astype(int)
    member = np.eye(code.max() + 1)[code[:count]]  # (T, categories)
    everyone = target.columns.mean(0)
    rates = (member.T @ target.columns + everyone) / (member.sum(0)[:, None] + 1)
    return rates[code[count:]] - everyone


def tested(
    model: Model, numbers: np.ndarray, target: Target, patients: np.ndarray, *, repeats: int, seed: int,
    raw: bool = False, given: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Scores of a model, and its null distribution.

    Args:
        model: as in `out_of_fold`.
        numbers: (N, P).
        target: of the N rows.
        patients: (N,).
        repeats: how often labels are shuffled again.
        seed: of folds and dealing.
        raw: the numbers are category codes: do not scale them.
        given: (N, Q) columns to adjust the scores for, where the numbers themselves cannot be.

    Returns:
        Scores (N, K), and the AUC or C-index reached on shuffled labels (repeats,).
    """
    from sklearn import config_context

    run = _by_category if raw else out_of_fold
    generator = np.random.default_rng(seed)
    null = []
    with config_context(assume_finite=True, skip_parameter_validation=True):  # thousands of small fits
        for repeat in range(repeats):
            shuffled = target.take(generator.permutation(len(patients)))
            scores = run(model, numbers, shuffled, patients, seed + 1 + repeat)
            null.append(shuffled.score(adjusted(scores, given)))
        return adjusted(run(model, numbers, target, patients, seed), given), np.array(null)


def p_value(value: float, null: np.ndarray) -> float:
    """One-sided: how probable is a value as high among shuffled labels, taken as normal (Student's t, few repeats)?"""
    from scipy.stats import t

    spread = float(null.std(ddof=1)) * np.sqrt(1 + 1 / len(null))
    return float(t.sf((value - null.mean()) / max(spread, 1e-9), len(null) - 1))


def folds(target: Target, patients: np.ndarray, count: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and rows to test on; classes (or deaths) spread evenly, patients kept together."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    count = max(2, min(count, int(np.bincount(target.labels).min())))
    single = len(np.unique(patients)) == len(patients)
    kind = StratifiedKFold if single else StratifiedGroupKFold
    splitter = kind(n_splits=count, shuffle=True, random_state=seed)
    return list(splitter.split(np.zeros(len(patients)), target.labels, None if single else patients))


def _by_category(model: Model, codes: np.ndarray, target: Target, patients: np.ndarray, seed: int) -> np.ndarray:
    scores = np.zeros((len(codes), target.columns.shape[1]))
    for train, test in folds(target, patients, FOLDS, seed):
        scores[test] = model(codes[np.concatenate([train, test])], target.take(train), seed)
    return scores


def _prepared(numbers: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Missing values filled, scaled by the training rows, and cut at 5 standard deviations."""
    known = np.isfinite(numbers[train])
    with np.errstate(all="ignore"):
        middle = np.array([np.median(column[present]) if present.any() else 0.0
                           for column, present in zip(numbers[train].T, known.T, strict=True)])
    filled = np.where(np.isfinite(numbers), numbers, middle)
    spread = filled[train].std(0)
    return np.clip((filled - filled[train].mean(0)) / np.where(spread > 0, spread, 1.0), -5, 5)


def _fit_linear(numbers: np.ndarray, target: Target, penalty: float) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.linear_model import LogisticRegression, Ridge

    if target.time is not None:
        ridge = Ridge(alpha=1 / penalty).fit(numbers, target.columns[:, 0])
        return lambda rows: (rows @ ridge.coef_)[:, None]
    solver = "newton-cholesky" if len(target.classes) == 2 else "lbfgs"  # whichever is faster
    fitted = LogisticRegression(C=penalty, solver=solver, max_iter=100).fit(numbers, target.labels)
    weights = fitted.coef_ if len(fitted.coef_) > 1 else np.concatenate([-fitted.coef_, fitted.coef_])
    return lambda rows: rows @ weights.T
