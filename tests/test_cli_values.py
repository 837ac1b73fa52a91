"""One grammar for --set and --option: what a value is read as, and what is refused."""

from __future__ import annotations

import pytest

from medattn_lite.cli_values import label_map, options_of, settings_of, split_words, value_like, value_of
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import NAMES, find_recipe
from medattn_lite.training.recipes.recipe import with_changes


@pytest.mark.parametrize(("text", "value"), [
    ("true", True), ("False", False), ("NONE", None), ("3", 3), ("-3", -3), ("0.3", 0.3), ("1e-3", 1e-3), (".5", 0.5),
    ("4,8,8", (4, 8, 8)), ("(1, 2)", (1, 2)), ("[1]", (1,)), ("a b", "a b"), ("t1,flair", ("t1", "flair")),
    ("nan", "nan"), ("inf", "inf"), ("1_000", "1_000"), ("²", "²"), ("__import__('os')", "__import__('os')"),
])  # fmt: skip
def test_a_value_is_what_it_looks_like(text, value):
    assert value_of(text) == value and type(value_of(text)) is type(value)


def test_a_value_takes_the_kind_of_the_one_it_replaces():
    assert value_like("5", (1, 2)) == (5,) and value_like("1", 0.5) == 1.0 and value_like("a,b", "adam") == "a,b"
    options = options_of([r"patient=^(\d{1,3})-", "csv=a,b.csv", "label_map=1:4,2:1"], "--option", "csv=table.csv")
    assert options == {"patient": r"^(\d{1,3})-", "csv": "a,b.csv", "label_map": {1: 4, 2: 1}}


def test_what_is_no_pair_or_given_twice_or_taken_is_refused():
    for words in (["a"], ["=1"], ["a b=1"], ["a=1", "a=2"]):
        with pytest.raises(UserError, match="--set"):
            split_words(words, "--set", "a=1")
    assert split_words(["a=1", "a=1"], "--set", "a=1") == {"a": "1"}
    with pytest.raises(UserError, match="root is not set here"):
        options_of(["root=x"], "--option", "a=1", taken=("root",))
    for text in ("1", "1:256", "²:1", "a:b", ""):
        with pytest.raises(UserError, match="not a label map"):
            label_map(text)


def test_settings_and_options_go_where_they_belong():
    changes = settings_of(["epochs=3", "clinical=true", "label=idh"], {"epochs": 1}, {"clinical": False}, ("label",))
    assert changes == {"epochs": 3, "options": {"clinical": True, "label": "idh"}}
    with pytest.raises(UserError, match="there is no colour; use one of epochs, clinical"):
        settings_of(["colour=3"], {"epochs": 1}, {"clinical": False})


@pytest.mark.parametrize(("change", "says"), [
    ({"batch_size": "abc"}, "batch_size=abc: give a whole number from 1"), ({"batch_size": 10**9}, "batch_size="),
    ({"learning_rate": float("nan")}, "learning_rate=nan"), ({"learning_rate": -1}, "above 0"),
    ({"epochs": 1.5}, "epochs=1.5"), ({"milestones": 5}, "milestones=5"), ({"milestones": (5, 2)}, "epochs that rise"),
    ({"momentum": 1}, "below 1"), ({"valid_every": 0}, "valid_every=0"), ({"size": (8, 8)}, "needs 3 sizes"),
    ({"patience": True}, "patience=True"), ({"optimiser": "lion"}, "unknown optimiser"),
    ({"options": {"spacing_mm": 0}}, "spacing_mm=0"), ({"options": {"flip_classes": 3}}, "flip_classes=3"),
])  # fmt: skip
def test_a_setting_of_another_kind_or_out_of_its_range_is_one_line(change, says):
    with pytest.raises(UserError, match=says):
        with_changes(find_recipe("grading").at("smoke"), change)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_s_own_numbers_are_within_the_ranges(name):
    recipe = find_recipe(name)
    for settings in recipe.scales.values():
        assert with_changes(settings, {"options": dict(settings.options)}) == settings
        for variant in recipe.variants:
            with_changes(settings, variant.settings)
