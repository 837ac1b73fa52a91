"""The recipe of a folder follows from its table and masks, and where none fits, one line says what is missing."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from medattn_lite.course.own_recipe import choose_recipe
from medattn_lite.data.readers.cases import Case
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import find_recipe


def folder(count: int = 10, *, labels=None, masks: int = 0, deaths: int = 0):
    cases = [Case(case=str(row), subject=str(row), images={"t1": Path("t1")}, label=labels[row % len(labels)] if labels
                  else None, mask=Path("m") if row < masks else None, time=9.0 if deaths else None,
                  event=row < deaths if deaths else None) for row in range(count)]  # fmt: skip
    return SimpleNamespace(cases=cases)


@pytest.mark.parametrize(
    ("facts", "mask_labels", "recipe", "variants", "words"),
    [
        ({"labels": [0, 1], "masks": 10}, (1, 2, 4), "grading", ("P3D + IAM", "tumour features"), ""),
        ({"labels": [0, 1], "masks": 3}, (1,), "grading", ("P3D + IAM",), ""),
        ({"labels": [0, 1, 2], "masks": 10}, (1, 2, 4), "fusion", ("DynUNet",), ""),
        ({"masks": 10}, (1, 2, 3), "fusion", ("DynUNet",), "--set label_map=1:1,2:2,3:4"),
        ({"masks": 10}, (1,), "lesions", ("RSA-010",), ""),
        ({"deaths": 5}, (), "survival", ("SE-ResNeXt-50", "outline"), ""),
    ],
)
def test_table_and_masks_decide(facts, mask_labels, recipe, variants, words):
    choice = choose_recipe(folder(**facts), mask_labels)
    assert (choice.recipe, choice.variants, choice.words) == (recipe, variants, words) and choice.because
    known = {variant.name for variant in find_recipe(recipe).variants}
    assert set(variants) <= known


@pytest.mark.parametrize("facts", [{}, {"labels": [0]}, {"labels": [0, 1], "count": 6}, {"labels": [0, 1, 2]}])
def test_where_nothing_fits_one_line_says_what_is_missing(facts):
    with pytest.raises(UserError, match="no recipe fits .* give two classes, masks or follow-up"):
        choose_recipe(folder(**facts))
