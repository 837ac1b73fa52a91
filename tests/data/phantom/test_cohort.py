"""Cohorts: labels, independence of order and size, matched volumes, the shortcut, survival, files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.data.phantom import LABELS, TASKS, PhantomCohort
from medattn_lite.data.phantom.export import export_cohort, timings
from medattn_lite.data.phantom.ms import LOAD_DECILES_ML, draw_load
from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import bootstrap
from medattn_lite.evaluation.metrics import auc
from medattn_lite.survival.concordance import harrell_c

SMALL = (20, 24, 20)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_samples_labels_and_a_table(task: str) -> None:
    cohort = PhantomCohort(8, task=task, shape=SMALL)
    sample = cohort[3]
    table = cohort.table()
    assert list(table["subject"]) == cohort.subjects and len(set(cohort.subjects)) == 8
    assert list(table["label"]) == cohort.labels
    assert sample["label"] == cohort.labels[3] and sample["subject"] == cohort.subjects[3]
    assert set(cohort.labels) <= set(range(len(LABELS[task])))


def test_a_subject_depends_neither_on_the_cohorts_size_nor_on_the_order() -> None:
    small, large = PhantomCohort(3, shape=SMALL, seed=5), PhantomCohort(9, shape=SMALL, seed=5)
    last = large[2]["image"]
    assert torch.equal(small[2]["image"], last)
    large[7], large[0]
    assert torch.equal(large[2]["image"], last)
    assert not torch.equal(PhantomCohort(3, shape=SMALL, seed=6)[2]["image"], last)


def test_size_does_not_give_the_grade_away_and_the_signal_does() -> None:
    table = PhantomCohort(400, task="grade", seed=1).table()
    size = bootstrap(auc, table["label"], table["whole_ml"], n=300)
    signal = (table["enhancing_ml"] + table["necrosis_ml"]) / table["whole_ml"]
    assert 0.5 in size
    assert 0.97 <= auc(table["label"].to_numpy(), signal.to_numpy()) < 1.0
    low = table[table["label"] == 0]
    assert 0 < (low["enhancing_ml"] > 0).mean() < 0.4  # some low-grade gliomas do enhance


def test_rendered_volumes_are_those_of_the_table() -> None:
    cohort = PhantomCohort(4, shape=(32, 36, 32), seed=3)
    table = cohort.table()
    for index in range(4):
        facts = cohort[index]["meta"]
        voxel = np.prod(facts["spacing_mm"]) / 1000
        assert facts["whole_ml"] == pytest.approx(table["whole_ml"][index], abs=1.01 * voxel)
        assert facts["core_ml"] == pytest.approx(table["core_ml"][index], abs=1.01 * voxel)


def test_the_oracle_ranks_survival_and_censoring_is_independent_of_risk() -> None:
    table = PhantomCohort(600, task="survival", seed=2).table()
    assert 0.70 < harrell_c(table["event"], table["time"], table["oracle_risk"]) < 0.88
    assert 0.5 < table["event"].mean() < 0.9
    # Reversing the roles: among all, the censoring time is not predicted by the risk.
    late = harrell_c(~table["event"], table["time"], table["oracle_risk"])
    assert 0.38 < late < 0.62


def test_the_shortcut_goes_with_the_label_as_often_as_asked() -> None:
    assert not PhantomCohort(20, seed=1).table()["shortcut"].any()
    always = PhantomCohort(40, seed=1, shortcut=1.0).table()
    assert (always["shortcut"] == (always["label"] == 1)).all()
    half = PhantomCohort(400, seed=1, shortcut=0.5).table()
    assert 0.4 < (half["shortcut"] == (half["label"] == 1)).mean() < 0.6
    mostly = PhantomCohort(400, seed=1, shortcut=0.9).table()
    assert 0.85 < (mostly["shortcut"] == (mostly["label"] == 1)).mean() < 0.95


def test_lesion_loads_are_spread_like_the_patients() -> None:
    loads = np.array([draw_load(seed) for seed in range(1500)])
    assert np.allclose(np.quantile(loads, [0.1, 0.5, 0.9]), [LOAD_DECILES_ML[i] for i in (1, 5, 9)], rtol=0.2)


def test_lesions_hug_the_ventricles_when_the_load_is_high() -> None:
    from medattn_lite.data.phantom import Subject, ms_lesions
    from medattn_lite.data.phantom.geometry import make_grid

    grid = make_grid((64, 64, 64), None)
    lesions = Subject(ms_lesions(load_ml=40), 3).lesions(grid)
    near = lesions.anatomy["ventricle"] < 9
    white = (lesions.anatomy["white"] > 0.5) & (lesions.anatomy["ventricle"] > 0)
    assert (lesions.label.bool() & near).sum() > 0.4 * lesions.label.sum()
    assert (near & white).sum() < 0.3 * white.sum()


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 2, "task": "iq"}, {"n": 2, "shortcut": 2}, {"n": 2, "difficulty": -1}]
)
def test_a_wrong_cohort_says_what_to_do(wrong: dict) -> None:
    with pytest.raises(UserError):
        PhantomCohort(**wrong)


def test_files_are_laid_out_as_brats_and_read_back(tmp_path) -> None:
    from medattn_lite.data.readers.registry import open_dataset

    cohort = PhantomCohort(2, shape=SMALL, seed=4)
    folder = export_cohort(cohort, tmp_path / "out", progress=False)
    case = cohort.subjects[1]
    for part in ("flair", "t1", "t1ce", "t2", "seg"):
        assert (folder / "HGG" / case / f"{case}_{part}.nii.gz").exists()
    dataset = open_dataset("brats", folder)
    assert sorted(dataset.subjects) == sorted(cohort.subjects)
    read = dataset[dataset.subjects.index(case)]
    made = cohort[1]
    assert torch.equal(read["mask"].bool(), made["mask"].bool())
    assert np.allclose(read["affine"], made["affine"], atol=1e-4)
    flair = list(read["channels"]).index("flair")
    assert torch.allclose(read["image"][flair], made["image"][3], atol=0.51)
    with pytest.raises(UserError, match="nothing is overwritten"):
        export_cohort(cohort, folder, progress=False)


def test_timings_measure_every_size_and_a_counterfactual_that_is_quicker() -> None:
    seconds = timings(n=1, shapes=((16, 16, 16), (40, 48, 40)))
    assert list(seconds) == ["16×16×16", "40×48×40", "counterfactual 40×48×40"]
    assert 0 < seconds["counterfactual 40×48×40"] < seconds["40×48×40"]


def test_the_atlas_is_the_same_from_the_cache_and_survives_a_broken_one(tmp_path, monkeypatch) -> None:
    from medattn_lite.data.phantom import templates

    current = templates.load_atlas().maps
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path))
    templates._store(templates._cache_file(), current.numpy())
    templates.load_atlas.cache_clear()
    assert torch.equal(templates.load_atlas().maps, current)
    assert [p.suffix for p in tmp_path.iterdir()] == [".npy"]
    templates._cache_file().write_bytes(b"half a file")
    monkeypatch.setattr(templates, "_derive", lambda: current.numpy())
    templates.load_atlas.cache_clear()
    assert torch.equal(templates.load_atlas().maps, current)
