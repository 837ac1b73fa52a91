"""One subject: the sample it gives, exact masks, counterfactuals, determinism."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch

from medattn_lite.data.phantom import Subject, glioma, healthy, meningioma, metastases, ms_lesions
from medattn_lite.data.phantom.lesions import ball_ml
from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError

SHAPE = (40, 48, 40)
DISEASES = {
    "high": glioma(grade="high", diameter_mm=46),
    "low": glioma(grade="low", diameter_mm=46),
    "metastases": metastases(count=3, diameter_mm=24),
    "meningioma": meningioma(diameter_mm=36),
    "ms": ms_lesions(load_ml=20),
    "healthy": healthy(),
}


@pytest.fixture(scope="module")
def samples() -> dict[str, dict]:
    return {name: Subject(disease, 11).render(shape=SHAPE) for name, disease in DISEASES.items()}


@pytest.mark.parametrize("name", DISEASES)
def test_every_pathology_gives_a_whole_sample(samples: dict, name: str) -> None:
    sample = samples[name]
    assert sample["image"].shape == (4, *SHAPE) and sample["image"].dtype == torch.float32
    assert sample["mask"].shape == (1, *SHAPE) and sample["mask"].dtype == torch.uint8
    assert sample["signal"].shape == (1, *SHAPE) and sample["signal"].dtype == torch.bool
    assert torch.isfinite(sample["image"]).all() and (sample["image"] >= 0).all()
    assert sample["source"] == "phantom" and sample["meta"]["synthetic"] is True
    assert sample["channels"] == ("t1", "t1ce", "t2", "flair") and sample["grid"] is None
    assert isinstance(sample["label"], int)


def test_label_values_are_those_of_brats(samples: dict) -> None:
    assert set(samples["high"]["mask"].unique().tolist()) == {0, 1, 2, 4}
    assert set(samples["low"]["mask"].unique().tolist()) == {0, 1, 2}
    assert set(samples["metastases"]["mask"].unique().tolist()) <= {0, 1, 2, 4}
    assert set(samples["ms"]["mask"].unique().tolist()) == {0, 1}
    assert samples["healthy"]["mask"].sum() == 0 and samples["healthy"]["signal"].sum() == 0


@pytest.mark.parametrize("name", ["high", "low"])
def test_whole_tumour_volume_is_the_one_asked_for_in_both_grades(samples: dict, name: str) -> None:
    voxel = np.prod(samples[name]["meta"]["spacing_mm"]) / 1000
    assert samples[name]["meta"]["whole_ml"] == pytest.approx(ball_ml(46), abs=1.01 * voxel)


def test_lesion_load_is_the_one_asked_for(samples: dict) -> None:
    assert samples["ms"]["meta"]["load_ml"] == pytest.approx(20, rel=0.12)


@pytest.mark.parametrize("name", [n for n in DISEASES if n != "healthy"])
def test_signal_lies_in_the_mask(samples: dict, name: str) -> None:
    sample = samples[name]
    assert sample["signal"].any()
    outside = int((sample["signal"] & (sample["mask"] == 0)).sum())
    assert outside == 0 if name != "meningioma" else outside < 0.5 * int(sample["signal"].sum())  # cleft and dural tail


def test_grade_is_decided_by_enhancement_and_necrosis(samples: dict) -> None:
    facts = samples["high"]["meta"]
    assert facts["enhancing_ml"] + facts["necrosis_ml"] > 0.2 * facts["whole_ml"]
    assert samples["low"]["meta"]["enhancing_ml"] + samples["low"]["meta"]["necrosis_ml"] == 0


def test_lesions_change_the_picture_where_the_mask_says_and_enhance_after_contrast(samples: dict) -> None:
    image, mask = samples["high"]["image"], samples["high"]["mask"][0]
    brain = (image[1] > 0) & (mask == 0)
    assert image[1][mask == 4].median() > 1.2 * image[1][brain].median()
    assert image[3][mask == 2].median() > 1.2 * image[3][brain].median()
    t1, t1ce = (image[k][mask == 4].median() / image[k][brain].median() for k in (0, 1))
    assert t1 < t1ce


def test_fluid_grey_and_white_matter_have_the_order_of_each_sequence() -> None:
    from medattn_lite.data.phantom.anatomy import anatomy_of
    from medattn_lite.data.phantom.geometry import make_grid

    subject = Subject(healthy(), 4)
    anatomy = anatomy_of(subject.person, make_grid((64, 64, 64), None))
    image = subject.render(shape=(64, 64, 64), noise=0.0)["image"]
    inside = anatomy["brain_depth"] > 4
    fluid, grey, white = (
        image[:, inside & (anatomy[name] > 0.95)].median(dim=1).values for name in ("fluid", "grey", "white")
    )
    t1, t1ce, t2, flair = range(4)
    assert fluid[t1] < grey[t1] < white[t1] and fluid[t1ce] < grey[t1ce] < white[t1ce]
    assert fluid[t2] > grey[t2] > white[t2]
    assert fluid[flair] < white[flair] < grey[flair]


def test_a_sequence_has_a_scale_a_sharpness_and_noise_of_its_own_whichever_others_are_scanned() -> None:
    from medattn_lite.data.phantom.contrasts import CONTRASTS
    from medattn_lite.data.phantom.geometry import make_grid
    from medattn_lite.data.phantom.scanner import acquire

    grid = make_grid((24, 28, 24), 2.0)
    flat, point, head = torch.ones(4, *grid.shape), torch.zeros(4, *grid.shape), torch.ones(grid.shape)
    point[:, 12, 14, 12] = 1
    scales, peaks = [], []
    for seed in range(12):
        quiet, noisy = (acquire(flat, head, grid, seed, CONTRASTS, noise=level) for level in (0.0, 1.0))
        noise = noisy / noisy.mean((1, 2, 3), keepdim=True) - quiet / quiet.mean((1, 2, 3), keepdim=True)
        assert torch.corrcoef(noise.flatten(1)).fill_diagonal_(0).abs().max() < 0.3, "two sequences share their noise"
        scales.append(quiet.mean((1, 2, 3)).log())
        blurred = acquire(point, head, grid, seed, CONTRASTS, noise=0.0).flatten(1)
        peaks.append(blurred.amax(1) / blurred.sum(1))
        for some in (CONTRASTS[::-1], CONTRASTS[2:3]):
            alone = acquire(flat[: len(some)], head, grid, seed, some)
            assert torch.equal(alone, noisy[[CONTRASTS.index(name) for name in some]])
    for one, other in combinations(range(4), 2):
        assert torch.stack(scales)[:, [one, other]].diff(dim=1).std() > 0.2, "two sequences share their scale"
        assert torch.stack(peaks)[:, [one, other]].diff(dim=1).std() > 0.01, "two sequences share their blur"


@pytest.mark.parametrize("seed", range(3))
def test_brain_and_tissue_volumes_are_human(seed: int) -> None:
    from medattn_lite.data.phantom.anatomy import anatomy_of
    from medattn_lite.data.phantom.geometry import make_grid

    grid = make_grid((64, 64, 64), None)
    anatomy = anatomy_of(Subject(healthy(), seed).person, grid)
    litres = {name: (anatomy[name] * anatomy["brain"]).sum().item() * grid.voxel_ml / 1000 for name in
              ("fluid", "grey", "white")}  # fmt: skip
    assert 1.0 < sum(litres.values()) < 1.9
    assert 0.9 < litres["grey"] / litres["white"] < 2.2


def test_a_counterfactual_is_the_same_person_with_another_tumour() -> None:
    subject = Subject(glioma(grade="low", diameter_mm=36, site=(34, 10, 28)), 7)
    other = replace(subject, pathology=replace(subject.pathology, grade="high"))
    first, second = subject.render(shape=SHAPE), other.render(shape=SHAPE)
    assert subject.person == other.person
    left = slice(0, 11)  # far from a tumour of the right hemisphere
    assert torch.equal(first["image"][..., left], second["image"][..., left])
    assert not torch.equal(first["image"], second["image"])


def test_the_tumour_sits_where_it_is_put() -> None:
    site = (-30.0, -10.0, 34.0)
    subject = Subject(glioma(grade="high", diameter_mm=30, site=site), 3)
    sample = subject.render(shape=(64, 64, 64))
    index = sample["mask"][0].nonzero().double().mean(0).numpy()
    world = (sample["affine"] @ np.append(index, 1))[:3]
    assert np.linalg.norm(world - site) < 22  # the template's site in a head of another size
    assert world[0] < -10


def test_affine_maps_array_indices_to_ras() -> None:
    sample = Subject(healthy(), 0).render(shape=(20, 24, 22), spacing_mm=(9.0, 8.5, 8.0))
    step = sample["affine"] @ np.array([1, 0, 0, 0])
    assert np.allclose(step, [0, 0, 9.0, 0])
    assert np.allclose(sample["affine"] @ np.array([0, 1, 0, 0]), [0, 8.5, 0, 0])
    assert np.allclose(sample["affine"] @ np.array([0, 0, 1, 0]), [8.0, 0, 0, 0])


def test_the_same_seed_gives_the_same_voxels_and_another_seed_others() -> None:
    from medattn_lite.data.phantom.anatomy import forget

    first = Subject(glioma(), 5).render(shape=(24, 28, 24))
    forget()
    again = Subject(glioma(), 5).render(shape=(24, 28, 24))
    assert torch.equal(first["image"], again["image"]) and torch.equal(first["mask"], again["mask"])
    assert not torch.equal(first["image"], Subject(glioma(), 6).render(shape=(24, 28, 24))["image"])


def test_left_and_right_fold_differently() -> None:
    from medattn_lite.data.phantom.anatomy import anatomy_of
    from medattn_lite.data.phantom.geometry import make_grid

    maps = [anatomy_of(Subject(healthy(), seed).person, make_grid((64, 64, 64), None)) for seed in (1, 2)]
    shell = (maps[0]["depth"] > 3) & (maps[0]["depth"] < 12)

    def agreement(first: torch.Tensor, second: torch.Tensor) -> float:
        return torch.corrcoef(torch.stack([first[shell], second[shell]]))[0, 1].item()

    assert agreement(maps[0]["white"], maps[0]["white"].flip(-1)) < 0.75
    assert agreement(maps[0]["white"], maps[1]["white"]) < 0.75


def test_a_person_looks_the_same_on_coarse_and_fine_grids() -> None:
    coarse = Subject(glioma(diameter_mm=50), 9).render(shape=(32, 32, 32), spacing_mm=6.0, noise=0.0)
    fine = Subject(glioma(diameter_mm=50), 9).render(shape=(64, 64, 64), spacing_mm=3.0, noise=0.0)
    pooled = torch.nn.functional.avg_pool3d(normalise(fine["image"])[None], 2)[0]
    reference = normalise(coarse["image"])
    inside = coarse["image"][0] > 0
    agreement = torch.corrcoef(torch.stack([pooled[3][inside], reference[3][inside]]))[0, 1]
    assert agreement > 0.75


def test_a_slice_is_two_dimensional_and_goes_through_the_lesion() -> None:
    sample = Subject(glioma(diameter_mm=50), 2).render(shape=(96, 80))
    assert sample["image"].shape == (4, 96, 80) and sample["mask"].shape == (1, 96, 80)
    assert (sample["mask"] > 0).sum() > 20


def test_the_skull_surrounds_the_brain_when_asked_for() -> None:
    bare = Subject(healthy(), 1).render(shape=(40, 40, 40), spacing_mm=5.5)
    head = Subject(healthy(), 1).render(shape=(40, 40, 40), spacing_mm=5.5, skull=True)
    assert (head["image"][0] > 0).sum() > 1.15 * (bare["image"][0] > 0).sum()


def test_the_mark_is_planted_outside_the_head_and_reported() -> None:
    plain, marked = (Subject(healthy(), 1, shortcut=flag).render(shape=SHAPE) for flag in (False, True))
    assert "mark" not in plain
    assert marked["mark"].any()
    changed = (plain["image"] != marked["image"]).any(dim=0)
    assert (plain["image"][:, changed] == 0).all()


def test_a_large_high_grade_glioma_shifts_the_midline() -> None:
    from medattn_lite.data.phantom.geometry import make_grid

    grid = make_grid((48, 48, 48), None)
    lesions = Subject(glioma(diameter_mm=60, site=(30, 0, 30)), 3).lesions(grid)
    assert lesions.facts["shift_mm"] > 3
    before = Subject(healthy(), 3).lesions(grid).anatomy["side"]
    assert (lesions.anatomy["side"] - before).abs().max() > 3


@pytest.mark.parametrize(
    "make",
    [
        lambda: glioma(grade="middling"),
        lambda: glioma(diameter_mm=-1),
        lambda: glioma(necrosis=2),
        lambda: metastases(count=0),
        lambda: ms_lesions(load_ml=0),
        lambda: Subject("glioma"),
        lambda: Subject(healthy(), age_years=300),
        lambda: Subject(healthy()).render(shape=(8, 8, 0)),
        lambda: Subject(healthy()).render(shape=(8, 8, 8), spacing_mm=-1),
        lambda: Subject(healthy()).render(shape=(8, 8, 8), contrasts=("dwi",)),
    ],
)
def test_a_wrong_request_says_what_to_do(make) -> None:
    with pytest.raises(UserError, match="give|choose"):
        make()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_subject() -> None:
    here = Subject(glioma(), 3).render(shape=SHAPE)
    there = Subject(glioma(), 3).render(shape=SHAPE, device="cuda")
    assert there["image"].is_cuda
    agreement = (here["mask"] == there["mask"].cpu()).float().mean()
    assert agreement > 0.999
    assert torch.allclose(here["image"], there["image"].cpu(), rtol=0.02, atol=5.0) or (
        (here["image"] - there["image"].cpu()).abs().median() < 1.0
    )
