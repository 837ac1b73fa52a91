"""Heads that a shipped network has not seen, with their labels."""

from __future__ import annotations

import pytest
import torch

from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.phantom_cases import cohort_of, graded_heads
from medattn_lite.networks.trained import load_trained


def test_graded_heads_are_of_both_grades_and_as_the_network_takes_them() -> None:
    trained = load_trained("grade_se_resnext")
    images, labels = graded_heads(trained, limit=2)
    assert sorted(labels.tolist()) == [0, 1]
    cohort = cohort_of(trained)
    rows = [row for row, name in enumerate(cohort.subjects) if name in trained.tested]
    first = {grade: next(row for row in rows if cohort.labels[row] == grade) for grade in (0, 1)}
    for image, label in zip(images, labels.tolist(), strict=True):
        assert torch.equal(image, normalise(cohort[first[label]]["image"]))


def test_a_network_that_does_not_grade_heads_has_no_graded_heads() -> None:
    with pytest.raises(UserError, match="mechanisms"):
        graded_heads(load_trained("lesions_rsa"), limit=2)
