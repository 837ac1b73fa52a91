"""`CoxModel` as an estimator of scikit-learn: in pipelines, in a grid search, cloned, on tables.

    model = make_pipeline(SelectKBest(…), CoxEstimator())
    search = GridSearchCV(CoxEstimator(), {"clinical_penalty": [0.1, 1, 10]}, cv=GroupKFold(5))
    search.fit(table[["age", "volume"]], table[["time", "event"]], groups=table["subject"])

The outcome is a table with `time` and `event`, a `FollowUp`, or scikit-survival's structured array. Rows of one patient
belong into one fold: give `groups`, as above. With image columns and no `image_penalty`, `fit` draws inner folds of its
own, which need them too: `CoxEstimator(…).fit(X, y, groups=patients)`, or within a search

    sklearn.set_config(enable_metadata_routing=True)
    search = GridSearchCV(CoxEstimator(…).set_fit_request(groups=True), …, cv=GroupKFold(5))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from medattn_lite.errors import UserError
from medattn_lite.survival.concordance import harrell_c
from medattn_lite.survival.cox_model import CLINICAL_PENALTY, CoxModel
from medattn_lite.survival.follow_up import FollowUp

if TYPE_CHECKING:
    import pandas as pd


class CoxEstimator(BaseEstimator):
    """Cox's model with a ridge, as scikit-learn wants an estimator; see `CoxModel`.

    Args:
        image_columns: image features among the columns, by name (of a DataFrame) or number; the others are clinical.
        clinical_penalty: ridge on clinical values.
        image_penalty: ridge on image features; None takes the one whose C-index within inner folds is best.
        seed: of the inner folds.

    Attributes:
        model_: the fitted `CoxModel`.
        n_features_in_: K.
        feature_names_in_: names of the columns, where the table had them.
    """

    def __init__(
        self, image_columns: Sequence[str | int] = (), *, clinical_penalty: float = CLINICAL_PENALTY,
        image_penalty: float | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.image_columns = image_columns
        self.clinical_penalty = clinical_penalty
        self.image_penalty = image_penalty
        self.seed = seed

    def fit(
        self, X: pd.DataFrame | np.ndarray, y: Any, groups: Any = None  # noqa: N803 - scikit-learn's names
    ) -> CoxEstimator:
        """Learns from N rows.

        Args:
            X: (N, K) numbers; NaN where missing.
            y: their follow-up.
            groups: (N,) patient of each row, whose rows stay together in the inner folds; None where each row is a
                patient.

        Raises:
            UserError: no follow-up, none of a patient of X, no death, too few of them to choose the ridge on image
                features, or a column that is not there.
        """
        values = self._values(X, reset=True)
        outcome = follow_up(y)
        if len(outcome.time) != len(values):
            raise UserError(f"{len(values)} rows and {len(outcome.time)} outcomes: give one for each")
        if not outcome.event.any():
            raise UserError(f"no death among {len(values)} rows: Cox's model learns from deaths; add patients who died")
        self.model_ = CoxModel(self._is_image(), self.seed, clinical_penalty=self.clinical_penalty,
                               image_penalty=self.image_penalty)  # fmt: skip
        self.model_.fit(values, outcome.time, outcome.event, _patients(groups, len(values)))
        return self

    def predict(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:  # noqa: N803
        """(N,) log risks; higher means earlier death."""
        check_is_fitted(self, "model_")
        return self.model_.predict(self._values(X, reset=False))

    def score(self, X: pd.DataFrame | np.ndarray, y: Any) -> float:  # noqa: N803
        """Harrell's C-index; NaN where no two patients can be compared."""
        outcome = follow_up(y)
        return harrell_c(outcome.event, outcome.time, self.predict(X))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = False
        return tags

    def _values(self, table: Any, *, reset: bool) -> np.ndarray:
        try:
            from sklearn.utils.validation import validate_data
        except ImportError:  # scikit-learn below 1.6
            return self._validate_data(table, reset=reset, dtype=float, force_all_finite="allow-nan")
        return validate_data(self, table, reset=reset, dtype=float, ensure_all_finite="allow-nan")

    def _is_image(self) -> np.ndarray:
        names = list(getattr(self, "feature_names_in_", ()))
        marked = np.zeros(self.n_features_in_, dtype=bool)
        for column in self.image_columns:
            known = column in names if isinstance(column, str) else -len(marked) <= column < len(marked)
            if not known:
                raise UserError(f"image_columns names {column!r}: there are "
                                f"{', '.join(names) or f'{len(marked)} columns without names'}")
            marked[names.index(column) if isinstance(column, str) else int(column)] = True
        return marked


def _patients(groups: Any, rows: int) -> list[str] | None:
    """Patients as texts, one per row.

    Raises:
        UserError: another number of them, or one is missing.
    """
    if groups is None:
        return None
    import pandas as pd

    labels = np.asarray(groups, dtype=object).ravel()
    if len(labels) != rows:
        raise UserError(f"{rows} rows and {len(labels)} groups: give the patient of each row")
    if pd.isna(labels).any():
        raise UserError("groups has a row without a patient: name the patient of each row")
    return [str(label) for label in labels.tolist()]


def follow_up(outcome: Any) -> FollowUp:
    """Follow-up of N patients from what scikit-learn passes on: a table, a `FollowUp`, or a structured array.

    Raises:
        UserError: it is none of these, or a time or event is missing.
    """
    if isinstance(outcome, FollowUp):
        return outcome
    if hasattr(outcome, "columns"):
        lacking = [name for name in ("time", "event") if name not in outcome.columns]
        if lacking:
            raise UserError(f"the outcome has no column {lacking[0]!r}: give a table with time (days) and event")
        time, event = outcome["time"].to_numpy(dtype=float), outcome["event"]
        if event.isna().any() or not event.isin([0, 1]).all():
            raise UserError("event holds something else than 0 and 1 (True and False): leave out who has none")
        return FollowUp(time, event.to_numpy(dtype=bool))
    fields = getattr(np.asarray(outcome).dtype, "names", None)
    if fields is None or len(fields) != 2:
        raise UserError("the outcome is not a follow-up: give a table with time and event, or scikit-survival's array")
    records = np.asarray(outcome)
    seen = next((name for name in fields if records[name].dtype == bool), fields[0])
    return FollowUp(records[next(name for name in fields if name != seen)].astype(float), records[seen])
