"""Splits: no patient on two sides, classes spread evenly, the same seed the same patients."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from medattn_lite.data.patient_splits import Split, stratified_kfold, train_valid_test
from medattn_lite.errors import UserError


@st.composite
def cohorts(draw, smallest: int = 3):
    """Patients with 1 to 4 rows each, of 2 or 3 classes with at least `smallest` patients each."""
    sizes = draw(st.lists(st.integers(smallest, 12), min_size=2, max_size=3))
    patients = [(f"p{label}_{number}", label) for label, size in enumerate(sizes) for number in range(size)]
    rows = [row for row in patients for _ in range(draw(st.integers(1, 4)))]
    rows = draw(st.permutations(rows))
    return [row[0] for row in rows], [row[1] for row in rows]


@settings(max_examples=80, deadline=None)
@given(cohort=cohorts(smallest=5), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_every_patient_is_tested_once_and_never_trained_on_in_that_fold(cohort, folds, seed):
    subjects, labels = cohort
    splits = stratified_kfold(subjects, labels, folds, seed)
    assert len(splits) == folds
    assert Counter(patient for split in splits for patient in split.test) == Counter(set(subjects))
    for split in splits:
        assert not set(split.train) & set(split.test)
        assert set(split.train) | set(split.test) == set(subjects)


@settings(max_examples=80, deadline=None)
@given(cohort=cohorts(smallest=5), folds=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_keep_the_strata_to_within_one_patient(cohort, folds, seed):
    label_of = dict(zip(*cohort, strict=True))
    splits = stratified_kfold(*cohort, folds, seed)
    for label in set(label_of.values()):
        counts = [sum(label_of[patient] == label for patient in split.test) for split in splits]
        assert max(counts) - min(counts) <= 1


@settings(max_examples=80, deadline=None)
@given(
    cohort=cohorts(),
    seed=st.integers(0, 99),
    fractions=st.sampled_from([(0.6, 0.2, 0.2), (0.5, 0.25, 0.25), (0.8, 0.0, 0.2), (0.34, 0.33, 0.33)]),
)
def test_three_parts_keep_the_strata_and_share_no_patient(cohort, seed, fractions):
    label_of = dict(zip(*cohort, strict=True))
    split = train_valid_test(*cohort, fractions, seed)
    assert sorted([*split.train, *split.valid, *split.test]) == sorted(label_of)
    for label in set(label_of.values()):
        total = sum(value == label for value in label_of.values())
        for part, fraction in zip((split.train, split.valid, split.test), fractions, strict=True):
            count = sum(label_of[patient] == label for patient in part)
            assert count >= (fraction > 0)
            assert abs(count - fraction * total) <= 1 + (total < 6)  # a small class gives each part its one


@settings(max_examples=30, deadline=None)
@given(cohort=cohorts(smallest=4), seed=st.integers(0, 99))
def test_the_order_of_the_rows_does_not_matter(cohort, seed):
    subjects, labels = cohort
    back = subjects[::-1], labels[::-1]
    assert train_valid_test(subjects, labels, seed=seed) == train_valid_test(*back, seed=seed)
    assert stratified_kfold(subjects, labels, 3, seed) == stratified_kfold(*back, 3, seed)


def test_seeds_differ_and_repeat():
    subjects, labels = [f"p{number}" for number in range(40)], [number % 2 for number in range(40)]
    assert train_valid_test(subjects, labels, seed=1) == train_valid_test(subjects, labels, seed=1)
    assert train_valid_test(subjects, labels, seed=1) != train_valid_test(subjects, labels, seed=2)
    assert stratified_kfold(subjects, labels, 4, seed=1) != stratified_kfold(subjects, labels, 4, seed=2)


def test_slices_of_both_classes_stay_with_their_patient():
    """Presence of a tumour varies within a patient; the patients are split all the same."""
    subjects = [f"p{number // 4}" for number in range(40)]
    labels = torch.tensor([number % 4 > 1 for number in range(40)], dtype=torch.int64)
    split = train_valid_test(subjects, labels)
    assert (len(split.train), len(split.valid), len(split.test)) == (6, 2, 2)
    assert len(split.rows("train", subjects)) == 24
    assert len({split for split in stratified_kfold(subjects, labels, 5)}) == 5


@settings(max_examples=60, deadline=None)
@given(
    counts=st.fixed_dictionaries({("a",): st.integers(3, 9), ("b",): st.integers(3, 9), ("a", "b"): st.integers(3, 9)}),
    repeats=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_patients_with_rows_of_two_classes_are_a_stratum_of_their_own(counts, repeats, seed):
    """Spread over folds and parts as evenly as those of one class, whichever of their labels comes first."""
    kind_of = {f"p{'-'.join(kind)}-{number}": kind for kind, count in counts.items() for number in range(count)}
    rows = [(patient, label) for patient, kind in kind_of.items() for label in kind for _ in range(repeats)]
    order = np.random.default_rng(seed).permutation(len(rows))
    subjects, labels = zip(*[rows[place] for place in order], strict=True)
    folds = stratified_kfold(subjects, labels, 3, seed)
    parts = train_valid_test(subjects, labels, (0.4, 0.3, 0.3), seed)
    for kind, count in counts.items():
        tested = [sum(kind_of[patient] == kind for patient in fold.test) for fold in folds]
        assert max(tested) - min(tested) <= 1 and sum(tested) == count, (kind, tested)
        for side, share in ((parts.train, 0.4), (parts.valid, 0.3), (parts.test, 0.3)):
            count_here = sum(kind_of[patient] == kind for patient in side)
            assert count_here >= 1 and abs(count_here - share * count) <= 1 + (count < 6), (kind, count_here)


def test_a_stratum_of_two_classes_that_is_too_small_is_named_by_both():
    subjects, labels = [*PATIENTS, "q", "q"], [*GRADES, 0, 1]
    with pytest.raises(UserError, match="2 folds but only 1 patient of class 0 and 1: add patients"):
        stratified_kfold(subjects, labels, 2)
    with pytest.raises(UserError, match="only 1 patient of class 0 and 1: a split into 3 parts"):
        train_valid_test(subjects, labels)


def test_rows_are_found_by_patient():
    split = Split(train=("a", "b"), test=("c",))
    np.testing.assert_array_equal(split.rows("train", ["c", "a", "b", "a"]), [1, 2, 3])
    train, test = split
    assert (train, test) == (("a", "b"), ("c",))


PATIENTS, GRADES = [f"p{number}" for number in range(10)], [0, 1] * 5


@pytest.mark.parametrize(
    ("subjects", "labels", "options", "words"),
    [
        (PATIENTS, [1] * 10, {}, "of class 1: a stratified split needs two classes"),
        (PATIENTS, GRADES, {"folds": 11}, "11 folds but only 10 patients"),
        (PATIENTS, GRADES, {"folds": 6}, "6 folds but only 5 patients of class 0"),
        (PATIENTS, [0] * 9 + [1], {}, "2 folds but only 1 patient of class 1: add patients"),
        (PATIENTS, GRADES, {"folds": 1}, "at least 2 folds"),
        (PATIENTS, GRADES[:-1], {}, "10 subjects but 9 labels"),
        ([], [], {}, "empty"),
        (["a", "a", "b", "c"], [0, 0, 1, 1], {"repeats": "error"}, "patient a is listed twice"),
        (PATIENTS, [None, *GRADES[1:]], {}, "p0 has no label"),
        (PATIENTS, [float("nan"), *GRADES[1:]], {}, "p0 has no label"),
    ],
)
def test_folds_that_cannot_be_made_say_why(subjects, labels, options, words):
    with pytest.raises(UserError, match=words):
        stratified_kfold(subjects, labels, **{"folds": 2, **options})


@pytest.mark.parametrize(
    ("labels", "fractions", "words"),
    [
        ([0] * 10, (0.6, 0.2, 0.2), "two classes"),
        ([0] * 9 + [1], (0.6, 0.2, 0.2), "only 1 patient of class 1"),
        (GRADES, (0.6, 0.2), "not three shares"),
        (GRADES, (0.6, 0.6, 0.2), "sum to 1"),
        (GRADES, (0.0, 0.5, 0.5), "not three shares"),
    ],
)
def test_parts_that_cannot_be_made_say_why(labels, fractions, words):
    with pytest.raises(UserError, match=words):
        train_valid_test(PATIENTS, labels, fractions)


def test_a_split_with_a_patient_on_two_sides_cannot_exist():
    with pytest.raises(UserError, match="patient b is in a split twice"):
        Split(train=("a", "b"), test=("b",))
    with pytest.raises(UserError, match="twice"):
        Split(train=("a", "a"), test=("b",))
