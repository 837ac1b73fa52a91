"""Cox's model of tables: traps of the sources, nothing learned from test patients, and the record's numbers."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from medattn_lite.data.patient_splits import stratified_kfold
from medattn_lite.errors import UserError
from medattn_lite.survival.concordance import harrell_c
from medattn_lite.survival.cox_model import CoxModel, out_of_fold_risk
from medattn_lite.survival.cox_tables import FOLDS, analyse, kaplan_meier_by, main, out_of_fold
from medattn_lite.survival.patient_tables import RADIOMICS, PatientTable, read_tcga, read_ucsf

UCSF = ["ID", "Sex", "Age at MRI", "WHO CNS Grade", "Final pathologic diagnosis (WHO 2021)", "MGMT status",
        "MGMT index", "IDH", "1-dead 0-alive", "OS", "EOR", "original_shape_Volume",
        "original_firstorder_Mean"]  # fmt: skip
TCGA = ["bcr_patient_barcode", "type", "age_at_initial_pathologic_diagnosis", "gender", "histological_type",
        "histological_grade", "tumor_status", "OS", "OS.time", "Redaction"]  # fmt: skip


def write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


def ucsf(path, count=60, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(count):
        age, grade = int(rng.integers(25, 80)), int(rng.choice([2, 3, 4]))
        days = int(rng.exponential(900 * np.exp(-0.05 * (age - 55)))) + 1
        idh = "IDH1 p.R132H" if grade < 4 else "wildtype"
        diagnosis = "Glioblastoma, IDH-wildtype" if grade == 4 else "Astrocytoma, IDH-mutant"
        rows.append([f"U-{k:03d}", "MF"[k % 2], age, grade, diagnosis, ["positive", "negative", ""][k % 3], k % 7, idh,
                     int(rng.random() < 0.7), days, ["GTR", "STR", "biopsy"][k % 3], rng.exponential(),
                     rng.normal()])  # fmt: skip
    return write(path, UCSF, rows), rows


def made(count=120, seed=0, radiomics=0, known=True):
    """Patients whose days depend on `age` if `known`, and on no image feature."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=count)
    time = rng.exponential(np.exp(-1.5 * age * known)) + 0.01
    return PatientTable(
        "made", tuple(f"p{k}" for k in range(count)), time, rng.random(count) < 0.7, {"age": age},
        rng.normal(size=(count, radiomics)),
        {"age": ("age",), **({"radiomics": (RADIOMICS,), "both": ("age", RADIOMICS)} if radiomics else {})},
        (("both", "age"),) if radiomics else (), {"older": np.where(age > 0, "yes", "no")},
    )  # fmt: skip


def c_index(table, parts, **options):
    agreeing, comparable, _ = out_of_fold(table, parts, seed=0, show=False, **{"repeats": 2, **options})
    return agreeing.sum() / comparable.sum()


def test_the_second_scan_of_a_patient_and_a_death_without_a_day_are_left_out(tmp_path):
    path, rows = ucsf(tmp_path / "u.csv")
    again = ["U-900", *rows[3][1:11], 1.5, 2.5]  # another name and other features, the same person
    timeless = ["U-901", *rows[4][1:9], "", *rows[4][10:]]
    table = read_ucsf(write(path, UCSF, [*rows, again, timeless]))
    assert len(table.subjects) == 60 and not {"U-900", "U-901"} & set(table.subjects)
    assert dict(table.left_out) == {"second scan of a patient": 1, "no days of follow-up": 1}
    missing = table.values["MGMT methylated"]
    assert np.isnan(missing).sum() == 20 == table.values["MGMT unknown"].sum()


def test_tcga_leaves_out_who_could_not_have_died_before_the_sample(tmp_path):
    rows = [[f"T-{k}", "GBM" if k % 2 else "LGG", 40 + k, "MALE" if k % 3 else "FEMALE",
             "Treated primary GBM" if k == 1 else "Untreated primary (de novo) GBM" if k % 2 else "Astrocytoma",
             "[Not Available]" if k % 2 else "G2" if k % 4 else "G3", "WITH TUMOR", k % 2, 100 + k if k != 2 else 0,
             "Redacted" if k == 3 else ""] for k in range(12)]  # fmt: skip
    table = read_tcga(write(tmp_path / "t.csv", TCGA, rows))
    assert set(table.subjects) == {f"T-{k}" for k in range(12)} - {"T-1", "T-2", "T-3"}
    assert dict(table.left_out) == {"redacted": 1, "treated before the sample": 1, "no days of follow-up": 1}
    assert not any("status" in name for name in table.values)
    with pytest.raises(UserError, match="no column 'OS.time'"):
        read_tcga(write(tmp_path / "t2.csv", TCGA[:-2], [row[:-2] for row in rows]))


def test_real_tables_have_the_patients_that_their_sources_say(real_data):
    ucsf_table = read_ucsf(real_data / "survival" / "ucsf_pdgm_radiomics.csv")
    tcga_table = read_tcga(real_data / "survival" / "tcga_cdr_lgg_gbm.csv")
    assert len(ucsf_table.subjects) == 494 and ucsf_table.left_out["second scan of a patient"] == 6
    assert ucsf_table.radiomics.shape == (494, 100) and np.isfinite(ucsf_table.radiomics).all()
    assert (len(tcga_table.subjects), int(tcga_table.event.sum())) == (1085, 596)


def test_cross_validation_finds_what_decides_and_nothing_where_there_is_nothing():
    assert c_index(made(), ("age",)) > 0.75
    assert abs(c_index(made(known=False), ("age",), repeats=5) - 0.5) < 0.1


