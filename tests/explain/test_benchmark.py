"""Held-out phantoms as a network takes them, and the table of which maps are true."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from accelerate import Accelerator

from medattn_lite.explain.faithfulness.benchmark import main, run, score_network, summarise
from medattn_lite.explain.faithfulness.benchmark_page import write_page
from medattn_lite.explain.faithfulness.phantom_cases import cohort_of, held_out
from medattn_lite.explain.faithfulness.stage_scores import gains
from medattn_lite.explain.faithfulness.subject_scores import LIKENESS
from medattn_lite.explain.methods.registry import METHODS
from medattn_lite.networks import trained as trained_module
from medattn_lite.networks.trained import load_trained
from medattn_lite.training.experiment import Plan, run_experiment
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.ship_network import ship
from medattn_lite.training.tasks import open_task

NAMES = {"iam": "P3D + IAM", "marked": "P3D + IAM, scanner mark", "cbam": "ResNet-50-CBAM"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three networks of a smoke run, as if they came with the package."""
    out, weights = tmp_path_factory.mktemp("runs") / "mechanisms", tmp_path_factory.mktemp("weights")
    plan = Plan("mechanisms", first_folds=1, changes={"subjects": 16}, variants=tuple(NAMES.values()), out=out)
    run_experiment(plan, accelerator=Accelerator(cpu=True), progress=False)
    ship(out, NAMES, folder=weights)
    return weights


@pytest.fixture
def shipped(folder, monkeypatch):
    monkeypatch.setattr(trained_module, "FOLDER", folder)
    trained_module.trained_facts.cache_clear()
    yield folder
    trained_module.trained_facts.cache_clear()


def test_a_held_out_subject_is_what_the_task_showed_the_network(shipped):
    trained = load_trained("iam")
    settings = with_changes(find_recipe("mechanisms").at("smoke"), {"subjects": 16})
    task = open_task(find_recipe("mechanisms"), settings, progress=False)
    cases = list(held_out(trained))
    assert cases and {case.subject for case in cases} <= set(trained.tested)
    for case in cases:
        row = task.subjects.index(case.subject)
        assert task.strata[row] == 1, "a low grade has no voxels of a high one"
        assert torch.equal(case.image[0].half(), task.images[row])
        assert case.signal.any() and not (case.signal & ~case.head).any()


def test_the_marked_subject_is_the_same_head_with_the_mark(shipped):
    trained = load_trained("marked")
    plain, marked = next(held_out(trained)), next(held_out(trained, marked=True))
    assert marked.mark.any() and not (marked.mark & plain.head).any()
    assert torch.equal(marked.signal, plain.signal) and marked.counted.sum() > plain.counted.sum()


def test_the_cohort_is_the_runs_own(shipped):
    trained = load_trained("iam")
    assert set(trained.tested) <= set(cohort_of(trained).subjects) and len(cohort_of(trained)) == 16


def test_every_method_is_scored_beside_maps_that_know_nothing(shipped):
    scored, done = score_network(load_trained("iam"), subjects=1, progress=False)
    rows = [row for row in scored if not row.get("stage")]
    methods = [row["method"] for row in rows]
    assert done and set(methods) >= {*METHODS, "noise", "middle", "edges", "brightness", "chance"}
    stages = {row["method"] for row in scored if row.get("stage")}
    assert any(name.startswith("LayerCAM at ") for name in stages) and any(", replicate" in name for name in stages)
    for row in rows:
        assert "deletion area" in row or 0 <= row["AUC"] <= 1
    assert any("AUC in coronal slices" in row for row in rows)
    for method in ("Grad-CAM", "occlusion"):
        row = {name: score for entry in rows if entry["method"] == method for name, score in entry.items()}
        assert np.isfinite(row["deletion area"]) and -1 <= row[LIKENESS] <= 1
    assert next(row for row in rows if row["method"] == "chance")["AUC"] == 0.5


def test_a_mean_over_subjects_bears_its_interval_and_leaves_out_what_is_undefined():
    rows = [{"subject": str(k), "method": "Grad-CAM", "AUC": value, "deletion area": float("nan"), "note": ""}
            for k, value in enumerate((0.2, 0.4, 0.9) * 4)]  # fmt: skip
    summary = summarise(rows)["Grad-CAM"]
    assert summary["AUC"]["value"] == pytest.approx(0.5) and summary["AUC"]["low"] < 0.5 < summary["AUC"]["high"]
    assert "deletion area" not in summary
    few = summarise(rows[:3])["Grad-CAM"]["AUC"]
    assert few["low"] is None and few["high"] is None and few["missing"] == "too few for an interval"


def test_a_pointing_game_that_never_hits_is_no_certainty_and_a_correlation_keeps_its_sign():
    rows = [{"subject": str(k), "method": "noise", "pointing game": 0.0, LIKENESS: (-1) ** k * 0.3, "note": ""}
            for k in range(12)]  # fmt: skip
    summary = summarise(rows)["noise"]
    hits = summary["pointing game"]
    assert (hits["low"], hits["high"]) == pytest.approx((0, 0.2425), abs=1e-4)
    likeness = summary[LIKENESS]
    assert -0.3 < likeness["low"] < 0 < likeness["high"] < 0.3 and likeness["units"] == 12


