"""BIDS trees: sessions stay with their person, masks from one pipeline, facts from participants.tsv, nothing silent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from medattn_lite.cli import main
from medattn_lite.data import open_dataset
from medattn_lite.data.checking.check_folder import check_dataset
from medattn_lite.data.patient_splits import stratified_kfold
from medattn_lite.data.readers.bids import entities
from medattn_lite.errors import UserError
from tests.data.makers import brain, save, tumour


def scan(root: Path, subject: str, session: str = "", names: tuple[str, ...] = ("T1w", "FLAIR"), seed: int = 0) -> None:
    folder = root / f"sub-{subject}" / (f"ses-{session}" if session else "") / "anat"
    start = f"sub-{subject}" + (f"_ses-{session}" if session else "")
    for number, name in enumerate(names):
        save(brain(seed=100 * seed + number), folder / f"{start}_{name}.nii.gz")


LESION = "label-lesion_mask"


def mask(root: Path, subject: str, session: str = "", *, pipeline: str = "lesions", name: str = LESION) -> None:
    start = f"sub-{subject}" + (f"_ses-{session}" if session else "")
    save((tumour(labels=(1,)) > 0).astype(np.uint8), root / "derivatives" / pipeline / f"sub-{subject}" / "anat" /
         f"{start}_{name}.nii.gz")  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three people, the first with two sessions, masks for two, a table."""
    for number, (subject, session) in enumerate([("01", "1"), ("01", "2"), ("02", "1"), ("10", "1")]):
        scan(tmp_path, subject, session, seed=number)
    for subject, session in (("01", "1"), ("02", "1")):
        mask(tmp_path, subject, session)
        mask(tmp_path, subject, session, name="desc-brain_mask")
    (tmp_path / "participants.tsv").write_text(
        "participant_id\tgroup\tage\tsurvival_days\tvital_status\nsub-01\tpatient\t40\t300\tdead\n"
        "sub-02\tcontrol\t51\t900\talive\nsub-10\tpatient\tn/a\tn/a\tn/a\n", encoding="utf-8")  # fmt: skip
    return tmp_path


def test_names_are_read_as_the_format_says():
    assert entities(Path("sub-01_ses-2_acq-hi_ce-gd_run-1_T1w.nii.gz")) == (
        {"sub": "01", "ses": "2", "acq": "hi", "ce": "gd", "run": "1"}, "T1w")  # fmt: skip


def test_a_case_per_session_and_sessions_of_a_person_in_one_part(tree):
    dataset = open_dataset("bids", tree, label="group")
    assert [case.case for case in dataset.cases] == ["sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1", "sub-10_ses-1"]
    assert dataset.subjects == ["sub-01", "sub-01", "sub-02", "sub-10"] and dataset.channels == ("flair", "t1")
    for number in range(11, 14):  # more people, so that each class has enough for folds
        scan(tree, str(number), "1", seed=number)
        scan(tree, str(number), "2", seed=50 + number)
    dataset = open_dataset("bids", tree)
    labels = [int(subject[-1]) % 2 for subject in dataset.subjects]
    for fold in stratified_kfold(dataset.subjects, labels, folds=3):
        assert fold.train and fold.test and not set(fold.train) & set(fold.test)
    assert len({case.subject for case in dataset.cases}) == 6 and len(dataset) == 10


def test_facts_come_from_the_table_and_masks_from_the_derivatives(tree):
    dataset = open_dataset("bids", tree, label="group")
    first, again, second, last = (dataset[number] for number in range(4))
    assert dataset.classes == ("control", "patient") and [s["label"] for s in (first, second, last)] == [1, 0, 1]
    assert (first["time"], first["event"]) == (300.0, True) and (second["time"], second["event"]) == (900.0, False)
    assert "time" not in last and first["meta"]["age"] == 40.0 and first["meta"]["session"] == "1"
    assert int(first["mask"].sum()) == int((tumour(labels=(1,)) > 0).sum()) and "mask" not in again
    assert any("masks of lesions: 2 of 4" in line for line in dataset.remarks)


def test_a_column_of_the_table_is_graded_and_its_words_name_the_classes(tmp_path, capsys):
    rows = []
    for number in range(1, 13):
        scan(tmp_path / "tree", f"{number:02}", seed=number)
        rows.append(f"sub-{number:02}\t{('patient', 'control')[number % 2]}")
    (tmp_path / "tree" / "participants.tsv").write_text("participant_id\tgroup\n" + "\n".join(rows), encoding="utf-8")
    words = ["train", "grading", "--data", "bids", "--root", str(tmp_path / "tree"), "--scale", "smoke", "--quiet",
             "--first-folds", "1", "--variants", "P3D", "--set", "epochs=1", "--device", "cpu"]  # fmt: skip
    assert main([*words, "--out", str(tmp_path / "none")]) == 2
    assert "--label COLUMN" in capsys.readouterr().err and not (tmp_path / "none").exists()
    assert main([*words, "--label", "group", "--out", str(tmp_path / "run")]) == 0
    facts = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))["data_facts"]
    assert facts["classes"] == {"control": 6, "patient": 6}


def test_contrast_agent_runs_and_missing_contrasts_are_told_apart(tmp_path):
    for subject in ("1", "2", "3"):
        scan(tmp_path, subject, names=("T1w", "ce-gd_T1w", "T2w"), seed=int(subject))
    scan(tmp_path, "1", names=("run-2_T2w",), seed=9)
    scan(tmp_path, "4", names=("T1w", "T2w"), seed=4)
    scan(tmp_path, "5", names=("T1w", "ce-gd_T1w", "T2w", "SWI"), seed=5)
    dataset = open_dataset("bids", tmp_path)
    assert dataset.channels == ("t1", "t1ce", "t2") and [case.case for case in dataset.incomplete] == ["sub-4"]
    report = str(check_dataset("bids", tmp_path))
    assert "several files for t2" in report and "missing t1ce" in report and "swi (1 of 5)" in report


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "colour"}, "no column 'colour'"), ({"label": "constant"}, "classes need two values"),
        ({"derivatives": "other"}, "has no masks: there are lesions"),
        ({"channels": ["pd"]}, "no case in .* has a channel"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(tree, options, message):
    table = (tree / "participants.tsv").read_text(encoding="utf-8").splitlines()
    (tree / "participants.tsv").write_text("\n".join([table[0] + "\tconstant", *(f"{row}\tx" for row in table[1:])]),
                                           encoding="utf-8")  # fmt: skip
    with pytest.raises(UserError, match=message):
        open_dataset("bids", tree, **options)


def test_two_pipelines_with_masks_must_be_chosen_from(tree):
    mask(tree, "01", "1", pipeline="second")
    with pytest.raises(UserError, match="several pipelines have masks"):
        open_dataset("bids", tree)
    assert open_dataset("bids", tree, derivatives="lesions")[0]["mask"].any()


def test_a_folder_without_bids_says_what_it_holds(tmp_path):
    save(brain(), tmp_path / "patient1" / "t1.nii.gz")
    with pytest.raises(UserError, match="no BIDS image in"):
        open_dataset("bids", tmp_path)


def test_a_subject_that_the_table_lacks_is_named(tree):
    scan(tree, "11", "1", seed=8)
    assert any("lacks sub-11" in line for line in open_dataset("bids", tree).remarks)
