"""The networks that come trained: small, readable without pickle, honest about how they were made."""

from __future__ import annotations

import math

import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.phantom_cases import cohort_of
from medattn_lite.networks.trained import FOLDER, load_trained, trained_facts, trained_names

MEGABYTE = 2**20


def test_all_of_them_together_stay_small():
    sizes = {path.stem: path.stat().st_size for path in FOLDER.glob("*.safetensors")}
    assert set(sizes) == set(trained_names()) and len(sizes) >= 5
    assert max(sizes.values()) <= 4 * MEGABYTE and sum(sizes.values()) <= 20 * MEGABYTE


@pytest.mark.parametrize("name", trained_names())
def test_each_says_how_it_was_made_and_what_it_scores_on_subjects_it_never_saw(name):
    facts = trained_facts(name)
    assert facts["data"] == "phantom" and facts["command"].startswith("medattn train ")
    sides = [set(facts["subjects"][side]) for side in ("train", "valid", "test")]
    assert sides[0] and sides[2] and not (sides[0] & sides[2] or sides[1] & sides[2] or sides[0] & sides[1])
    assert facts["scores"]
    for score in facts["scores"].values():
        if score["value"] is not None and math.isfinite(score["value"]):
            assert score["low"] is None or score["low"] <= score["value"] <= score["high"]
            assert score["units"] <= len(sides[2])


@pytest.mark.parametrize("name", trained_names())
def test_its_subjects_are_of_the_phantoms_that_its_facts_name(name):
    names, facts = set(cohort_of(load_trained(name)).subjects), trained_facts(name)
    assert all(set(facts["subjects"][side]) <= names for side in ("train", "valid", "test"))


@pytest.mark.parametrize("name", trained_names())
def test_each_loads_and_answers_an_image_of_its_size(name):
    trained = load_trained(name)
    image = torch.randn(1, len(trained.channels), *trained.size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = trained.network(image)
    assert not trained.network.training and output.shape[:2] == (1, len(trained.classes))
    assert torch.isfinite(output).all() and sum(p.numel() for p in trained.network.parameters()) == trained.facts[
        "parameters"]  # fmt: skip


def test_two_loads_share_no_weights():
    name = trained_names()[0]
    first, second = load_trained(name).network, load_trained(name).network
    with torch.no_grad():
        next(first.parameters()).zero_()
    assert next(second.parameters()).abs().sum() > 0


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UserError, match=f"use one of .*{trained_names()[0]}"):
        load_trained("nothing")
