"""What survival's batches hold, what it learns from training rows alone, and how its scores behave."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from medattn_lite.data.patient_splits import Split
from medattn_lite.data.readers.registry import open_dataset
from medattn_lite.errors import UserError
from medattn_lite.survival.concordance import harrell_c
from medattn_lite.survival.controls import deal_outcomes, outline_values
from medattn_lite.survival.predicted_curves import Baseline
from medattn_lite.survival.prediction_scores import risk_group_report, survival_differences, survival_scores
from medattn_lite.survival.time_intervals import interval_labels
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import with_changes
from medattn_lite.training.tasks import open_task
from medattn_lite.training.tasks.clinical import ClinicalCox, clinical_table, clinical_values, standardised
from medattn_lite.training.tasks.pooling import pooled
from medattn_lite.training.tasks.volumes import resample_unknown

RECIPE = find_recipe("survival")
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def task():
    return open_task(RECIPE, RECIPE.at("smoke"), progress=False)


def generators(count, seed=0):
    return [torch.Generator().manual_seed(seed + place) for place in range(count)]


def for_variant(task, name, **options):
    variant = RECIPE.variant(name)
    settings = with_changes(task.settings, {"options": {**options, **dict(variant.settings.get("options", {}))}})
    return variant, task.for_variant(variant, settings, task.splits()[0])


def predictions(count=60, seed=0, folds=1, noise=0.0):
    """Patients whose predicted curve is their true one, but for noise in the risk."""
    rng = np.random.default_rng(seed)
    log_risk = rng.normal(size=count)
    days = [100.0, 200.0, 365.0, 600.0, 900.0]
    death = rng.exponential(600 * np.exp(-log_risk))
    end = rng.uniform(300, 1500, count)
    seen = log_risk + noise * rng.normal(size=count)
    return [
        {"subject": f"p{k}", "time": float(min(death[k], end[k])), "event": bool(death[k] <= end[k]),
         "risk": float(np.exp(seen[k])), "days": days, "survival": np.exp(-np.exp(seen[k]) * np.array(days) / 600),
         "group": int(seen[k] > 0), "fold": k % folds}
        for k in range(count)
    ]  # fmt: skip


def test_a_crop_is_a_window_of_the_image_and_noise_comes_three_times_in_ten(task):
    image = task.images[0].float()
    noisy = 0
    for seed in range(40):
        crop = task.batch([0], generators(1, seed))["image"][0]
        assert crop.shape == (4, 29, 29, 29)
        windows = [image[:, d : d + 29, h : h + 29, w : w + 29] for d in range(4) for h in range(4) for w in range(4)]
        nearest = min(float((crop - window).abs().mean()) for window in windows)
        assert nearest < 0.1
        noisy += nearest > 0
    assert 4 <= noisy <= 20  # of 40; 12 expected


def test_a_batch_is_a_function_of_its_generators(task):
    first, second = (task.batch([3, 4], generators(2, 5))["image"] for _ in range(2))
    assert torch.equal(first, second) and not torch.equal(first, task.batch([3, 4], generators(2, 6))["image"])


def test_an_image_of_unknown_voxel_size_is_taken_to_cover_the_field():
    sample = {"image": torch.rand(2, 10, 64, 64), "meta": {"voxel_size_mm": None}}
    resampled = resample_unknown(sample, (150.0, 240.0, 240.0), 5.0)
    assert resampled["image"].shape[1] in (28, 29, 30) and resampled["image"].shape[2] == resampled["image"].shape[3]
    assert resampled["image"].shape[2] in (47, 48, 49)
    known = {"image": sample["image"], "meta": {"voxel_size_mm": (1.0, 1.0, 1.0)}}
    assert resample_unknown(known, (150.0, 240.0, 240.0), 5.0) is known


def test_no_training_row_tells_a_test_patient_s_values(task):
    """Changing the test patients' clinical values or images changes nothing that training sees."""
    variant, variant_task = for_variant(task, "SE-ResNeXt-50 + clinical", intensity="histogram")
    split = task.splits()[0]
    train, test = task.rows(split, "train"), task.rows(split, "test")
    changed = open_task(RECIPE, task.settings, progress=False)
    changed.clinical_values[test] += 100
    for row in test:
        changed.percentiles[row] = changed.percentiles[row] * 7
    other = changed.for_variant(variant, variant_task.settings, split)
    assert torch.equal(variant_task.clinical[train], other.clinical[train])
    assert all(torch.equal(variant_task.images[row], other.images[row]) for row in train)
    assert not torch.equal(variant_task.clinical[test], other.clinical[test])


