"""The parts of the audit: correction, scores, survival, several classes, pictures, patients, and its files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite import cli
from medattn_lite.audit import audit_dataset, declared_of, holm, measure, write_audit
from medattn_lite.audit.factors import case_facts
from medattn_lite.audit.models import p_value
from medattn_lite.audit.regions import regions_of
from medattn_lite.audit.target import Target, log_rank_scores, weighted_concordance
from medattn_lite.audit.verdicts import Finding, corrected
from medattn_lite.audit.zones import Zone
from medattn_lite.data.phantom import PhantomCohort
from medattn_lite.data.readers.cases import Case
from medattn_lite.errors import UserError
from medattn_lite.evaluation.auc_intervals import auc_interval
from medattn_lite.survival.concordance import harrell_c
from tests.audit.toys import toy, toys

QUICK = {"groups": (), "progress": False}


def test_holm_is_the_step_down_of_the_textbook() -> None:
    # 4 · 0.01, 3 · 0.02, 2 · 0.03 and 0.04, none below the one before it
    np.testing.assert_allclose(holm([0.02, 0.01, 0.04, 0.03]), [0.06, 0.04, 0.06, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_a_verdict_says_in_plain_words_what_was_found_and_declared_signal_is_not_counted() -> None:
    findings = corrected([
        Finding("volume", "factor", "grade", value=0.91, low=0.86, high=0.95, n=120, p=0.001),
        Finding("site", "factor", "grade", value=0.6, low=0.51, high=0.7, n=120, p=0.04),
        Finding("side", "factor", "grade", value=0.55, low=0.45, high=0.65, n=120, p=0.3),
        Finding("signal", "declared", "grade", value=1.0, low=0.99, high=1.0, n=120, p=1e-9),
        Finding("age", "factor", "grade", why="known of 3 patients only"),
    ])
    assert [finding.sentence for finding in findings] == [
        "tells grade better than chance: AUC 0.91 [0.86, 0.95], n = 120",
        "not better than chance once corrected for 3 comparisons: AUC 0.60 [0.51, 0.70], n = 120",
        "not better than chance: AUC 0.55 [0.45, 0.65], n = 120",
        "declared signal of the task: AUC 1.00 [0.99, 1.00], n = 120",
        "not scored: known of 3 patients only",
    ]
    assert [finding.tests for finding in findings] == [3, 3, 3, 0, 0] and findings[1].p_holm == 0.08
    assert replace(findings[0], p_holm=0.051).verdict == "chance"


def test_the_weighted_c_index_is_scikit_survivals_and_that_of_drawn_rows() -> None:
    random = np.random.default_rng(3)
    time, event = random.integers(1, 20, 40).astype(float), random.random(40) < 0.6
    risk = random.integers(0, 9, 40).astype(float)
    rows = random.integers(0, 40, 40)
    weights = np.stack([np.ones(40), np.bincount(rows, minlength=40)])
    values = weighted_concordance(event, time, risk, weights)
    assert values[0] == pytest.approx(harrell_c(event, time, risk), abs=1e-12)
    assert values[1] == pytest.approx(harrell_c(event[rows], time[rows], risk[rows]), abs=1e-12)


def test_intervals_are_the_packages_own_and_none_is_given_of_too_few() -> None:
    random = np.random.default_rng(1)
    labels, scores = random.integers(0, 2, 80), random.normal(size=80)
    assert Target("g", ("a", "b"), labels).interval(scores + labels) == auc_interval(labels, scores + labels)
    many = Target("g", ("a", "b", "c"), random.integers(0, 3, 80))
    interval, few = many.interval(random.normal(size=(80, 3))), many.take(np.arange(30)).interval(np.ones((30, 3)))
    assert interval.low < interval.value < interval.high and not np.isfinite([few.low, few.high]).any()


def test_log_rank_scores_are_deaths_minus_expected_deaths() -> None:
    scores = log_rank_scores(np.array([1.0, 2.0, 3.0]), np.array([1, 0, 1]))
    np.testing.assert_allclose(scores, [1 - 1 / 3, -1 / 3, 1 - (1 / 3 + 1)])
    assert scores.sum() == pytest.approx(0)


def test_a_p_value_grows_with_few_repeats_and_falls_with_the_distance() -> None:
    null = np.array([0.45, 0.5, 0.55, 0.5])
    assert p_value(0.9, null) < p_value(0.6, null) < 0.5 < p_value(0.45, null)
    assert p_value(0.7, np.tile(null, 5)) < p_value(0.7, null)


def test_survival_is_audited_by_concordance_and_a_planted_factor_is_caught() -> None:
    random = np.random.default_rng(0)
    samples = toys(60)
    for sample in samples:
        del sample["label"]
        days = float(random.exponential(400))
        sample |= {"time": min(days, 600.0), "event": days < 600}
        sample["meta"]["ward"] = days + 100 * random.normal()
    audit = audit_dataset(samples, label="survival", groups=("outside",), repeats=4, progress=False)
    ward = next(finding for finding in audit.findings if finding.name == "ward")
    assert ward.verdict == "tells" and ward.measure == "C-index" and ward.direction == "lower in those who die early"
    assert ward.value == pytest.approx(harrell_c([s["event"] for s in samples], np.array(
        [s["time"] for s in samples]), -np.array([s["meta"]["ward"] for s in samples])))
    assert [finding.name for finding in audit.leaks] == ["ward"], audit
    assert any("ridge regression" in finding.name for finding in audit.findings)


def test_several_classes_need_no_order_and_a_factor_of_the_middle_class_is_caught() -> None:
    samples = [toy(at, at % 3) for at in range(60)]
    for sample in samples:
        sample["meta"]["dose"] = {0: 1.0, 1: 5.0, 2: 1.0}[sample["label"]] + float(np.random.default_rng(
            sample["label"] * 100 + int(sample["subject"][1:])).normal())
    audit = audit_dataset(samples, label="kind", **QUICK)
    assert [finding.name for finding in audit.leaks] == ["dose"] and audit.classes == {"0": 20, "1": 20, "2": 20}


def test_pictures_without_slices_and_images_without_masks_are_audited_and_said_to_have_none() -> None:
    samples = toys(24, flat=True)
    for sample in samples:
        del sample["mask"]
    audit = audit_dataset(samples, label="grade", groups=("outside",), repeats=3, progress=False)
    assert any("no masks" in note for note in audit.notes)
    names = {finding.name for finding in audit.findings}
    assert "slice count" not in names and not any(name.startswith("lesion") for name in names)
    assert all(np.isfinite(finding.value) for finding in audit.findings if finding.kind == "model")


def test_a_head_without_a_lesion_borrows_the_zone_of_another() -> None:
    samples = [toy(0, 0, lesion=0), toy(1, 1), toy(2, 0, lesion=0)]
    regions = regions_of(samples[1])
    kept = Zone.of(regions.zone, regions.head)
    zone = kept.fitted(regions_of(samples[0]).head)
    alone, borrowed = regions_of(samples[0]), regions_of(samples[0], borrowed=[kept])
    assert alone.zone is None and not (borrowed.outside & zone).any()
    assert alone.outside.sum() - borrowed.outside.sum() == (alone.head & zone).sum() > 0
    far = np.argwhere(regions_of(samples[1]).outside) * np.array([6.0, 5.0, 5.0])
    lesion = np.argwhere(samples[1]["mask"][0].numpy() > 0) * np.array([6.0, 5.0, 5.0])
    nearest = min(float(np.sqrt(((lesion - place) ** 2).sum(1)).min()) for place in far)
    assert 11 <= nearest < 17  # the margin, and no more than a voxel above it


def test_scans_of_one_patient_are_one_row() -> None:
    samples = toys(24)
    for at, sample in enumerate(samples):
        sample["subject"] = f"p{at % 2}-{at // 4}"
    measured = measure(samples, label="grade", progress=False)
    assert len(measured.rows) == 12 and measured.scans == 24 and "24 scans of 12 patients" in measured.notes[0]
    assert measured.rows[0].facts["age"] == (samples[0]["meta"]["age"] + samples[2]["meta"]["age"]) / 2


def test_names_and_files_give_site_day_and_size(tmp_path: Path) -> None:
    file = tmp_path / "t1.nii.gz"
    file.write_bytes(b"0" * 2_000_000)
    facts = case_facts(Case("TCGA_CS_4942_19970222", "TCGA_CS_4942", {"t1": file}, missing=("flair",)))
    assert facts["site in the name"] == "CS" and facts["file size (MB)"] == 2.0
    assert facts["missing channels"] == "flair"
    assert facts["day of the scan in the name"] == float(np.datetime64("1997-02-22").astype(int))
    assert case_facts(Case("Brats18_TCIA01_131_1", "Brats18_TCIA01_131", {}))["site in the name"] == "TCIA"


def test_what_cannot_be_audited_is_one_line() -> None:
    samples = toys(12)
    with pytest.raises(UserError, match="every case has the same grade"):
        audit_dataset([sample for sample in samples if not sample["label"]], label="grade", **QUICK)
    with pytest.raises(UserError, match="only 2 patients with grade 1"):
        audit_dataset(samples[::2] + samples[1:4:2], label="grade", **QUICK)
    with pytest.raises(UserError, match="no case has a idh|no case has an idh"):
        audit_dataset([{**sample, "label": None} for sample in samples], label="idh", **QUICK)
    with pytest.raises(UserError, match="no group of statistics 'smell'"):
        audit_dataset(samples, label="grade", groups=("smell",), progress=False)
    with pytest.raises(UserError, match="needs at least 5"):
        Target("survival", (), np.array([1, 1, 0, 0]), np.arange(4.0)).checked()


def test_files_are_written_whole_and_never_replaced(tmp_path: Path) -> None:
    samples = toys(24)
    for sample in samples:
        sample["meta"]["hospital"] = "west" if sample["label"] else "east"
    audit = audit_dataset(samples, label="grade", declared=("age",), **QUICK)
    written = write_audit(audit, tmp_path / "out", title="Toys")
    page, content = written[0].read_text(), json.loads(written[1].read_text())
    assert "| hospital | tells grade better than chance: AUC 1.00" in page and "Holm" in page
    assert "## Declared signal of the task" in page and f"for the {audit.tests} factors and models" in page
    assert {finding["name"]: finding["verdict"] for finding in content["findings"]}["hospital"] == "tells"
    assert written[2].read_bytes().startswith(b"\x89PNG") and content["classes"] == {"0": 12, "1": 12}
    with pytest.raises(UserError, match=r"audit.md exists already.*--overwrite"):
        write_audit(audit, tmp_path / "out", title="Toys")
    write_audit(audit, tmp_path / "out", title="Other toys", overwrite=True)
    assert written[0].read_text().startswith("# Other toys")


def test_the_phantoms_declared_signal_is_listed_apart(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["audit", "phantom", "--task", "grade", "--n", "16", "--shape", "18,20,18", "--groups", "sharpness",
             "--repeats", "3", "--quiet", "--out", str(tmp_path / "a")]
    assert cli.main(words) == 0
    shown = capsys.readouterr().out
    assert "necrosis_ml: declared signal of the task" in shown and "sharpness at three scales" in shown
    assert cli.main(words) == 2 and "exists already" in capsys.readouterr().err
    for task in ("grade", "presence", "source", "type", "segmentation", "ms", "survival"):
        assert declared_of(PhantomCohort(1, task=task)), task


def test_every_task_of_the_phantom_goes_on_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("medattn_lite.data.phantom.TASKS", ("presence", "type"))
    page = tmp_path / "page.md"
    words = ["audit", "phantom", "--all", "--n", "20", "--shape", "16,18,16", "--groups", "none", "--repeats", "3",
             "--quiet", "--out", str(page)]
    assert cli.main(words) == 0
    assert "| [presence](#presence) |" in page.read_text() and "## type" in page.read_text()
    made = json.loads(page.with_suffix(".json").read_text())
    assert set(made["tasks"]) == {"presence", "type"}
    assert cli.main(words) == 2
    capsys.readouterr()
    assert cli.main([*words, "--overwrite", "--only", "type"]) == 0  # one task anew, the other as it was
    again = json.loads(page.with_suffix(".json").read_text())
    assert again["tasks"] == made["tasks"] and again["seconds"]["presence"] == made["seconds"]["presence"]
    assert capsys.readouterr().out.startswith("type: ")
    assert cli.main([*words, "--overwrite", "--only", "type", "--n", "24"]) == 2
    assert "was made by" in capsys.readouterr().err
    assert cli.main([*words, "--overwrite", "--only", "smell"]) == 2
    assert "--only smell: no such task; there are presence, type" in capsys.readouterr().err
    page.with_suffix(".json").write_text("{}")
    assert cli.main([*words, "--overwrite", "--only", "type"]) == 2
    assert "leave --only out" in capsys.readouterr().err


def test_statistics_do_not_see_the_lesion() -> None:
    measured = [measure([toy(at, at % 2, lesion=1.0) for at in range(10)], label="g", progress=False)]
    changed = [toy(at, at % 2) for at in range(10)]
    for sample in changed:
        sample["image"] = torch.where(sample["mask"] > 0, sample["image"] * 5, sample["image"])
    measured.append(measure(changed, label="g", progress=False))
    for group in ("outside", "sharpness", "border", "background"):
        np.testing.assert_array_equal(*(measured_rows.numbers(group)[1] for measured_rows in measured))