def test_what_a_finer_map_wins_is_the_mean_of_differences_by_subject():
    rows = []
    for k in range(12):
        rows += [
            {"subject": str(k), "method": "Grad-CAM", "pointing game": 0.0, "AUC": 0.5,
             "relevance mass": 0.02 * (k + 1)},
            {"subject": str(k), "method": "chance", "pointing game": 0.0, "relevance mass": 0.01, "AUC": 0.5},
            {"subject": str(k), "method": "LayerCAM at layer1", "pointing game": float(k % 2), "AUC": 0.5 + 0.02 * k,
             "mass ÷ chance": 2.0 * (k + 1) + 3.0},
            {"subject": str(k), "method": "LayerCAM at layer2", "pointing game": 0.0, "AUC": 0.0, "mass ÷ chance": 0.0},
        ]
    differences = gains(rows)
    assert list(differences) == ["LayerCAM at layer1"], "the first stage, and the fused map where there is one"
    assert differences["LayerCAM at layer1"]["pointing game"].value == pytest.approx(0.5)
    assert differences["LayerCAM at layer1"]["mass ÷ chance"].value == pytest.approx(3.0)
    auc = differences["LayerCAM at layer1"]["AUC"]
    assert auc.value == pytest.approx(0.11) and auc.low > 0


def test_rows_are_kept_and_gone_on_from(shipped, tmp_path):
    """Stopped at once, then one subject, then two: the same rows as in one go, and no subject scored twice."""
    trained, keep = load_trained("iam"), tmp_path / "iam.jsonl"
    options = {"methods": ["Grad-CAM", "occlusion"], "curves": False, "costly": 1, "progress": False}
    assert score_network(trained, subjects=2, keep=keep, until=0.0, **options) == ([], False)
    first, done = score_network(trained, subjects=1, keep=keep, **{**options, "costly": 0})
    assert done and len(keep.read_text().splitlines()) == 1
    with keep.open("a") as file:
        file.write('{"part": "quick", "rows": [{"subj')  # stopped in the middle of a line
    both, _ = score_network(trained, subjects=2, keep=keep, **options)
    whole, _ = score_network(trained, subjects=2, **options)
    assert both[: len(first)] == json.loads(json.dumps(first)) and len(keep.read_text().splitlines()) == 3
    assert json.dumps(both) == json.dumps(whole)
    names = [row["subject"] for row in whole if row["method"] == "occlusion"]
    assert names == [whole[0]["subject"]], "of few subjects, as said"
    assert all("AUC" not in row for row in whole if "deletion area" in row and row["method"] == "Grad-CAM")
    assert run(["iam"], subjects=3, curves=False, rows=tmp_path, until=0.0, progress=False)["networks"] == {}


def test_where_few_subjects_were_tested_further_phantoms_of_the_cohort_are_shown(shipped):
    trained = load_trained("iam")
    tested = [case.subject for case in held_out(trained)]
    more = [case.subject for case in held_out(trained, limit=len(tested) + 3, more=True)]
    assert more[: len(tested)] == tested and len(more) == len(tested) + 3
    assert not set(more[len(tested) :]) & set(cohort_of(trained).subjects), "no network has seen them"


def test_the_page_has_a_table_for_each_network_the_planes_and_the_mark(shipped, tmp_path):
    record = run(["iam", "marked"], subjects=2, curves=False, progress=False)
    (tmp_path / "faithfulness.json").write_text(json.dumps(record))
    text = write_page(tmp_path).read_text()
    for words in ("## P3D + IAM · grade of a whole head", "## P3D + IAM, scanner mark", "## By plane",
                  "AUC, coronal", "## The scanner mark", "| *chance* |", "| Grad-CAM++ |", "## Finer maps",
                  "| fused LayerCAM |", "mass ÷ chance", "peak in the air", "minus Grad-CAM at its default layer",
                  "Not measured on this network yet: integrated gradients"):  # fmt: skip
        assert words in text, words
    assert "nan" not in text
    assert write_page(tmp_path).read_text() == text


def test_figures_of_networks_that_are_not_named_stay_and_without_names_it_begins_anew(tmp_path, monkeypatch):
    scores = {"Grad-CAM": {"AUC": {"value": 0.6, "low": 0.5, "high": 0.7, "units": 2}}}

    def made(names, *, subjects, curves, **options):
        facts = {"network": "p3d", "variant": names[0], "recipe": "mechanisms", "subjects": subjects,
                 "scores": {"AUC": {"value": 0.9, "low": 0.8, "high": 1.0, "units": 9}}, "methods": scores}
        return {"data": "phantom (synthetic)", "networks": {names[0]: facts}}

    monkeypatch.setattr("medattn_lite.explain.faithfulness.benchmark.run", made)
    known = ["a", "b"]
    monkeypatch.setattr("medattn_lite.explain.faithfulness.benchmark.known_networks", lambda: known)
    monkeypatch.setattr("medattn_lite.explain.faithfulness.benchmark.trained_names", lambda: known)
    where = ["--out", str(tmp_path)]
    assert main(["--networks", "b", *where]) == 0 and main(["--networks", "a", "--subjects", "2", *where]) == 0
    networks = json.loads((tmp_path / "faithfulness.json").read_text())["networks"]
    assert list(networks) == ["a", "b"] and networks["a"]["subjects"] == 2 and networks["b"]["subjects"] == 24
    known[:] = ["c", "d"]
    assert main(where) == 0
    assert list(json.loads((tmp_path / "faithfulness.json").read_text())["networks"]) == ["c", "d"]