def test_forty_features_of_noise_stay_near_chance_though_the_penalty_is_chosen():
    noise = [c_index(made(60, seed, radiomics=40, known=False), (RADIOMICS,), repeats=1) for seed in range(3)]
    assert abs(np.mean(noise) - 0.5) < 0.08


def test_nothing_is_learned_from_the_values_of_those_whom_it_predicts():
    table = made(radiomics=3)
    values, is_image = table.matrix(("age", RADIOMICS))
    model = CoxModel(is_image).fit(values[:90], table.time[:90], table.event[:90])
    alone = model.predict(values[90:91])
    others = values[90:].copy()
    others[1:] *= 1000
    assert model.predict(others)[0] == pytest.approx(alone[0])


def test_the_units_of_a_clinical_value_and_the_tails_of_a_feature_change_no_risk():
    table = made(80, radiomics=3)
    values, is_image = table.matrix(("age", RADIOMICS))
    values = np.column_stack([values, np.random.default_rng(1).normal(size=80)])  # one more clinical value
    is_image = np.append(is_image, False)
    other = values.copy()
    other[:, ~is_image] = [60.0, -5.0] + values[:, ~is_image] * [365.25 * 12, 0.001]  # days for years, kg for g
    other[:, is_image] = np.exp(3 * values[:, is_image])  # the same order, over several powers of ten
    plain, changed = (CoxModel(is_image, image_penalty=30.0).fit(part, table.time, table.event).predict(part)
                      for part in (values, other))  # fmt: skip
    assert changed == pytest.approx(plain, rel=1e-6, abs=1e-6) and plain.std() > 0.3


@pytest.mark.parametrize("penalty", [1.0, 40.0])
def test_weights_are_where_cox_s_likelihood_of_z_scores_and_the_ridge_balance(penalty):
    rng = np.random.default_rng(2)
    values = rng.normal(size=(60, 2)) * [9.0, 0.01] + [60.0, 3.0]
    time, event = rng.permutation(60) + 1.0, rng.random(60) < 0.7
    model = CoxModel(np.zeros(2, dtype=bool), clinical_penalty=penalty).fit(values, time, event)
    scores = (values - values.mean(axis=0)) / values.std(axis=0)
    weights = model.fitted.coef_
    gradient = np.zeros(2)  # of the log partial likelihood: each death against the mean of those at risk
    for row in np.flatnonzero(event):
        at_risk = time >= time[row]
        gradient += scores[row] - np.average(scores[at_risk], axis=0, weights=np.exp(scores[at_risk] @ weights))
    assert gradient == pytest.approx(penalty * weights, abs=1e-4) and np.abs(weights).max() > 0.02


def test_pairs_of_one_repeat_give_harrell_s_c_index_within_folds():
    table = made(40)
    agreeing, comparable, _ = out_of_fold(table, ("age",), repeats=1, seed=0, show=False)
    assert (agreeing <= comparable).all() and comparable.max() < 40 / FOLDS  # with the others of its fold alone
    oracle = harrell_c(table.event, table.time, table.values["age"])
    assert abs(agreeing.sum() / comparable.sum() - oracle) < 0.1


def test_medians_and_log_rank_tell_groups_apart():
    table = made(300)
    report = kaplan_meier_by(table, table.groups["older"])
    young, old = (report["groups"][name]["median_days"] for name in ("no", "yes"))
    assert young["low"] > old["high"] and report["log_rank"]["p_value"] < 1e-6
    assert young["low"] <= young["value"] <= young["high"]


def test_the_record_holds_intervals_differences_and_the_control():
    record = analyse(made(80, radiomics=4), repeats=1, shuffles=3, draws=50, show=False)
    for fit in record["c_index"].values():
        assert fit["C-index"]["low"] <= fit["C-index"]["value"] <= fit["C-index"]["high"]
    assert record["differences"][0]["C-index"]["units"] == 80
    assert 0.35 < record["shuffled_outcomes"]["mean"] < 0.65 and record["shuffled_outcomes"]["set"] == "both"
    ratio = record["hazard_ratios"]["age"]
    assert 1 < ratio["low"] <= ratio["value"]


def test_the_command_writes_numbers_and_no_patient(tmp_path, capsys):
    path, rows = ucsf(tmp_path / "u.csv")
    main(["--ucsf", str(path), "--out", str(tmp_path / "out"), "--repeats", "1", "--shuffles", "1", "--draws", "20"])
    text = (tmp_path / "out" / "metrics.json").read_text(encoding="utf-8")
    assert not any(row[0] in text for row in rows)
    tables = json.loads(text)["tables"]
    assert list(tables) == ["UCSF-PDGM", "UCSF-PDGM, glioblastoma, IDH wild type"]
    assert "grade 4" not in tables["UCSF-PDGM, glioblastoma, IDH wild type"]["hazard_ratios"]
    assert "C-index" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "out")])
    assert "name a table" in capsys.readouterr().err


def test_each_patients_risk_is_of_a_model_that_did_not_know_the_patient():
    table = made(100)
    values = table.values["age"][:, None]
    risk = out_of_fold_risk(values, table.time, table.event, seed=1)
    assert harrell_c(table.event, table.time, risk) > 0.7
    names = [str(row) for row in range(100)]
    test = stratified_kfold(names, table.event.tolist(), 5, 1)[0].rows("test", names)
    time = table.time.copy()
    time[test] = time[test][::-1] + 1  # another story of the first fold's patients leaves their own risks as they are
    again = out_of_fold_risk(values, time, table.event, seed=1)
    assert again[test].tolist() == risk[test].tolist() and again.tolist() != risk.tolist()
