"""What the words after `medattn train` mean: variants by name, and options that no two places read differently."""

from __future__ import annotations

import json

import pytest

from medattn_lite.cli import main
from medattn_lite.cli_train import _variants
from medattn_lite.errors import UserError
from medattn_lite.training.recipes import NAMES, find_recipe

MECHANISMS = find_recipe("mechanisms")
SHUFFLED = "P3D + IAM, shuffled labels"


@pytest.mark.parametrize(("words", "names"), [
    ([SHUFFLED], (SHUFFLED,)),
    (["P3D", SHUFFLED, "P3D + IAM, scanner mark"], ("P3D", SHUFFLED, "P3D + IAM, scanner mark")),
    (["P3D,P3D + IAM"], ("P3D", "P3D + IAM")),
    (["P3D, SE-ResNeXt-50", SHUFFLED, "P3D"], ("P3D", "SE-ResNeXt-50", SHUFFLED)),
    ([], ()),
])  # fmt: skip
def test_a_name_with_a_comma_is_one_variant_and_names_with_commas_between_them_are_several(words, names):
    assert _variants(words, MECHANISMS) == names


@pytest.mark.parametrize("recipe", NAMES)
def test_every_variant_of_every_recipe_can_be_chosen_alone(recipe):
    for variant in find_recipe(recipe).variants:
        assert _variants([variant.name], find_recipe(recipe)) == (variant.name,)


@pytest.mark.parametrize("words", [[""], [" "], [","], ["P3D", ""]])
def test_an_empty_word_is_not_every_variant(words):
    with pytest.raises(UserError, match="names no variant"):
        _variants(words, MECHANISMS)


def test_a_wrong_part_is_named_with_the_names_that_hold_commas():
    with pytest.raises(UserError, match=r"no variant 'shuffled': .*\"P3D \+ IAM, shuffled labels\""):
        _variants(["P3D + IAM, shuffled"], MECHANISMS)


def test_the_shuffled_variant_is_trained_alone_from_several_seeds(tmp_path, capsys):
    out = tmp_path / "run"
    assert main(["train", "mechanisms", "--variants", SHUFFLED, "--first-folds", "1", "--seeds", "3", "--out", str(out),
                 "--device", "cpu", "--quiet"]) == 0  # fmt: skip
    variants = json.loads((out / "metrics.json").read_text())["variants"]
    assert "mean over seeds: AUC" in capsys.readouterr().out
    assert list(variants) == [SHUFFLED] and variants[SHUFFLED]["over_seeds"]["AUC"]["seeds"] == 3


def test_clinical_values_are_read_by_every_variant_where_the_run_says_so(tmp_path):
    """The outline's control too, and the model that takes the risk of a network which read them itself."""
    out = tmp_path / "run"
    assert main(["train", "survival", "--variants", "SE-ResNeXt-50 risk + clinical,outline", "--set", "clinical=True",
                 "--first-folds", "1", "--device", "cpu", "--quiet", "--out", str(out)]) == 0  # fmt: skip
    record = json.loads((out / "metrics.json").read_text())
    parameters = {name: variant["parameters"] for name, variant in record["variants"].items()}
    values = len(record["data_facts"]["clinical_missing"])
    assert values > 0 and parameters["outline"] == 2 + values
    assert parameters["SE-ResNeXt-50 risk + clinical"] == parameters["SE-ResNeXt-50"] + values + 1


def test_a_tasks_own_options_can_be_set_though_the_recipe_does_not_name_them(tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--set", "mirror_axes=2", "--set", "mirror_test=true", "--set", "dice_weight=1", "--set", "zoom=0.1"]
    start = ["train", "lesions", "--variants", "U-Net", "--device", "cpu", "--quiet"]
    assert main([*start, "--out", str(out), *words]) == 0
    options = json.loads((out / "recipe.json").read_text())["settings"]["options"]
    assert options["mirror_axes"] == [2] and options["mirror_test"] is True and options["dice_weight"] == 1
    assert main(["train", "grading", "--set", "mirror_axes=2", "--out", str(tmp_path / "other")]) == 2
    assert "there is no mirror_axes" in capsys.readouterr().err
    assert main(["train", "lesions", "--set", "zoom=1", "--out", str(tmp_path / "other")]) == 2
    assert "zoom=1" in capsys.readouterr().err and not (tmp_path / "other").exists()


@pytest.mark.parametrize("words", [
    ["lesions", "--set", "zoom=1"], ["lesions", "--set", "mirror_axes=7"], ["grading", "--set", "learning_rate=-1"],
    ["grading", "--set", "epochs=1.5"], ["grading", "--set", "size=1,2"], ["grading", "--set", "optimiser=none"],
    ["grading", "--set", "nothing=1"], ["grading", "--variants", "P4D"], ["grading", "--scale", "huge"],
    ["survival", "--set", "clinical=perhaps"], ["slices", "--set", "folds=0"], ["nothing"],
])  # fmt: skip
def test_a_wrong_word_is_said_before_the_device_is_looked_for(words, tmp_path, capsys, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise AssertionError("the device was looked for")

    monkeypatch.setattr("medattn_lite.training.device.choose", fails)
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("medattn: ") and error.count("\n") == 1 and not (tmp_path / "run").exists()


def test_a_run_of_before_a_setting_was_known_goes_on_with_its_default(tmp_path, capsys):
    out = tmp_path / "run"
    command = ["train", "lesions", "--variants", "U-Net", "--out", str(out), "--device", "cpu", "--quiet"]
    assert main(command) == 0
    from medattn_lite.data.json_files import read_object, write_json

    record = read_object(out / "recipe.json", remedy="")
    for name in ("warm_up", "channels_last"):
        del record["settings"][name]
    write_json(out / "recipe.json", record, sealed=True)
    assert main(command) == 0
    record["settings"]["warm_up"] = 0.5
    write_json(out / "recipe.json", record, sealed=True)
    assert main(command) == 2
    assert "its warm_up differs" in capsys.readouterr().err


def test_one_networks_options_stand_under_its_name():
    settings = find_recipe("presence").at("laptop")
    assert set(settings.network_options("resnet50_2d")) == {"layers", "width"}
    assert settings.network_options("resnesat50") == {"layers": (1, 1, 1, 1), "width": 16, "stem_width": 8}