def test_clinical_values_are_standardised_on_training_rows_and_missing_ones_are_their_mean():
    values = np.array([[1.0, 5.0], [3.0, np.nan], [np.nan, 9.0], [100.0, 5.0]])
    scaled = standardised(values, np.array([0, 1, 2]))
    assert scaled[:, 0].tolist() == pytest.approx([-1, 1, 0, 98])
    assert scaled[:, 1].tolist() == pytest.approx([-1, 0, 1, -1])


def test_clinical_values_are_read_from_every_source():
    phantom = clinical_values({"age_years": 50, "resection": "biopsy", "grade": "HGG"})
    lgg = clinical_values({"age": 40, "grade": "G3", "idh": "mutant (maf)"})
    brats = clinical_values({"age": 61.5, "grade": "HGG", "resection": "NA"})
    assert (phantom["biopsy only"], phantom["gross total resection"]) == (1, 0) and math.isnan(phantom["IDH mutation"])
    assert (lgg["age"], lgg["high grade"], lgg["IDH mutation"]) == (40, 1, 1) and math.isnan(lgg["biopsy only"])
    assert math.isnan(brats["gross total resection"]) and math.isnan(clinical_values({"idh": "?"})["IDH mutation"])
    assert clinical_values({"idh": "WT"})["IDH mutation"] == 0
    names, values = clinical_table([phantom, {**phantom, "age": 70.0}])
    assert names == ("age",) and values.tolist() == [[50.0], [70.0]]


@pytest.mark.parametrize("name", ["SE-ResNeXt-50", "SE-ResNeXt-50 official head", "SE-ResNeXt-50 Cox"])
def test_a_batch_without_a_death_gives_finite_gradients(task, name):
    variant, variant_task = for_variant(task, name)
    torch.manual_seed(0)
    model = variant_task.build(variant, {})
    rows = [row for row, died in enumerate(variant_task.strata) if not died][:3]
    batch = variant_task.batch(rows * 2, generators(6)[: 2 * len(rows)])
    loss = variant_task.loss(variant_task.forward(model, batch), batch)
    loss.backward()
    assert math.isfinite(loss.item())
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert (loss.item() == 0) == (variant_task.head == "cox")


@pytest.mark.parametrize("name, head", [("SE-ResNeXt-50", "logistic"), ("SE-ResNeXt-50 official head", "official")])
def test_a_network_may_start_at_the_training_patients_hazards(task, name, head):
    variant, variant_task = for_variant(task, name)
    model = variant_task.build(variant, {})
    hazards = model.hazards(model.fc.bias.detach()[None])[0]
    highest = 1.0 if head == "logistic" else 1 - math.exp(-1)
    assert torch.allclose(hazards, variant_task.prior.clamp(max=highest), atol=0.002)
    train = task.rows(task.splits()[0], "train")
    deaths, reached = task.died[train].sum(dim=0), (task.died + task.survived)[train].sum(dim=0)
    busy = reached >= 3
    assert (
        torch.allclose(variant_task.prior[busy], (deaths / reached)[busy], atol=0.25) and (variant_task.prior > 0).all()
    )


def test_cox_s_loss_is_a_mean_over_rows(task):
    """Twice the patients of whom half cannot be compared weigh half."""
    _, variant_task = for_variant(task, "SE-ResNeXt-50 Cox")
    batch = {"time": torch.tensor([10.0, 20.0, 1.0, 1.0]), "event": torch.tensor([True, False, False, False])}
    output = torch.tensor([[1.0], [0.0], [5.0], [5.0]])
    expected = math.log(1 + math.exp(-1))
    assert variant_task.loss(output[:2], {k: v[:2] for k, v in batch.items()}).item() == pytest.approx(expected / 2)
    assert variant_task.loss(output, batch).item() == pytest.approx(expected / 4)


@pytest.mark.parametrize("tied", [False, True])
def test_breslow_s_curves_are_scikit_survival_s(tied):
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 2))
    time, event = rng.permutation(50) + 1.0, rng.random(50) < 0.6
    time = np.ceil(time / 7) * 7 if tied else time
    fitted = CoxPHSurvivalAnalysis(ties="breslow").fit(values, Surv.from_arrays(event, time))
    days = [7.0, 20.0, 40.0]
    baseline = Baseline(fitted.predict(values), time, event, days)
    for row, curve in zip(values[:5], fitted.predict_survival_function(values[:5]), strict=True):
        ours = np.exp(-baseline.at(float(fitted.predict(row[None])[0])))
        assert ours == pytest.approx(curve(days), rel=1e-9)


