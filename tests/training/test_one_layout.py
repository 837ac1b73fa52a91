"""One file knows where a run's files lie, and a task is asked what it is, not which class it is of."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.training.recipes import NAMES, find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import Task, recall_task

PACKAGE = Path(__file__).resolve().parents[2] / "medattn_lite"
FILES = ("recipe.json", "metrics.json", "environment.json", "predictions.json", "log.csv", "state.safetensors",
         "last.safetensors", "best.safetensors")  # fmt: skip
# cox_tables writes a record of tables, which is not a run.
KNOW_A_NAME = {"training/run.py", "survival/cox_tables.py"}
TASKS = {"Task", "Grading", "Mechanisms", "Segmentation", "Lesions", "Fusion", "Slices", "LeakySlices",
         "SlicesOneSplit", "Survival", "SurvivalAnswers"}  # fmt: skip


def trees() -> list[tuple[str, ast.Module]]:
    return [(path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
            for path in sorted(PACKAGE.rglob("*.py"))]  # fmt: skip


def test_the_files_of_a_run_are_named_in_one_place():
    names = set()
    for name, tree in trees():
        for node in ast.walk(tree):
            joined = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            if joined and isinstance(node.right, ast.Constant) and node.right.value in FILES:
                names.add(name)
    assert names <= KNOW_A_NAME, names - KNOW_A_NAME
    assert "training/run.py" in names


def test_nobody_outside_the_tasks_asks_which_class_a_task_is_of():
    places = []
    for name, tree in trees():
        if name.startswith("training/tasks/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) > 1:
                words = {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
                of_class = node.func.id == "isinstance" and words & TASKS
                of_task = node.func.id in ("hasattr", "getattr") and "task" in ast.unparse(node.args[0])
                places += [f"{name}:{node.lineno}"] if of_class or of_task else []
    assert places == []


def test_nobody_outside_the_tasks_asks_for_the_name_of_a_recipe():
    places = []
    for name, tree in trees():
        if name.startswith(("training/tasks/", "training/recipes/")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and "recipe" in ast.unparse(node.left):
                words = {part.value for other in node.comparators for part in ast.walk(other)
                         if isinstance(part, ast.Constant)}  # fmt: skip
                places += [f"{name}:{node.lineno}"] if words & set(NAMES) else []
    assert places == []


@pytest.mark.parametrize("name", NAMES)
def test_a_task_knows_whether_its_signal_is_in_its_input_and_what_it_is_about(name):
    recipe = find_recipe(name)
    task = recall_task(recipe, recipe.at("smoke"), data="phantom", facts=None)
    assert task.topic and task.topic != Task.topic
    assert task.signal_in_input == (recipe.phantom_task != "source" and task.asks != "risk" and not task.needs_place)
    if not task.signal_in_input:
        with pytest.raises(UserError, match=recipe.name):
            task.held_out_case({})


@pytest.mark.parametrize("name", NAMES)
def test_every_task_names_the_outputs_of_its_networks_and_says_a_prediction(name):
    recipe = find_recipe(name)
    task = recall_task(recipe, recipe.at("smoke"), data="phantom", facts=None)
    assert task.unit in ("volume", "windows", "slices") and task.asks in ("class", "region", "risk")
    assert task.needs_place == (name == "grading")
    for variant in [
        candidate for candidate in recipe.variants if candidate.network and candidate.trained and not candidate.needs
    ][:2]:
        variant_task = task.for_variant(variant, with_changes(task.settings, variant.settings), None) \
            if name in ("lesions", "fusion") else task  # fmt: skip
        network = variant_task.build(variant, {}).eval()
        size = variant_task.settings.options.get("whole", variant_task.settings.size)
        extra, _ = variant_task.extra_inputs(network)
        with torch.no_grad():
            output = network(torch.zeros(1, len(variant_task.channels), *size), *extra)
        assert len(variant_task.output_names(network)) == output.shape[1]
        if variant_task.asks != "region":
            assert variant_task.in_words(output, network)
