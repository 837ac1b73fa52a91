"""The same person with another tumour: what is asked for moves, everything else stays."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from medattn_lite.data.phantom.survival import draw_survival, true_survival
from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.comparison import Browser, compare
from medattn_lite.explain.faithfulness.counterfactual import SITES, Laboratory, Tumour
from medattn_lite.networks.registry import build
from medattn_lite.networks.trained import Trained
from medattn_lite.training.recipes import find_recipe
from medattn_lite.training.recipes.recipe import as_json
from medattn_lite.training.tasks import open_task


def untrained(variant: str, recipe: str = "mechanisms") -> Trained:
    """A network of a smoke recipe with fresh weights, and the facts that a trained one brings."""
    recipe_of_network = find_recipe(recipe)
    settings, chosen = recipe_of_network.at("smoke"), recipe_of_network.variant(variant)
    size = settings.network.get(chosen.network, {})
    torch.manual_seed(0)
    options = {"in_channels": 4, "num_classes": 2, **size}
    facts = {"recipe": recipe, "variant": variant, "network": chosen.network, "seed": 0, "parameters": 1,
             "data": "phantom",
             "channels": ["t1", "t1ce", "t2", "flair"], "classes": ["low grade", "high grade"],
             "settings": as_json(settings),
             "subjects": {"test": [f"phantom-grade-0-{k:04d}" for k in range(10)]}}  # fmt: skip
    return Trained(variant, build(chosen.network, **options).eval(), facts)


@pytest.fixture(scope="module")
def laboratory():
    return Laboratory(networks={name: untrained(name) for name in ("P3D + IAM", "ResNet-50-CBAM")})


def test_a_trait_changes_the_tumour_and_leaves_the_person(laboratory):
    small, large = (laboratory.look(Tumour(diameter_mm=size), method=None) for size in (24.0, 60.0))
    assert large.volume_ml > 4 * small.volume_ml
    far = torch.zeros_like(small.mask, dtype=torch.bool)
    far[:, : far.shape[1] // 3, 2 * far.shape[2] // 3 :] = True  # right and behind; the tumour is left and in front
    head = (small.image != small.image[:, :1, :1, :1]).any(0)
    one, other = (scan.image[:, far & head] for scan in (small, large))
    assert torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1] > 0.9


@pytest.mark.parametrize("site", SITES)
def test_every_site_lies_where_its_name_says(laboratory, site):
    seen = laboratory.look(Tumour(site=site, diameter_mm=36.0), method=None)
    centre = torch.nonzero(seen.mask > 0).double().mean(0)
    x, y, _ = (torch.as_tensor(seen.affine)[:3] @ torch.cat([centre, torch.ones(1, dtype=torch.float64)])).tolist()
    assert (x > 0) == site.startswith("right")
    assert y > 5 if "frontal" in site else y < 5


def test_no_tumour_is_a_healthy_head_without_a_curve(laboratory):
    seen = laboratory.look(Tumour(diameter_mm=0.0))
    assert not seen.mask.any() and seen.survival is None and seen.volume_ml == 0
    assert set(seen.probabilities) == set(laboratory.networks)


def test_age_and_resection_move_the_curve_and_not_the_picture(laboratory):
    young, old = (laboratory.look(dataclasses.replace(Tumour(), age_years=age), method=None) for age in (30.0, 80.0))
    assert torch.equal(young.image, old.image) and young.probabilities == old.probabilities
    assert all(a >= b for a, b in zip(young.survival[1], old.survival[1], strict=True))
    assert young.survival[1][10] > old.survival[1][10]


def test_the_mark_is_planted_and_seen(laboratory):
    plain, marked = (laboratory.look(Tumour(mark=mark), method=None) for mark in (False, True))
    background = (plain.image == plain.image[:, :1, :1, :1]).all(0)
    assert (marked.image != marked.image[:, :1, :1, :1]).any(0)[background].any()


def test_the_map_is_of_the_chosen_network_and_its_share_inside_is_a_share(laboratory):
    seen = laboratory.look(Tumour(), network="ResNet-50-CBAM", method="attention")
    assert seen.explanation.values[0].shape == seen.mask.shape and 0 <= seen.inside <= 1


def test_what_does_not_exist_is_said(laboratory):
    for tumour, words in ((Tumour(site="nose"), "unknown site"), (Tumour(resection="some"), "unknown resection")):
        with pytest.raises(UserError, match=words):
            laboratory.look(tumour)
    with pytest.raises(UserError, match="no network is called"):
        laboratory.look(Tumour(), network="VGG")
    with pytest.raises(UserError, match="at least one trained network"):
        Laboratory(networks={})


def test_the_true_curve_is_the_one_that_times_are_drawn_from():
    days = [draw_survival(seed, 0.7) for seed in range(1500)]
    for until in (100, 140):  # nobody is censored before day 150
        alive = sum(time > until for time, _ in days) / len(days)
        assert alive == pytest.approx(true_survival([until], 0.7)[0], abs=0.04)


def test_the_browser_shows_the_trained_network_and_its_reinitialised_copy_on_the_same_question(laboratory):
    from medattn_lite.explain.faithfulness.phantom_cases import held_out

    trained = laboratory.networks["ResNet-50-CBAM"]
    browser = Browser({"CBAM": trained}, list(held_out(trained, limit=2)))
    known, blank = (browser.answer(0, "CBAM", "Grad-CAM", reinitialised=fresh) for fresh in (False, True))
    assert known.values.shape == blank.values.shape == browser.cases[0].signal.shape
    assert known.score != blank.score and -1 <= browser.rank_correlation(0, known, blank) <= 1
    assert browser.answer(0, "CBAM", "Grad-CAM", reinitialised=False) is known, "results are remembered"
    low = browser.answer(0, "CBAM", "Grad-CAM", index=0)
    assert low.score != known.score


def test_mechanisms_are_compared_on_one_person_with_their_costs(laboratory):
    subject = laboratory.subject(Tumour())
    compared = compare(laboratory.networks, subject, method="Grad-CAM")
    assert [one.answer.name for one in compared] == list(laboratory.networks)
    assert all(one.multiplications > 0 and one.seconds > 0 and one.case.signal.any() for one in compared)
    assert compared[0].mechanism == "inter-slice attention" and compared[1].mechanism == "CBAM"


def test_a_network_without_places_to_attend_to_says_so(laboratory):
    compared = compare({"SE": untrained("SE-ResNeXt-50")}, laboratory.subject(Tumour()), method="attention")
    assert compared[0].answer.values is None and "no attention" in compared[0].answer.note


def test_the_laboratory_renders_as_the_recipe_does(laboratory):
    task = open_task(find_recipe("mechanisms"), find_recipe("mechanisms").at("smoke"), progress=False)
    cohort = laboratory.cohort
    from medattn_lite.data.transforms import normalise

    assert torch.equal(normalise(cohort.render(cohort.subject(4))["image"]).half(), task.images[4])