def test_the_model_without_images_finds_what_decides_and_needs_deaths():
    rng = np.random.default_rng(1)
    values = torch.from_numpy(rng.normal(size=(200, 2))).float()
    time = rng.exponential(np.exp(-values[:, 0].numpy()))
    model = ClinicalCox(2)
    model.fit(values, time, np.ones(200, dtype=bool))
    assert model.weight[0] == pytest.approx(1, abs=0.25) and abs(float(model.weight[1])) < 0.25
    model = ClinicalCox(2)
    model.fit(values, time, np.zeros(200, dtype=bool))
    assert model.weight.tolist() == [0, 0]


def test_an_image_s_risk_becomes_one_more_value_of_cox_s_model(task):
    """A network that gives everybody the true risk is found to decide; the clinical values stand beside it."""
    variant, variant_task = for_variant(task, "SE-ResNeXt-50 risk + clinical")

    class Oracle(torch.nn.Module):
        head = "cox"

        def forward(self, image):
            row = next(k for k, known in enumerate(variant_task.images) if torch.equal(known.float(), image[0]))
            return torch.tensor([[variant_task.facts[row]["oracle_risk"]]])

    model = variant_task.build(variant, {"image": Oracle()})
    rows = list(range(len(variant_task.subjects)))
    variant_task.fit_without_gradients(
        model, rows, lambda rows: [variant_task.predict(model, row, CPU) for row in rows]
    )
    predictions = [variant_task.predict(model, row, CPU) for row in rows]
    assert len(model.weight) == len(variant_task.clinical_names) + 1 and model.weight[-1] > 0
    oracle = variant_task.about()["best_possible_c_index"]["all"]["value"]
    assert variant_task.score(predictions, draws=0)["C-index"].value >= oracle - 0.1
    assert variant_task.image_scale[0] == pytest.approx(
        np.mean([facts["oracle_risk"] for facts in variant_task.facts]), abs=1e-4
    )


def test_the_true_curve_scores_better_than_everybody_s_and_than_a_noisy_one():
    true, noisy = predictions(200), predictions(200, noise=2.0)
    scores = survival_scores(true, draws=20)
    assert scores["C-index"].value > 0.7 and scores["Brier at one year"].value < 0.2
    difference = survival_differences(true, noisy, draws=200)
    assert difference["C-index"].low > 0 and difference["Brier at one year"].high < 0
    report = risk_group_report(true)
    assert report["low risk"]["median_days"] > report["high risk"]["median_days"] and report["log_rank_p"] < 1e-4


def test_within_folds_a_network_s_own_scale_does_not_count():
    rows = predictions(120, folds=3)
    scaled = [{**row, "risk": row["risk"] * 10 ** row["fold"]} for row in rows]
    before, after = survival_scores(rows, draws=0), survival_scores(scaled, draws=0)
    assert after["C-index"].value < before["C-index"].value - 0.05
    assert after["C-index within folds"].value == pytest.approx(before["C-index within folds"].value)
    event, time, risk = (np.array([row[key] for row in rows]) for key in ("event", "time", "risk"))
    assert before["C-index"].value == pytest.approx(harrell_c(event, time, risk))


def test_what_a_small_fold_does_not_define_is_nan_and_no_exception():
    rows = [{**row, "event": False} for row in predictions(4)]
    assert all(math.isnan(score.value) for score in survival_scores(rows, draws=5).values())
    assert math.isnan(survival_differences(rows, rows, draws=5)["C-index"].value)
    assert math.isnan(risk_group_report(rows)["log_rank_p"])
    one = survival_scores(predictions(1), draws=0)
    assert math.isnan(one["C-index"].value)


def test_a_network_reads_clinical_values_by_its_own_variant_or_by_the_run_whoever_needs_it(task):
    """A variant with clinical values that builds on a network without them leaves it as it is."""
    needed = RECIPE.variant("SE-ResNeXt-50")
    _, asks = for_variant(task, "SE-ResNeXt-50 risk + clinical")
    assert asks.build(needed, {}).clinical_features == 0
    everyone = copy.copy(task)
    everyone.run_options = {**task.run_options, "clinical": True}
    count = len(task.clinical_names)
    for name in ("SE-ResNeXt-50", "SE-ResNeXt-50 official head", "SE-ResNeXt-50 Cox"):
        variant, variant_task = for_variant(everyone, name)
        model = variant_task.build(variant, {}).eval()
        assert model.clinical_features == count and variant_task.clinical.shape == (12, count)
        with torch.no_grad():
            assert len(variant_task.predict(model, 0, CPU)["survival"]) == len(variant_task.days)
    assert for_variant(everyone, "outline")[1].clinical.shape == (12, 2 + count)


