"""Every option that a task takes has a range or is a switch; a wrong value is one line before anything begins."""

from __future__ import annotations

import pytest

from medattn_lite.errors import UserError
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.checks import OPTION_SWITCHES, OPTIONS
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks.grading import Grading
from medattn_lite.training.tasks.lesions import Lesions
from medattn_lite.training.tasks.segmentation import Segmentation
from medattn_lite.training.tasks.slices import Slices


@pytest.mark.parametrize("task", [Grading, Lesions, Segmentation, Slices])
def test_what_a_task_takes_beside_its_recipe_has_a_range(task):
    assert [name for name in task.more_options if name not in OPTIONS and name not in OPTION_SWITCHES] == []


@pytest.mark.parametrize("name, value", [
    ("blur", -1), ("blur", 1e9), ("blur", "a"), ("blur", (1, 2)), ("lesion_fade", 1.5), ("lesion_fade", -0.1),
    ("lesion_fade", ("a", "b")), ("lesion_fade", float("nan")), ("lesion_fade", True),
])  # fmt: skip
def test_an_option_that_no_recipe_names_is_checked_as_well(name, value):
    with pytest.raises(UserError, match=f"{name}=.*a number from 0 to"):
        with_changes(find_recipe("lesions").at("smoke"), {"options": {name: value}})
