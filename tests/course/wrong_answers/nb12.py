"""Wrong answers that learners of notebook 12 give, and what the check must say of each."""

from __future__ import annotations

import numpy as np


def the_diagonal(affine):
    return np.array([affine[0, 0], affine[1, 1], affine[2, 2]])


def the_diagonal_unsigned(affine):
    return np.abs(np.diag(affine))[:3]


def lengths_of_rows(affine):
    return np.linalg.norm(affine[:3, :3], axis=1)


def no_root(affine):
    return (affine[:3, :3] ** 2).sum(axis=0)


def parts_added(affine):
    return np.abs(affine[:3, :3]).sum(axis=0)


def largest_part(affine):
    return np.abs(affine[:3, :3]).max(axis=0)


def with_the_origin(affine):
    return np.linalg.norm(affine[:3], axis=0)


def first_rows(subjects, n):
    return [True] * n + [False] * (len(subjects) - n)


def last_rows(subjects, n):
    return [False] * (len(subjects) - n) + [True] * n


def one_scan_each(subjects, n):
    seen, marks = set(), []
    for subject in subjects:
        marks.append(subject in sorted(set(subjects))[:n] and subject not in seen)
        seen.add(subject)
    return marks


def sorted_scans(subjects, n):
    return [subject in sorted(subjects)[:n] for subject in subjects]


def order_of_the_table(subjects, n):
    order = []
    for subject in subjects:
        if subject not in order:
            order.append(subject)
    return [subject in order[:n] for subject in subjects]


def those_to_train_on(subjects, n):
    return [subject not in sorted(set(subjects))[:n] for subject in subjects]


def each_alone(p_values, level):
    return [p <= level for p in p_values]


def bonferroni(p_values, level):
    return [p <= level / len(p_values) for p in p_values]


def never_stopping(p_values, level):
    marks = [False] * len(p_values)
    for step, at in enumerate(np.argsort(p_values)):
        marks[at] = p_values[at] <= level / (len(p_values) - step)
    return marks


def sorted_marks(p_values, level):
    marks = []
    for step, p in enumerate(sorted(p_values)):
        if p > level / (len(p_values) - step):
            break
        marks.append(True)
    return marks + [False] * (len(p_values) - len(marks))


def false_discoveries(p_values, level):
    marks, count = [False] * len(p_values), len(p_values)
    order = np.argsort(p_values)
    last = max([step for step in range(count) if p_values[order[step]] <= level * (step + 1) / count], default=-1)
    for at in order[: last + 1]:
        marks[at] = True
    return marks


def as_they_stand(p_values, level):
    for step, p in enumerate(p_values):
        if p > level / (len(p_values) - step):
            return [True] * step + [False] * (len(p_values) - step)
    return [True] * len(p_values)


def those_that_fall(p_values, level):
    order, marks = np.argsort(p_values), [True] * len(p_values)
    for step, at in enumerate(order):
        if p_values[at] > level / (len(p_values) - step):
            break
        marks[at] = False
    return marks


WRONG_ANSWERS = {
    "12-holm": [
        (each_alone, "compared with the level itself"),
        (bonferroni, "Bonferroni's rule"),
        (never_stopping, "went on after the first that failed"),
        (sorted_marks, "in the order of the p values"),
        (false_discoveries, "Benjamini and Hochberg"),
        (as_they_stand, "as they stand"),
        (those_that_fall, "do not survive"),
    ],
    "12-sizes": [
        (the_diagonal, "took the diagonal"),
        (the_diagonal_unsigned, "without its sign"),
        (lengths_of_rows, "lengths of the rows"),
        (no_root, "root is missing"),
        (parts_added, "added the parts"),
        (largest_part, "largest part"),
        (with_the_origin, "last column"),
    ],
    "12-split": [
        (first_rows, "first n rows"),
        (last_rows, "last n rows"),
        (one_scan_each, "only one scan"),
        (sorted_scans, "sorted the scans"),
        (order_of_the_table, "order of the table"),
        (those_to_train_on, "to train on"),
    ],
}