def test_other_patients_are_not_compared():
    with pytest.raises(UserError, match="other patients"):
        survival_differences(predictions(10), predictions(10)[::-1])


def test_a_network_that_knows_the_truth_scores_near_the_oracle(task):
    """Predictions made from the phantom's own risk reach the C-index that the record calls the best possible."""
    _, variant_task = for_variant(task, "clinical")
    truth = [{"subject": variant_task.subjects[k], "time": variant_task.time[k], "event": bool(variant_task.event[k]),
              "risk": math.exp(facts["oracle_risk"]), "days": variant_task.days,
              "survival": [0.5] * len(variant_task.days), "group": 0}
             for k, facts in enumerate(variant_task.facts)]  # fmt: skip
    assert (
        variant_task.score(truth, draws=0)["C-index"].value
        == variant_task.about()["best_possible_c_index"]["all"]["value"]
    )


def test_groups_are_cut_at_the_training_median(task):
    variant, variant_task = for_variant(task, "clinical")
    split = task.splits()[0]
    train = variant_task.rows(split, "train")
    model = variant_task.build(variant, {})
    variant_task.fit_without_gradients(
        model, train, lambda rows: [variant_task.predict(model, row, CPU) for row in rows]
    )
    groups = [variant_task.predict(model, row, CPU)["group"] for row in train]
    assert abs(sum(groups) - len(train) / 2) <= 1


def test_one_year_survival_cuts_follow_up_after_a_year(task):
    settings = with_changes(task.settings, {"options": {"end_point": "one-year"}})
    one_year = open_task(RECIPE, settings, progress=False)
    assert one_year.time.max() <= 366 and one_year.event.sum() == (task.event & (task.time <= 365)).sum()
    assert one_year.survived[:, 6:].sum() == one_year.died[:, 6:].sum() == 0
    with pytest.raises(UserError, match="unknown end_point"):
        open_task(RECIPE, with_changes(task.settings, {"options": {"end_point": "ten-year"}}), progress=False)


def test_a_split_keeps_deaths_on_both_sides(task):
    for split in task.splits():
        assert isinstance(split, Split)
        for side in ("train", "test"):
            assert len({task.strata[row] for row in task.rows(split, side)}) == 2


def test_the_outline_says_volume_and_the_dead_share_of_a_core_that_enhances():
    mask = torch.zeros(1, 6, 10, 10)
    mask[0, 0], mask[0, 1], mask[0, 2] = 1, 4, 2
    facts = {"voxel_size_mm": (10.0, 10.0, 10.0)}  # 1 mL a voxel
    assert outline_values({"mask": mask, "meta": facts}) == pytest.approx((math.log(301), 0.5))
    low_grade = torch.where(mask == 4, 2.0, mask)  # a core that does not enhance is alive
    assert outline_values({"mask": low_grade, "meta": facts}) == pytest.approx((math.log(301), 0.0))
    assert all(math.isnan(value) for value in outline_values({"meta": facts}))


def test_the_outline_ranks_phantoms_and_a_network_s_variant_does_not_read_it(task):
    many = open_dataset("phantom", n=60, task="survival", shape=(24, 28, 24), spacing_mm=7.0, seed=3)
    samples = [many[index] for index in range(60)]
    values = np.array([outline_values(sample) for sample in samples])
    event, time = np.array([s["event"] for s in samples], dtype=bool), np.array([s["time"] for s in samples])
    model = ClinicalCox(2)
    model.fit(standardised(values, np.arange(60)), time, event)
    with torch.no_grad():
        risk = model(standardised(values, np.arange(60)))[:, 0].numpy()
    assert harrell_c(event, time, risk) > 0.58
    assert (model.weight > 0).all()  # a larger tumour and a deader one kill sooner
    assert for_variant(task, "SE-ResNeXt-50")[1].clinical is None
    assert for_variant(task, "outline")[1].clinical.shape == (12, 2)


def test_shuffled_outcomes_are_dealt_among_training_patients_and_the_test_keeps_its_own(task):
    _, variant_task = for_variant(task, "SE-ResNeXt-50 shuffled outcomes")
    split = task.splits()[0]
    train, test = variant_task.rows(split, "train"), variant_task.rows(split, "test")
    assert (
        sorted(variant_task.time[train]) == sorted(task.time[train])
        and variant_task.time[train].tolist() != task.time[train].tolist()
    )
    assert variant_task.time[test].tolist() == task.time[test].tolist()
    assert variant_task.batch(list(train), generators(len(train)))["time"].tolist() == pytest.approx(
        variant_task.time[train].tolist()
    )
    taught, _ = interval_labels(
        torch.from_numpy(variant_task.time), torch.from_numpy(variant_task.event), variant_task.breaks
    )
    assert torch.equal(variant_task.survived, taught)
    assert for_variant(task, "SE-ResNeXt-50")[1].time is task.time


