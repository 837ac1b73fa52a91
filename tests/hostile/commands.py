"""Every command of the parser with words that are right, and every option of it with words that are bad."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from medattn_lite import cli
from tests.hostile import values
from tests.hostile.studies import study_words

PHANTOM = ("--n", "1", "--shape", "16,16,16", "--device", "cpu")


@dataclass(frozen=True)
class Base:
    """A command that is right, from a folder that `write_inputs` has filled.

    Attributes:
        words: after `medattn`.
        free: options that take any word.
    """

    words: tuple[str, ...]
    free: tuple[str, ...] = ()


BASES: dict[str, Base] = {
    "cache": Base(("cache",)),
    "doctor": Base(("doctor",)),
    "course": Base(("course", "--only", "00", "--device", "cpu"), free=("--only",)),
    "notebooks": Base(("notebooks", "--check")),
    "check-data": Base(("check-data", "nifti", "--root", "data")),
    "fetch": Base(("fetch", "open-ms", "--accept-licence"), free=("--mirror",)),
    "import": Base(("import", "data", "new"), free=("--patient",)),
    "export": Base(("export", "grade_p3d_iam", "bundle"), free=("--variant", "network")),
    "hub": Base(("hub", "pull", "me/nothing", "bundle")),
    "phantom": Base(("phantom", *PHANTOM, "--out", "new"), free=("--scale",)),
    "audit": Base(("audit", "phantom", "--n", "12", "--shape", "16,16,16"), free=("--declared", "--option")),
    "networks": Base(("networks", "p3d")),
    "train": Base(("train", "grading", "--variants", "tumour features", "--device", "cpu", "--quiet", "--out", "run")),
    "explain": Base(("explain", "grade_p3d_iam", "--image", "image.nii.gz", "--channels", "t1,t1ce,t2,flair", "--out",
                     "map.nii.gz", "--at", "0,0,0", "--device", "cpu"), free=("--target", "--layer", "--variant")),
    "explore": Base(("explore", "slices", "--list")),
    "start": Base(("start", "mine", "--no-lab")),
    "controls": Base(("controls", "--tasks", "mirror", "--seeds", "1", "--out", "controls.json")),
    "compare": Base(("compare", "--tasks", "grade", "--mechanisms", "se", "--seeds", "1", "--out", "compared")),
    "gpu-check": Base(("gpu-check", "--smoke", "--device", "cpu", "--out", "gpu")),
    "study": Base(("study", "parity"), free=("words",)),
    "results": Base(("results", "done", "--keep", "kept", "--out", "results.md")),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One bad command.

    Attributes:
        words: after `medattn`.
        wrong: it must be refused.
        option: that was attacked.
    """

    words: tuple[str, ...]
    wrong: bool
    option: str


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The commands of the parser by name."""
    actions = cli._parser()._actions
    return next(dict(action.choices) for action in actions if isinstance(action, argparse._SubParsersAction))


def cases() -> Iterator[Case]:
    """Every bad command: each option of each command with each of its bad values, and none at all."""
    yield from (Case(words, True, "") for words in ((), ("",), ("nonsense",), ("\udcff",), ("--nonsense",)))
    for name, parser in parsers().items():
        base = BASES[name]
        if not any(action.nargs == argparse.REMAINDER for action in parser._actions):
            yield Case((*base.words, "--no-such-option"), True, "")
        for action in parser._actions:
            whole_rest = action.nargs == argparse.REMAINDER  # words of another command
            if not isinstance(action, (argparse._HelpAction, argparse._VersionAction)) and not whole_rest:
                yield from _attacks(base, action)
    yield from _settings()
    yield from (Case(words, True, option) for words, option in study_words())


def _attacks(base: Base, action: argparse.Action) -> Iterator[Case]:
    option = action.option_strings[0] if action.option_strings else action.dest
    if action.nargs == 0:
        yield Case((*base.words, f"{option}=yes"), True, option)
        return
    if action.option_strings and action.nargs != "?":
        yield Case((*base.words, option), True, option)
    for bad in _bad_values(base, action, option):
        yield Case(_placed(base.words, action, option, bad.text), bad.wrong, option)


def _bad_values(base: Base, action: argparse.Action, option: str) -> Iterator[values.Bad]:
    kind = getattr(action.type, "__name__", "str")
    if isinstance(action, argparse._AppendAction) and action.metavar == "NAME=VALUE":
        return values.pairs()
    if kind in ("number", "_count"):
        return values.numbers(*getattr(action.type, "bounds", (1, 100_000)))
    if kind in ("minutes", "int", "float"):
        return values.numbers(0, 10**12, whole=False)
    if kind in ("path", "folder", "Path"):
        return values.paths()
    return values.words(free=option in base.free or not action.option_strings and action.nargs == "*")


def _placed(words: Sequence[str], action: argparse.Action, option: str, text: str) -> tuple[str, ...]:
    """The command with one value replaced or added."""
    if not action.option_strings:
        return (words[0], text, *words[2:])
    if option in words and action.nargs is None:
        place = words.index(option)
        words = (*words[:place], *words[place + 2 :])
    return (*words, f"{option}={text}")


def _settings() -> Iterator[Case]:
    """`--set` and `--option`, with every name that a recipe, a data set or a method knows."""
    from medattn_lite.data.readers.registry import NAMES, dataset_class
    from medattn_lite.explain import METHODS, find_method
    from medattn_lite.mechanism_comparison.plans import CHANGEABLE, PLANS
    from medattn_lite.training.recipes import NAMES as RECIPES
    from medattn_lite.training.recipes import Settings, find_recipe

    grading = find_recipe("grading").at("smoke")
    everywhere = [settings for name in RECIPES for settings in find_recipe(name).scales.values()]
    optional = {name for settings in everywhere for name, value in (*vars(settings).items(), *settings.options.items())
                if value is None}  # fmt: skip
    optional |= {name for settings in everywhere for name in settings.options
                 if any(name not in other.options for recipe in RECIPES
                        for other in find_recipe(recipe).scales.values()
                        if settings in find_recipe(recipe).scales.values())}  # fmt: skip
    known: dict[str, Any] = {field.name: getattr(grading, field.name) for field in fields(Settings)}
    train = BASES["train"].words
    for name, value in {**known, **grading.options}.items():
        for bad in values.settings(name, value, may_be_none=name in optional):
            yield Case((*train, "--set", bad.text), bad.wrong or isinstance(value, dict), f"--set {name}")
    for recipe in RECIPES:  # the options that only this recipe has
        smoke = find_recipe(recipe).at("smoke")
        words = ("train", recipe, "--device", "cpu", "--quiet", "--out", "run")
        for name, value in smoke.options.items():
            if name not in grading.options and name not in ("weights", "patient", "label"):
                known_before = any(name in find_recipe(other).at("smoke").options
                                   for other in RECIPES[: RECIPES.index(recipe)])  # fmt: skip
                if not known_before:
                    for bad in values.settings(name, value, may_be_none=name in optional):
                        if bad.wrong:
                            yield Case((*words, "--set", bad.text), True, f"--set {name}")
    for name in CHANGEABLE:  # of `medattn compare`
        default = getattr(PLANS["grade"], name)
        for text in values.SETTINGS:
            fits = text == "None" if name in ("crop", "per_subject") else values.may_fit(text, default)
            fits = fits or name in ("crop", "per_subject") and text in ("9" * 40,)
            yield Case((*BASES["compare"].words, "--set", f"{name}={text}"), not fits, f"--set {name}")
    for dataset in NAMES:
        if dataset != "phantom":
            for name, parameter in inspect.signature(dataset_class(dataset)).parameters.items():
                if name != "root":
                    for text in values.SETTINGS:
                        words = ("check-data", dataset, "--root", "data", "--option", f"{name}={text}")
                        yield Case(words, isinstance(parameter.default, bool) and text != "true", f"--option {name}")
    for name in sorted({option for method in METHODS for option in find_method(method).options}):
        for text in values.SETTINGS:
            yield Case((*BASES["explain"].words, "--set", f"{name}={text}"), False, f"--set {name}")


def write_inputs(folder: Path) -> None:
    """What the bases name: a small data set, a 4-D image, a finished run, and things of the user's in the way."""
    import json

    import nibabel as nib
    import numpy as np

    values.write_traps(folder)
    rng = np.random.default_rng(0)
    for patient in ("p1", "p2"):
        (folder / "data" / patient).mkdir(parents=True)
        image = np.zeros((12, 12, 12), np.float32)
        image[2:10, 2:10, 2:10] = rng.uniform(50, 200, (8, 8, 8))
        nib.save(nib.Nifti1Image(image, np.eye(4)), folder / "data" / patient / "t1.nii.gz")
    image = np.zeros((24, 24, 24, 4), np.float32)
    image[4:20, 4:20, 4:20] = rng.uniform(50, 200, (16, 16, 16, 4))
    nib.save(nib.Nifti1Image(image, np.diag([6.0, 6.0, 6.0, 1.0])), folder / "image.nii.gz")
    (folder / "done").mkdir()
    record = {"recipe": "grading", "data": "phantom", "scale": "smoke", "seed": 0, "folds": 2, "summary": "",
              "variants": {}}  # fmt: skip
    (folder / "done" / "metrics.json").write_text(json.dumps(record), encoding="utf-8")
