"""Check of notebook 04: folds split by patient, tried for what any split must hold, not for one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from medattn_lite.course.check_inputs import unchanged
from medattn_lite.course.checks import NotAttempted, NotYet, Result, exercise, passed
from medattn_lite.course.compare_values import as_array, kind
from medattn_lite.course.sets import in_another_order, writes_sets_in_braces
from medattn_lite.course.stubs import is_stub

SHUFFLE_HINT = "Shuffle the patients with `np.random.default_rng(seed).permutation(…)` before you give them folds."
SETS_HINT = "`sorted(set(subjects))` has one order for ever; shuffle that."
REMAINDER_HINT = "Patient number i of the shuffled list goes to fold i % folds."


@exercise("04-folds", title="Exercise 04.3, split patients, not slices")
def check_folds(assign: Callable[[Sequence[str], int, int], Any]) -> Result:
    """The slices' patients (N,) to fold numbers (N,): a patient in one fold, folds alike, other folds by seed."""
    if not callable(assign):
        raise NotYet(f"You handed over {kind(assign)}, not the function itself.", "Leave out the brackets.")
    if is_stub(assign):
        raise NotAttempted
    subjects = _slices_of(23)
    by_seed = [_one_split(assign, subjects, 5, seed) for seed in range(6)]
    for patients, folds, seed in ((23, 4, 2), (12, 3, 0), (31, 7, 11), (6, 6, 3)):
        _one_split(assign, _slices_of(patients), folds, seed)
    if _one_split(assign, subjects, 5, 0) != by_seed[0]:
        raise NotYet("The same seed gave two different splits.", "Take all chance from `np.random.default_rng(seed)`.")
    _does_not_hang_on_a_set(assign, subjects)
    if all(each == by_seed[0] for each in by_seed):
        raise NotYet("The seed changes nothing: patients have the same folds every time.", SHUFFLE_HINT)
    for seed, (first, second) in enumerate(zip(by_seed[:-1], by_seed[1:], strict=True)):
        kept = _kept_together(first, second)
        if kept > 0.6:
            raise NotYet(
                f"With seeds {seed} and {seed + 1}, {kept:.0%} of the patients who share a fold are the same pairs: "
                "the seed renames the folds or moves the list along, and the patients are not shuffled.", SHUFFLE_HINT,
            )  # fmt: skip
    return passed("No patient is on both sides, and every fold has its share of patients.")


def _slices_of(patients: int) -> list[str]:
    """The patient of each slice, two to six slices each, in mixed order."""
    numbers = np.repeat(np.arange(patients), np.arange(patients) % 5 + 2)
    return [f"patient-{number:02d}" for number in np.random.default_rng(4).permutation(numbers)]


def _does_not_hang_on_a_set(assign: Callable[..., Any], subjects: list[str]) -> None:
    """A set of texts has another order after each start of Python; here, in each of these calls."""
    tried = []
    for salt in ("one", "two"):
        with in_another_order(assign, salt):
            tried.append(_one_split(assign, subjects, 5, 0))
    if writes_sets_in_braces(assign):  # their order is this process's; other names have another
        tried += [_one_split(assign, [f"{each[0]}{n}{each}" for each in subjects], 5, 0) for n in range(3)]
    if any(each != tried[0] for each in tried):
        raise NotYet("Your split depends on the order of a `set`, and Python orders the texts in a set anew at each "
                     "start: tomorrow the same seed would give other folds.", SETS_HINT)  # fmt: skip


def _kept_together(one: list[int], other: list[int]) -> float:
    """Of all pairs of slices in one fold, the share that is in one fold again."""
    first, second = np.array(one), np.array(other)
    pairs = first[:, None] == first
    pairs &= np.array(_slices_of(23))[:, None] != np.array(_slices_of(23))  # of different patients
    return float((second[:, None] == second)[pairs].mean())


def _one_split(assign: Callable[..., Any], subjects: list[str], folds: int, seed: int) -> list[int]:
    """The fold of every slice, as plain numbers.

    Raises:
        NotYet: the answer is no such list, or breaks a rule that has a name.
    """
    patients = list(subjects)
    answer = assign(patients, folds, seed)
    if not unchanged(patients, subjects):
        raise NotYet("Your function changes its input.", "Shuffle a list of your own: `sorted(set(subjects))`.")
    numbers = _as_numbers(answer)
    people = sorted(set(subjects))
    if len(numbers) == len(people):
        raise NotYet("There is one number for each patient; one for each slice was asked for.",
                     "`[fold_of[subject] for subject in subjects]`")
    if len(numbers) != len(subjects):
        raise NotYet(f"There are {len(numbers)} numbers for {len(subjects)} slices.", "One fold number per slice.")
    if min(numbers) == 1 and max(numbers) == folds:
        raise NotYet("Your folds are counted from 1.", "Count them from 0 to folds − 1.")
    if min(numbers) < 0 or max(numbers) >= folds:
        raise NotYet(f"There is a fold {max(numbers)} where folds are 0 to {folds - 1}.", "`number % folds`")
    folds_of: dict[str, set[int]] = {}
    for subject, number in zip(subjects, numbers, strict=True):
        folds_of.setdefault(subject, set()).add(number)
    torn = next((subject for subject in people if len(folds_of[subject]) > 1), None)
    if torn is not None:
        raise NotYet(f"The slices of {torn} lie in folds {' and '.join(map(str, sorted(folds_of[torn])[:2]))}: that "
                     "patient is trained on and tested.",
                     "Give the patients their folds first; a slice goes where its patient goes.")
    sizes = Counter(next(iter(numbers)) for numbers in folds_of.values())
    counts = [sizes.get(fold, 0) for fold in range(folds)]
    if min(counts) == 0:
        raise NotYet(f"Fold {counts.index(0)} of {folds} is empty, with {len(people)} patients.", REMAINDER_HINT)
    if max(counts) - min(counts) > 1:
        raise NotYet(f"The folds have {min(counts)} to {max(counts)} patients; they should differ by one at most.",
                     REMAINDER_HINT)
    return numbers


def _as_numbers(answer: Any) -> list[int]:
    if is_stub(answer):
        raise NotYet("Your function returns None.", "Does it end with `return …`?")
    if isinstance(answer, dict):
        raise NotYet("That is a dictionary, patient to fold; a fold for each slice was asked for.",
                     "`[fold_of[subject] for subject in subjects]`")
    numbers = as_array(answer)
    if numbers is None or numbers.ndim != 1:
        raise NotYet(f"Your answer is {kind(answer)}, no list of fold numbers.", "One whole number per slice.")
    broken = next((number for number in numbers.tolist() if number != int(number)), None)
    if broken is not None:
        raise NotYet(f"There is a fold number {broken:g}; folds are counted in whole numbers.", REMAINDER_HINT)
    return [int(number) for number in numbers]


def folds_by_patient(subjects: Sequence[str], folds: int, seed: int) -> list[int]:
    """Assigns a fold number to each slice; all slices of a patient are in one fold."""
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    fold_of = {patient: number % folds for number, patient in enumerate(people)}
    return [fold_of[subject] for subject in subjects]
