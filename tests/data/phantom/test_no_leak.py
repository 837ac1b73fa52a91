"""What the phantom promises: one rendering for every head, classes that differ in the declared signal alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt, uniform_filter
from scipy.stats import kruskal

from medattn_lite.data.phantom import TASKS, PhantomCohort, Subject, glioma, healthy, meningioma, metastases, ms_lesions
from medattn_lite.data.phantom.anatomy import forget
from medattn_lite.data.phantom.disease_draws import CORRELATED, DECLARED
from medattn_lite.data.phantom.lesions import ball_ml
from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError

RINGS_MM = ((8, 16), (16, 30), (30, 60))
SHAPE, SPACING_MM, PAIRS = (48, 56, 48), 3.5, 30
DISEASES = {
    "glioma": lambda k: glioma(grade="high" if k % 2 else "low", diameter_mm=40 + k % 20),
    "metastases": lambda k: metastases(count=1 + k % 4, diameter_mm=22),
    "meningioma": lambda k: meningioma(diameter_mm=36),
    "ms": lambda k: ms_lesions(load_ml=15),
}
SMALL = (20, 24, 20)


def ring_roughness(image: np.ndarray, distance: np.ndarray, inner: np.ndarray) -> list[float]:
    """Spread of what a 3×3×3 mean takes away, ring by ring around a disease."""
    rough = image - uniform_filter(image, 3)
    return [float(rough[(distance > low) & (distance <= high) & inner].std()) for low, high in RINGS_MM]


def roughness_ratios(kind: str, pairs: int, *, first_seed: int = 1000) -> np.ndarray:
    """`(pairs, rings)`: T2 roughness of a person with a disease ÷ that of the same person without."""
    rows = []
    for k in range(pairs):
        sick = Subject(DISEASES[kind](k), first_seed + k)
        scans = [one.render(shape=SHAPE, spacing_mm=SPACING_MM, contrasts=("t2",))
                 for one in (sick, replace(sick, pathology=healthy()))]  # fmt: skip
        forget()
        distance = distance_transform_edt(scans[0]["mask"][0].numpy() == 0, sampling=SPACING_MM)
        images = [scan["image"][0].numpy() for scan in scans]
        inner = distance_transform_edt((images[0] != 0) & (images[1] != 0), sampling=SPACING_MM) > 5
        with_disease, without = (np.array(ring_roughness(image, distance, inner)) for image in images)
        rows.append(with_disease / without)
    return np.array(rows)


@pytest.mark.slow
@pytest.mark.parametrize("kind", DISEASES)
def test_tissue_around_a_disease_is_as_sharp_as_without_it(kind: str) -> None:
    ratios = np.median(roughness_ratios(kind, PAIRS), axis=0)
    assert (np.abs(ratios - 1) < 0.03).all(), f"{kind}: roughness ratios by ring {ratios.round(3)}"


def test_resampled_tissue_would_be_noticed() -> None:
    """The control of the test above: linear interpolation at half a voxel takes a third of the roughness away."""
    image = Subject(healthy(), 3).render(shape=SHAPE, spacing_mm=SPACING_MM, contrasts=("t2",), noise=0.0)["image"][0]
    shifted = 0.5 * (image + image.roll(1, 0))
    inner = distance_transform_edt(image.numpy() != 0, sampling=SPACING_MM) > 9
    sharp, blurred = (float((one - uniform_filter(one, 3))[inner].std()) for one in (image.numpy(), shifted.numpy()))
    assert blurred / sharp < 0.9


@pytest.mark.parametrize(
    "disease",
    [glioma(diameter_mm=36, site=(34, 10, 28)), metastases(count=1, diameter_mm=20, site=(34, 10, 28)),
     meningioma(diameter_mm=24, site=(60, 10, 28)), ms_lesions(load_ml=10)],
)  # fmt: skip
def test_what_the_scanner_does_is_the_same_with_and_without_a_disease(disease) -> None:
    sick = Subject(disease, 7)
    first, second = (one.render(shape=SHAPE) for one in (sick, replace(sick, pathology=healthy())))
    far = slice(0, 8)  # beyond the reach of a tumour of the right hemisphere: tissue, noise, bias and gain
    if disease.kind != "ms":
        assert torch.equal(first["image"][..., far], second["image"][..., far])
    assert torch.equal(first["image"] == 0, second["image"] == 0)  # background and stripping
    assert np.array_equal(first["affine"], second["affine"])


def test_the_same_seed_gives_the_same_bits_on_one_thread_and_on_two() -> None:
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            forget()
            sample = Subject(metastases(count=2), 4).render(shape=(40, 48, 40))
            results.append((sample["image"], sample["mask"], normalise(sample["image"])))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


RENDERED = {
    "grade": ("whole_ml", "core_ml", "oedema_share", "shift_mm", "age_years", "height"),
    "presence": ("shift_mm", "age_years", "region_ml", "height"),
    "source": ("whole_ml", "core_ml", "oedema_share", "shift_mm", "age_years", "height"),
    "type": ("age_years",),
}


@pytest.mark.parametrize("task", RENDERED)
def test_classes_of_a_matched_cohort_differ_in_the_declared_signal_alone(task: str) -> None:
    cohort = PhantomCohort(80, task=task, shape=(24, 28, 24), seed=3, contrasts=("t1",))
    rows = []
    for index in range(len(cohort)):
        facts, region = dict(cohort[index]["meta"]), cohort.region(index)
        facts |= {"region_ml": int(region.sum()), "height": float(region.nonzero().double().mean(0)[0])}
        rows.append([float(facts[name]) for name in RENDERED[task]])
        forget()
    values, labels = np.array(rows), np.array(cohort.labels)
    for number, name in enumerate(RENDERED[task]):
        groups = [values[labels == label, number] for label in sorted(set(labels))]
        assert kruskal(*groups).pvalue > 0.01, name  # 17 comparisons of one fixed seed


def test_source_has_the_volume_that_was_asked_for_in_both_classes() -> None:
    cohort = PhantomCohort(16, task="source", shape=(32, 36, 32), seed=4, contrasts=("t1",))
    for index in range(len(cohort)):
        disease, facts = cohort.subject(index).pathology, cohort[index]["meta"]
        wanted = ball_ml(disease.diameter_mm) * (1 - disease.oedema if disease.kind == "glioma" else 1)
        assert facts["core_ml"] == pytest.approx(wanted, abs=1.01 * np.prod(facts["spacing_mm"]) / 1000)


def test_a_disease_is_as_large_in_a_slice_as_in_the_volume() -> None:
    areas = []
    for seed in range(6):
        subject = Subject(glioma(diameter_mm=50), seed)
        flat = subject.render(shape=(64, 56))
        areas.append(float((flat["mask"] > 0).sum() / (flat["image"][0] != 0).sum()))
    assert 0.03 < np.mean(areas) < 0.35 and max(areas) < 0.5


def test_clinical_cohorts_keep_the_correlations_and_say_so() -> None:
    cohort = PhantomCohort(200, task="grade", shape=SMALL, seed=3, realism="clinical")
    oedema, labels = np.array([cohort.subject(i).pathology.oedema for i in range(200)]), np.array(cohort.labels)
    assert oedema[labels == 1].mean() > oedema[labels == 0].mean() + 0.15
    assert "oedema_share" in cohort.correlated and "oedema_share" not in cohort.declared
    assert PhantomCohort(2, task="grade", shape=SMALL).correlated == ()
    with pytest.raises(UserError, match="realism"):
        PhantomCohort(2, realism="real")


@pytest.mark.parametrize("task", TASKS)
def test_every_declared_fact_is_in_the_samples(task: str) -> None:
    cohort = PhantomCohort(8, task=task, shape=(32, 36, 32))
    known = {"site", "resection"}
    for index in range(len(cohort)):
        known |= set(cohort[index]["meta"])
    assert set(DECLARED[task]) <= known and set(CORRELATED[task]) <= known


def test_a_healthy_head_shows_the_mass_effect_of_a_tumour_it_does_not_have() -> None:
    cohort = PhantomCohort(2, task="presence", shape=(32, 36, 32), seed=5)
    sample, disease = cohort[0], cohort.subject(0).pathology
    assert sample["label"] == 0 and not sample["mask"].any() and not sample["signal"].any()
    assert sample["meta"]["shift_mm"] > 1
    assert cohort.region(0).any()
    with_tumour = replace(cohort.subject(0), pathology=disease.displaced_by)
    assert torch.equal(with_tumour.region(cohort.shape), cohort.region(0))


@pytest.mark.parametrize("task", ["presence", "source", "grade"])
def test_the_signal_of_a_task_lies_inside_the_disease(task: str) -> None:
    cohort = PhantomCohort(4, task=task, shape=(32, 36, 32), seed=2)
    for index in range(4):
        sample = cohort[index]
        assert not (sample["signal"] & (sample["mask"] == 0)).any()
        assert (sample["signal"] | (sample["mask"] != 1) & (sample["mask"] != 4)).all()  # the core, in every class
        assert bool(sample["signal"].any()) == (task != "presence" or sample["label"] == 1)