def test_outcomes_are_dealt_within_a_side_and_anew_for_each_seed():
    sides = [np.arange(0, 20), np.arange(20, 30)]
    whose = [deal_outcomes(sides, count=40, seed=(0, start)) for start in range(2)]
    for order in whose:
        assert sorted(order[:20]) == list(range(20)) and sorted(order[20:30]) == list(range(20, 30))
        assert order[30:].tolist() == list(range(30, 40))
    assert whose[0].tolist() != whose[1].tolist()
    assert whose[0].tolist() == deal_outcomes(sides, count=40, seed=(0, 0)).tolist()


def test_half_of_the_crops_are_mirrored_where_the_recipe_says_so(task):
    changes = {"size": (32, 32, 32), "options": {"mirror": True, "noise_probability": 0.0}}
    settings = with_changes(task.settings, changes)
    variant_task = task.for_variant(RECIPE.variant("SE-ResNeXt-50"), settings, task.splits()[0])
    image, mirrored = variant_task.images[0].float(), 0
    for seed in range(40):
        crop = variant_task.batch([0], generators(1, seed))["image"][0]
        assert torch.equal(crop, image) or torch.equal(crop, image.flip(-1))
        mirrored += not torch.equal(crop, image)
    assert 10 <= mirrored <= 30


def test_patients_of_their_own_choose_the_state_where_the_recipe_says_so(task):
    assert not task.validates and task.splits()[0].valid == ()
    variant_task = task.for_variant(
        RECIPE.variant("SE-ResNeXt-50"),
        with_changes(task.settings, {"folds": 4, "options": {"keep_best": True}}),
        task.splits()[0],
    )
    split = variant_task.splits()[0]
    assert variant_task.validates and split.valid and not set(split.valid) & {*split.train, *split.test}


@pytest.mark.parametrize("name", ["SE-ResNeXt-50", "SE-ResNeXt-50 Cox"])
def test_the_outline_is_taught_beside_survival_and_not_needed_to_predict(task, name):
    settings = with_changes(task.settings, {"options": {"outline_weight": 0.5}})
    variant = RECIPE.variant(name)
    variant_task = task.for_variant(variant, settings, task.splits()[0])
    model, plain = variant_task.build(variant, {}), for_variant(task, name)[1]
    batch = variant_task.batch([0, 1, 2, 3], generators(4))
    output = variant_task.forward(model, batch)
    intervals = output.shape[1] - 2
    far = (output[:, intervals:] - variant_task.outlines[:4]).square().mean()
    expected = plain.loss(output[:, :intervals], batch) + 0.5 * far
    assert variant_task.loss(output, batch).item() == pytest.approx(expected.item(), rel=1e-6)
    with torch.no_grad():
        assert len(variant_task.predict(model.eval(), 0, CPU)["survival"]) == len(variant_task.days)
    assert plain.build(variant, {}).auxiliary is None


def test_a_pooled_head_is_the_mean_over_blocks_and_lies_where_the_whole_one_lay():
    image = torch.arange(64.0).reshape(1, 4, 4, 4)
    affine = np.array([[0, 0, 2.0, 5], [0, 3.0, 0, -4], [4.0, 0, 0, 1], [0, 0, 0, 1]])
    sample = {"image": image, "mask": (image > 62).byte(), "affine": affine, "meta": {"spacing_mm": (4.0, 3.0, 2.0)}}
    coarse = pooled(sample, 2)
    assert coarse["image"][0, 0, 0, 0] == image[0, :2, :2, :2].mean() and coarse["image"].shape == (1, 2, 2, 2)
    assert coarse["mask"].flatten().tolist() == [0] * 7 + [1] and coarse["mask"].dtype == torch.uint8
    assert coarse["meta"]["spacing_mm"] == (8.0, 6.0, 4.0)
    corners = np.array([[0.5, 0.5, 0.5, 1], [2.5, 0.5, 2.5, 1]])  # middles of two blocks, in old voxels
    assert np.allclose(coarse["affine"] @ [0, 0, 0, 1], affine @ corners[0])
    assert np.allclose(coarse["affine"] @ [1, 0, 1, 1], affine @ corners[1])
    assert pooled(sample, 1) is sample
