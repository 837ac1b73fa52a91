"""Follow-up and patient by the names that tables give them, and a word about everything that is not taken."""

from __future__ import annotations

import pytest

from medattn_lite.data import check_dataset, open_dataset
from medattn_lite.errors import UserError
from tests.data.makers import brain, save

MONTH, YEAR = 365.25 / 12, 365.25


def table(root, text: str):
    for number, name in enumerate("abc"):
        if not (root / f"{name}.nii.gz").exists():
            save(brain(seed=number), root / f"{name}.nii.gz")
    (root / "cases.csv").write_text(text, encoding="utf-8")
    return open_dataset("nifti", root)


@pytest.mark.parametrize(("time", "event", "days"), [
    ("time", "event", 1), ("Time", "EVENT", 1), ("OS.time", "OS", 1), ("os_time", "os_status", 1),
    ("survival_days", "status", 1), ("Survival (days)", "vital_status", 1), ("days", "dead", 1),
    ("overall_survival", "deceased", 1), ("time_months", "event", MONTH), ("OS_MONTHS", "OS_STATUS", MONTH),
    ("survival_in_months", "death", MONTH), ("Overall Survival (Months)", "Overall Survival Status", MONTH),
    ("followup_years", "died", YEAR), ("survival_weeks", "status", 7), ("time_to_event", "event_observed", 1),
])
def test_time_and_event_are_found_by_their_usual_names_and_in_days(tmp_path, time, event, days):
    dataset = table(tmp_path, f"image,{time},{event}\na.nii.gz,300,1\nb.nii.gz,500,0\n")
    assert [(case.time, case.event) for case in dataset.cases] == [
        (pytest.approx(300 * days), True), (pytest.approx(500 * days), False)]
    assert time not in dataset.cases[0].meta and event not in dataset.cases[0].meta
    report = str(check_dataset("nifti", tmp_path, progress=False))
    assert "survival of 2 cases, 1 deaths" in report
    assert (time.lower() == "time") or repr(time) in report  # what was taken is said
    assert ("turned into days" in report) == (days != 1)


@pytest.mark.parametrize(("dead", "alive"), [
    ("1", "0"), ("Dead", "Alive"), ("DECEASED", "LIVING"), ("1:DECEASED", "0:LIVING"), ("True", "False"),
    ("yes", "no"), ("1.0", "0.0"), ("event", "censored"),
])
def test_words_for_dead_and_alive(tmp_path, dead, alive):
    dataset = table(tmp_path, f"image,time,event\na.nii.gz,300,{dead}\nb.nii.gz,500,{alive}\n")
    assert [case.event for case in dataset.cases] == [True, False]


def test_a_column_of_censoring_is_the_other_way_round(tmp_path):
    dataset = table(tmp_path, "image,time,censored\na.nii.gz,300,1\nb.nii.gz,500,0\n")
    assert [case.event for case in dataset.cases] == [False, True]
    assert any("1 is censored" in line for line in dataset.remarks)


@pytest.mark.parametrize(("text", "words"), [
    ("image,time\na.nii.gz,300\n", "time without a column of the event"),
    ("image,status\na.nii.gz,1\n", "event without a column of the time"),
    ("image,time,status\na.nii.gz,300,married\n", "'status' was not taken as the event: 'married'"),
    ("image,time,event,survival_days\na.nii.gz,300,1,280\n", "'survival_days' was left in meta"),
    ("image,time,event,age,centre\na.nii.gz,300,1,60,Graz\n", "of its meta: age, centre"),
    ("image,time,event\na.nii.gz,12.4,1\nb.nii.gz,31,0\n", "if these are months, call the column time_months"),
    ("image,subject,time,event\na.nii.gz,001,300,1\nb.nii.gz,1,400,1\n", "look like one patient"),
    ("image,subject,time,event\na.nii.gz,P01,300,1\nb.nii.gz,p01,300,1\n", "'P01' and 'p01' count as one patient"),
    ("image,subject,time,event\na.nii.gz,P1,365,1\nb.nii.gz,P1,100,0\n", "several follow-ups (P1: 100 and 365 days)"),
])
def test_what_is_ignored_or_doubtful_is_said(tmp_path, text, words):
    dataset = table(tmp_path, text)
    assert any(words in line for line in dataset.remarks), dataset.remarks
    assert words in str(check_dataset("nifti", tmp_path, progress=False))


@pytest.mark.parametrize("name", ["subject", "Patient", "patient_id", "participant_id", "bcr_patient_barcode"])
def test_the_patient_is_found_by_its_usual_names_and_spelling_makes_no_second_one(tmp_path, name):
    dataset = table(tmp_path, f"image,{name}\na.nii.gz,P01\nb.nii.gz,p01 \nc.nii.gz,P02\n")
    assert dataset.subjects == ["P01", "P01", "P02"]
    assert all(case.meta["patient_known"] for case in dataset.cases)


def test_a_table_made_under_windows_is_read(tmp_path):
    for patient in ("p1", "p2"):
        save(brain(seed=len(patient)), tmp_path / patient / "t1.nii.gz")
    (tmp_path / "cases.csv").write_text("subject,image_t1\nx,p1\\t1.nii.gz\ny,p2\\t1.nii.gz\n")
    assert [case.case for case in open_dataset("nifti", tmp_path).cases] == ["p1/t1", "p2/t1"]


@pytest.mark.parametrize("text", [
    'image,note,label\na.nii.gz,"open,0\nb.nii.gz,fine,1\n',
    'image,note,label\na.nii.gz,"open,0\nb.nii.gz,"fine,1\n',
    'image,label,note\na.nii.gz,0,"open\nb.nii.gz,1,fine\nc.nii.gz,1,"fine"\n',
])
def test_an_open_quote_does_not_make_one_row_of_two(tmp_path, text):
    with pytest.raises(UserError, match="quote.*not closed"):
        table(tmp_path, text)


def test_a_note_of_two_lines_is_no_open_quote(tmp_path):
    dataset = table(tmp_path, 'image,note,label\na.nii.gz,"first line\nsecond, line",0\nb.nii.gz,5" wide,1\n')
    assert dataset.labels == [0, 1]


def test_clinical_files_beside_a_table_are_no_loss(tmp_path):
    dataset = table(tmp_path, "image\na.nii.gz\n")
    report = check_dataset("nifti", tmp_path, progress=False)
    assert len(dataset) == 1 and report.exit_code == 0
    assert "images that belong to no case (2): b.nii.gz, c.nii.gz" in str(report)
