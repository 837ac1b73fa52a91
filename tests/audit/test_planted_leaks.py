"""A leak of each kind is caught, by the factor or the group that it belongs to; without one there is no alarm.

Seeds are 0, 1, 2, … in order; none was chosen by its result. Holm's correction promises at most one audit in twenty
with any false alarm. Of six audits without a leak two or more with an alarm would happen in 3 % of all cases.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.audit import LEAKS, PlantedLeak, audit_dataset, measure, target
from medattn_lite.audit.regions import regions_of
from medattn_lite.errors import UserError
from medattn_lite.evaluation.metrics import auc
from tests.audit.toys import toy, toys

# kind → group of statistics asked, and the words in the name of what must be caught
CAUGHT = {
    "blur": ("sharpness", "sharpness"),
    "noise": ("sharpness", "sharpness"),
    "intensity": ("normalised", "normalised intensities"),
    "mark": ("background", "background"),
    "volume": ("", "lesion volume"),
    "slices": ("", "slice count"),
    "site": ("", "hospital"),
    "copied channel": ("", "copied channels"),
}
FINE = {"sharpness": ("roughness at 1", "mean roughness at 1", "noise", "noise, as it is")}
# kind → statistics in which the trace shows, in every channel and this direction; and a group that it leaves alone
TRACES = {
    "blur": (FINE, "lower", "background"),
    "noise": (FINE, "higher", "background"),
    "intensity": ({"outside": ("sd",), "normalised": ("sd",), "border": ("sd",)}, "higher", "background"),
    "mark": ({"background": ("mean", "sd", "highest", "share above a tenth")}, "higher", "sharpness"),
}


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "DRAWS", 200)  # of the intervals; no verdict depends on them


def audit_of(dataset, group: str = "", repeats: int = 16):
    return audit_dataset(dataset, label="grade", groups=(group,) if group else (), repeats=repeats, progress=False)


def test_every_kind_of_leak_has_a_test() -> None:
    assert set(CAUGHT) == set(LEAKS)


@pytest.mark.parametrize("kind", CAUGHT)
def test_a_planted_leak_is_caught_and_a_random_one_is_not(kind: str) -> None:
    group, words = CAUGHT[kind]
    audit = audit_of(PlantedLeak(toys(), kind), group)
    caught = [finding for finding in audit.leaks if words in finding.name]
    assert caught, audit
    assert all(finding.low > 0.5 and finding.p_holm < 0.05 for finding in caught)
    assert f"{caught[0].name}: tells grade better than chance: AUC 0." in str(audit) or "AUC 1.00" in str(audit)
    at_random = audit_of(PlantedLeak(toys(), kind, share=0.5), group)  # the same trace, not dealt by class
    assert not [finding for finding in at_random.leaks if words in finding.name], at_random


@pytest.mark.parametrize("kind", TRACES)
def test_a_planted_trace_shows_in_its_own_statistics_and_in_no_group_that_it_does_not_touch(kind: str) -> None:
    traces, direction, untouched = TRACES[kind]
    samples = toys()
    planted, plain, at_random = (measure(cohort, label="g", progress=False).rows for cohort in (
        PlantedLeak(samples, kind), samples, PlantedLeak(samples, kind, share=0.5)))
    for group, names in traces.items():
        for name in (f"{channel}: {name}" for channel in ("t1", "flair") for name in names):
            values, by_chance = ([row.statistics[group][name] for row in rows] for rows in (planted, at_random))
            labels = [row.label for row in planted]
            assert auc(labels, values if direction == "higher" else np.negative(values)) > 0.9, name
            assert 0.2 < auc(labels, by_chance) < 0.8, name
    for one, other in zip(planted, plain, strict=True):
        assert one.statistics[untouched].keys() == other.statistics[untouched].keys()
        for name, value in one.statistics[untouched].items():
            assert value == pytest.approx(other.statistics[untouched][name], abs=0.02), name


def test_the_planted_mark_does_not_depend_on_the_lesion() -> None:
    faint, bright = (toy(1, 1, lesion=lesion) for lesion in (0.5, 6.0))
    marks = [PlantedLeak([sample], "mark")[0]["image"] - sample["image"] for sample in (faint, bright)]
    assert marks[0].any() and torch.equal(*marks)


def test_tissue_scaled_by_class_is_caught_in_raw_intensities() -> None:
    samples = toys()
    for sample in samples:
        far = torch.from_numpy(~regions_of(sample).lesion)
        sample["image"] = torch.where(far & (sample["label"] > 0), sample["image"] * 1.5, sample["image"])
    assert [finding for finding in audit_of(samples, "outside").leaks if "raw intensities" in finding.name]


def test_a_z_score_that_took_a_bright_lesion_in_is_caught_in_tissue_that_no_lesion_touches() -> None:
    samples = [toy(at, at % 2, lesion=1.0 + 4.0 * (at % 2)) for at in range(48)]
    for sample in samples:
        head = regions_of(sample).head
        sample["image"] = torch.stack([(channel - channel[head].mean()) / channel[head].std()
                                       for channel in sample["image"]]) * torch.from_numpy(head)
    assert [finding for finding in audit_of(samples, "outside").leaks if "raw intensities" in finding.name]


def test_without_a_leak_the_verdicts_are_not_better_than_chance() -> None:
    alarms = [audit_of(toys(40, seed=seed), "sharpness" if seed % 2 else "normalised", 6).leaks
              for seed in range(6)]
    assert sum(bool(leaks) for leaks in alarms) <= 1, alarms


def test_a_planted_leak_changes_its_own_class_alone_and_never_the_lesion() -> None:
    samples = toys(6)
    for kind in ("blur", "noise", "intensity", "mark"):
        planted = PlantedLeak(samples, kind)
        for sample, changed in zip(samples, planted, strict=True):
            inside = torch.from_numpy(regions_of(sample).lesion)
            assert torch.equal(sample["image"][:, inside], changed["image"][:, inside])
            assert torch.equal(sample["image"], changed["image"]) == (sample["label"] == 0), kind
    assert np.isfinite(samples[1]["image"].numpy()).all() and "hospital" not in samples[1]["meta"]


def test_an_unknown_leak_is_one_line() -> None:
    with pytest.raises(UserError, match="no leak 'smell': choose one of blur, noise"):
        PlantedLeak(toys(2), "smell")
