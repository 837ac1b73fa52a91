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


WRONG_ANSWERS = {
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
