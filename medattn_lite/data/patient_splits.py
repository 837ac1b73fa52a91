"""Splits by patient, stratified. A function that would split slices does not exist.

Rows may be patients, scans or slices: all rows of a patient go to the same side. Patients are
assigned stratum by stratum, a stratum being the labels that occur among a patient's rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from medattn_lite.errors import UserError


@dataclass(frozen=True)
class Split:
    """Patients to train on and patients to test on.

    Attributes:
        train: patient ids, sorted.
        test: patient ids, sorted.
        valid: patient ids to stop or choose by, sorted; empty in cross-validation.

    Raises:
        UserError: a patient is on two sides.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    valid: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        everyone = [*self.train, *self.valid, *self.test]
        twice = [patient for patient, count in Counter(everyone).items() if count > 1]
        if twice:
            raise UserError(f"patient {sorted(twice)[0]} is in a split twice: a patient belongs to one side only")

    def __iter__(self):
        """Unpacks as `train, test`, or as `train, valid, test` where there are patients to validate on."""
        return iter((self.train, self.valid, self.test) if self.valid else (self.train, self.test))

    def rows(self, side: str, subjects: Sequence[str]) -> np.ndarray:
        """Indices of the rows whose patient is on a side.

        Args:
            side: "train", "valid" or "test".
            subjects: patient of every row.
        """
        wanted = set(getattr(self, side))
        return np.flatnonzero([str(subject) in wanted for subject in subjects])


def stratified_kfold(
    subjects: Sequence[str], labels: Sequence[Hashable], folds: int = 5, seed: int = 0, *, repeats: str = "group"
) -> list[Split]:
    """Makes cross-validation folds: every patient is tested once, classes spread evenly.

    Args:
        subjects: patient of every row.
        labels: class of every row.
        folds: number of folds.
        seed: of the shuffle.
        repeats: "group" keeps the rows of a patient together; "error" refuses a patient with two rows.

    Returns:
        One split per fold.

    Raises:
        UserError: one class only, more folds than patients in a class, or lengths that differ.
    """
    from sklearn.model_selection import StratifiedKFold

    patients, strata = _patients(subjects, labels, repeats)
    if folds < 2:
        raise UserError(f"cross-validation needs at least 2 folds, not {folds}")
    if folds > len(patients):
        raise UserError(f"{folds} folds but only {len(patients)} patients: choose at most {len(patients)} folds")
    for stratum in sorted(set(strata), key=str):
        count = strata.count(stratum)
        if count < folds:
            fewer = f"choose at most {count} folds, or add patients" if count > 1 else "add patients, or leave it out"
            raise UserError(f"{folds} folds but only {_patients_in_words(count)} of class {_name(stratum)}: {fewer}")
    codes = np.unique([str(stratum) for stratum in strata], return_inverse=True)[1]
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    everyone = np.array(patients)
    return [Split(tuple(everyone[train].tolist()), tuple(everyone[test].tolist()))
            for train, test in splitter.split(everyone, codes)]


def train_valid_test(
    subjects: Sequence[str],
    labels: Sequence[Hashable],
    fractions: Sequence[float] = (0.6, 0.2, 0.2),
    seed: int = 0,
    *,
    repeats: str = "group",
) -> Split:
    """Splits patients into training, validation and test.

    Every class has a patient in every part whose fraction is above zero; but for that, the parts have the
    wanted sizes within each class to within one patient.

    Args:
        subjects: patient of every row.
        labels: class of every row.
        fractions: of training, validation and test; they sum to 1. Validation may be 0.
        seed: of the shuffle.
        repeats: as in `stratified_kfold`.

    Raises:
        UserError: one class only, fewer patients in a class than parts, or fractions that do not sum to 1.
    """
    shares = np.asarray(fractions, dtype=float)
    if shares.shape != (3,) or shares.min() < 0 or not np.isclose(shares.sum(), 1) or shares[0] == 0 or shares[2] == 0:
        raise UserError(f"fractions {tuple(fractions)} are not three shares (train, valid, test) that sum to 1")
    patients, strata = _patients(subjects, labels, repeats)
    generator = np.random.default_rng(seed)
    sides: list[list[str]] = [[], [], []]
    for stratum in sorted(set(strata), key=str):
        members = [
            patient for patient, patient_stratum in zip(patients, strata, strict=True) if patient_stratum == stratum
        ]
        if len(members) < np.count_nonzero(shares):
            raise UserError(f"only {_patients_in_words(len(members))} of class {_name(stratum)}: a split into "
                            f"{np.count_nonzero(shares)} parts needs at least that many; add patients")
        generator.shuffle(members)
        for side, size in zip(sides, _sizes(len(members), shares), strict=True):
            side += [members.pop() for _ in range(size)]
    train, valid, test = (tuple(sorted(side)) for side in sides)
    return Split(train, test, valid)


def _sizes(count: int, shares: np.ndarray) -> list[int]:
    """Whole numbers near `count * shares` that sum to `count`, none 0 where its share is not."""
    exact = count * shares
    sizes = np.floor(exact).astype(int)
    for index in np.argsort(sizes - exact, kind="stable")[: count - sizes.sum()]:
        sizes[index] += 1
    for index in np.flatnonzero((sizes == 0) & (shares > 0)):
        sizes[np.argmax(sizes)] -= 1
        sizes[index] += 1
    return sizes.tolist()


def _patients(
    subjects: Sequence[str], labels: Sequence[Hashable], repeats: str
) -> tuple[list[str], list[tuple[Hashable, ...]]]:
    """The patients, sorted, and the labels that occur among each one's rows."""
    rows = [str(subject) for subject in subjects]
    values = [value.item() if hasattr(value, "item") else value for value in labels]
    if len(rows) != len(values):
        raise UserError(f"{len(rows)} subjects but {len(values)} labels: give one label for every row")
    if not rows:
        raise UserError("nothing to split: the list of subjects is empty")
    for subject, value in zip(rows, values, strict=True):
        if value is None or value != value:
            raise UserError(f"patient {subject} has no label: leave out the patients without one before you split")
    by_subject: dict[str, set] = {}
    for subject, value in zip(rows, values, strict=True):
        if repeats == "error" and subject in by_subject:
            raise UserError(f"patient {subject} is listed twice: give one row for every patient")
        by_subject.setdefault(subject, set()).add(value)
    if len({value for values in by_subject.values() for value in values}) < 2:
        raise UserError(
            f"all {len(by_subject)} patients are of class {values[0]}: a stratified split needs two classes"
        )
    patients = sorted(by_subject)
    return patients, [tuple(sorted(by_subject[patient], key=str)) for patient in patients]


def _patients_in_words(count: int) -> str:
    return f"{count} patient{'' if count == 1 else 's'}"


def _name(stratum: tuple[Hashable, ...]) -> str:
    return " and ".join(str(label) for label in stratum)
