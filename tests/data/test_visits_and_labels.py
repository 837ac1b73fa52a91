"""Visits of one patient stay together, and a label means one thing in a cohort."""

from __future__ import annotations

import pytest

from medattn_lite.data import check_dataset, open_dataset
from medattn_lite.data.readers.patient_names import named
from medattn_lite.errors import UserError
from tests.data.makers import brain, brats_case, save, tumour

PAIRS = [
    ("BraTS-GLI-00001-000", "BraTS-GLI-00001-001", True),
    ("BraTS-MET-00086-000", "BraTS-MET-00086-001", True),
    ("Brats18_TCIA01_131_1", "Brats18_TCIA01_131_2", True),
    ("UPENN-GBM-00001_11", "UPENN-GBM-00001_21", True),
    ("UCSF-PDGM-0409_nifti", "UCSF-PDGM-0409_FU001d_nifti", True),
    ("TCGA_CS_4941_19960909", "TCGA_CS_4941_19970101", True),
    ("sub-01/ses-1", "sub-01/ses-2/anat", True),
    ("sub-01_ses-1", "sub-01_ses-2", True),
    ("siteA/sub-07/ses-pre", "siteA/sub-07/ses-post", True),
    ("Patient-004_week-000", "Patient-004_week-033", False),
    ("Patient-004/week-000-1", "Patient-004/week-000-2", False),
    ("P01/2019-01-02", "P01/2020-11-30", False),
    ("P01/baseline", "P01/follow-up", False),
    ("baseline/P01", "followup_1/P01", False),
    ("P01_pre", "P01_post", False),
    ("P01_V1", "P01_V2", False),
    ("P01-month3", "P01-month12", False),
    ("MR123_20190102", "MR123_20201130", False),
    ("P01 timepoint 1", "P01 timepoint 2", False),
]
APART = [
    ("BraTS20_Training_001", "BraTS20_Training_002"), ("BraTS2021_00000", "BraTS2021_00001"),
    ("BraTS-GoAT-00001", "BraTS-GoAT-00002"), ("case_1", "case_2"), ("siteA/sub-01", "siteB/sub-01"),
    ("MR_20190102", "MR_20201130"), ("scan_1", "scan_2"), ("UPENN-GBM-00001_11", "UPENN-GBM-00002_11"), ("p1", "p2"),
]


@pytest.mark.parametrize(("first", "second", "known"), PAIRS)
def test_two_visits_are_one_patient_and_an_unknown_pattern_is_said(first, second, known):
    one, two = named(first.split("/")), named(second.split("/"))
    assert one == two and one[1] is known


@pytest.mark.parametrize(("first", "second"), APART)
def test_two_patients_stay_two(first, second):
    assert named(first.split("/"))[0] != named(second.split("/"))[0]


@pytest.mark.parametrize("name", ["brats", "nifti"])
@pytest.mark.parametrize(("first", "second", "known"), PAIRS)
def test_every_reader_of_folders_keeps_visits_together(tmp_path, name, first, second, known):
    for number, folder in enumerate((first, second)):
        brats_case(tmp_path / folder, seed=10 * number)
    dataset = open_dataset(name, tmp_path)
    assert len(dataset.cases) == 2 and len(set(dataset.subjects)) == 1
    assert len({case.case for case in dataset.cases}) == 2
    assert ("a split may leak" in str(check_dataset(name, tmp_path, progress=False))) is not known


def test_flat_files_of_two_sessions_are_one_patient(tmp_path):
    for session in (1, 2):
        save(brain(seed=session), tmp_path / f"sub-03_ses-{session}_T1w.nii.gz")
    assert set(open_dataset("nifti", tmp_path).subjects) == {"sub-03"}


# label 3 of the older years


def cohort(root, *labels):
    for number, values in enumerate(labels):
        grade = "LGG" if values == (1, 2, 3) else "HGG"
        brats_case(root / grade / f"brats_tcia_pat{number:03}_1", labels=values, seed=10 * number)
    return open_dataset("brats", root)


@pytest.mark.parametrize(("labels", "three"), [
    (((1, 2, 3, 4), (1, 2, 3)), 1),  # BraTS 2015: a low grade without a 4 beside high grades with both
    (((1, 2, 3), (1, 2, 3, 4), (1, 2, 4)), 1),
    (((1, 2, 3), (1, 2, 3)), 4),  # renumbered as in 2023
    (((1, 2, 3), (1, 2)), 4),
])
def test_a_3_means_one_thing_in_the_whole_cohort(tmp_path, labels, three):
    dataset = cohort(tmp_path, *labels)
    for case, sample in zip(dataset.cases, dataset, strict=True):
        values = labels[int(case.case[len("brats_tcia_pat"):][:3])]
        written = tumour(labels=values)
        for stored in values:
            meant = {3: three}.get(stored, stored)
            assert int((sample["mask"] == meant).sum()) >= int((written == stored).sum())
        assert set(sample["mask"].unique().tolist()) == {0, *({3: three}.get(stored, stored) for stored in values)}
    report = str(check_dataset("brats", tmp_path, progress=False))
    assert ("non-enhancing core (1), as in BraTS 2015" in report) == (three == 1)
    assert ("enhancing tumour (4)" in report) == (three == 4)


def test_a_part_of_a_cohort_is_read_as_the_whole(tmp_path):
    dataset = cohort(tmp_path, (1, 2, 3, 4), (1, 2, 3))
    low = next(case.subject for case in dataset.cases if case.label == 0)
    assert dataset.subset([low])[0]["mask"].unique().tolist() == [0, 1, 2]


def test_masks_that_contradict_each_other_ask_for_a_label_map(tmp_path):
    dataset = cohort(tmp_path, (1, 2, 3), (1, 2, 4))
    with pytest.raises(UserError, match="label 3.*label_map=") as caught:
        list(dataset)
    assert "\n" not in str(caught.value)
    assert check_dataset("brats", tmp_path, progress=False).exit_code == 1
    assert check_dataset("brats", tmp_path, progress=False, label_map={1: 1, 2: 2, 3: 4, 4: 4}).exit_code == 0
