"""What notebook 08 shows of survival networks beside its own is what the files say."""

from __future__ import annotations

import json

from medattn_lite.course.survival_records import RECORDS, recorded_c_indices, trained_c_indices
from medattn_lite.networks.trained import trained_facts


def test_every_seed_of_the_trained_networks_stands_there_with_its_own_c_index():
    intervals = trained_c_indices()
    for name in ("survival_se_resnext", "survival_resnet_cbam"):
        facts = trained_facts(name)
        assert len(facts["scores_by_seed"]) >= 2
        for seed, scores in facts["scores_by_seed"].items():
            expected = scores["scores"]["C-index"]
            assert intervals[f"{facts['variant']}, seed {seed}"].value == expected["value"]
            assert expected["units"] == len(facts["subjects"]["test"])


def test_the_weights_that_ship_rank_patients_better_than_a_coin_and_so_does_the_control_beside_them():
    intervals = trained_c_indices()
    for name in ("survival_se_resnext", "survival_resnet_cbam"):
        facts = trained_facts(name)
        assert facts["scores"]["C-index"]["low"] > 0.5, "learned nothing that can be told from luck"
        assert facts["other_variants"]["outline"]["C-index"]["low"] > 0.5
    assert intervals["outline"].value == facts["other_variants"]["outline"]["C-index"]["value"]


def test_records_are_those_of_the_laptop_runs(tmp_path):
    intervals = recorded_c_indices()
    assert list(intervals) == [f"run {path.stem}" for path in sorted(RECORDS.glob("survival-*-laptop*.json"))] != []
    for label, variants in intervals.items():
        record = json.loads((RECORDS / f"{label.removeprefix('run ')}.json").read_text(encoding="utf-8"))["variants"]
        assert {name: interval.value for name, interval in variants.items()} == {
            name: variant["pooled"]["C-index"]["value"] for name, variant in record.items()}  # fmt: skip
    assert recorded_c_indices(tmp_path) == {}
