"""BraTS, Decathlon, LGG and open_ms_data, each from the layout of its public source."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from medattn_lite.data import open_dataset
from medattn_lite.data.readers.brats import parse_survival, patient
from medattn_lite.errors import UserError
from tests.data.makers import LPS, brain, brats_case, lgg_case, save, tumour

KEYS = {"image", "affine", "subject", "source", "channels", "grid", "meta"}


# BraTS


@pytest.mark.parametrize(
    ("style", "name", "labels"),
    [
        ("old", "Brats18_TCIA01_131_1", (1, 2, 4)),
        ("old", "BraTS2021_00000", (1, 2, 3)),
        ("new", "BraTS-GLI-00001-000", (1, 2, 3)),
    ],
)
def test_brats_of_every_year_gives_the_same_sample(tmp_path, style, name, labels):
    brats_case(tmp_path / name, style=style, labels=labels)
    sample = open_dataset("brats", tmp_path)[0]
    assert KEYS <= set(sample)
    assert sample["image"].shape == (4, 16, 24, 20) and sample["image"].dtype == torch.float32
    assert sample["channels"] == ("t1", "t1ce", "t2", "flair")
    assert sample["mask"].dtype == torch.uint8 and sample["mask"].unique().tolist() == [0, 1, 2, 4]
    for number, channel in enumerate(sample["image"]):  # the order is the channels', whatever the file names
        assert np.isclose(float(channel.sum()), float(brain(seed=number).sum()), rtol=1e-5)
    # the file's axes run left, posterior, superior; the sample's superior, anterior, right
    np.testing.assert_array_equal(sample["mask"][0].numpy(), map_old(tumour(labels=labels))[::-1, ::-1].T)


def map_old(mask: np.ndarray) -> np.ndarray:
    return np.where(mask == 3, 4, mask)


def test_the_resection_cavity_of_2024_is_not_enhancing_tumour(tmp_path):
    brats_case(tmp_path / "BraTS-GLI-02060-101", style="new", labels=(1, 2, 3, 4))
    assert open_dataset("brats", tmp_path)[0]["mask"].unique().tolist() == [0, 1, 2, 4, 5]


def test_non_enhancing_core_of_2015_joins_the_necrotic(tmp_path):
    brats_case(tmp_path / "brats_2013_pat0003_1", labels=(1, 2, 3, 4))
    mask = open_dataset("brats", tmp_path)[0]["mask"]
    assert mask.unique().tolist() == [0, 1, 2, 4]
    written = tumour(labels=(1, 2, 3, 4))
    assert int((mask == 1).sum()) == int(np.isin(written, (1, 3)).sum())


def test_paediatric_labels_must_be_named(tmp_path):
    brats_case(tmp_path / "BraTS-PED-00001-000", style="new", labels=(1, 2, 3, 4))
    with pytest.raises(UserError, match="BraTS-PED.*label_map"):
        open_dataset("brats", tmp_path)[0]
    sample = open_dataset("brats", tmp_path, label_map={1: 4, 2: 1, 3: 1, 4: 2})[0]
    assert sample["mask"].unique().tolist() == [0, 1, 2, 4]


def test_grade_comes_from_the_folder(tmp_path):
    for grade, name in (("HGG", "Brats17_TCIA_101_1"), ("LGG", "Brats17_TCIA_202_1")):
        brats_case(tmp_path / grade / name)
    dataset = open_dataset("brats", tmp_path)
    assert dict(zip(dataset.subjects, dataset.labels, strict=True)) == {"Brats17_TCIA_101": 1, "Brats17_TCIA_202": 0}
    assert open_dataset("brats", tmp_path / "HGG").labels == [1]


def test_a_folder_above_the_data_says_nothing_about_the_grade(tmp_path):
    brats_case(tmp_path / "LGG" / "mine" / "BraTS2021_00001")
    assert open_dataset("brats", tmp_path / "LGG" / "mine").labels == [None]


def test_grade_age_and_survival_come_from_the_tables_of_2020(tmp_path):
    for number in (1, 2, 3):
        brats_case(tmp_path / "MICCAI" / f"BraTS20_Training_00{number}", seed=number)
    (tmp_path / "MICCAI" / "name_mapping.csv").write_text(
        "Grade,BraTS_2017_subject_ID,TCGA_TCIA_subject_ID,BraTS_2020_subject_ID\n"
        "HGG,Brats17_CBICA_AAB_1,NA,BraTS20_Training_001\nLGG,NA,TCGA-1,BraTS20_Training_002\n"
    )
    (tmp_path / "MICCAI" / "survival_info.csv").write_text(
        "Brats20ID,Age,Survival_days,Extent_of_Resection\nBraTS20_Training_001,60.463,289,GTR\n"
        "BraTS20_Training_002,52.2,ALIVE (361 days later),STR\nBraTS20_Training_003,40,NA,NA\n"
    )
    table = open_dataset("brats", tmp_path).table().set_index("case")
    assert table["label"].tolist()[:2] == [1, 0] and table["label"].isna().tolist() == [False, False, True]
    assert table["time"].tolist()[:2] == [289.0, 361.0]
    assert table["event"].tolist() == [True, False, None]
    assert table["resection"].tolist()[:2] == ["GTR", "STR"]
    assert table.loc["BraTS20_Training_001", "age"] == pytest.approx(60.463)


def test_survival_of_2017_and_2019_is_read_too(tmp_path):
    brats_case(tmp_path / "HGG" / "BraTS19_CBICA_AAB_1")
    (tmp_path / "survival_data.csv").write_text(
        "BraTS19ID,Age,Survival,ResectionStatus\nBraTS19_CBICA_AAB_1,60,289,GTR\n"
    )
    case = open_dataset("brats", tmp_path).cases[0]
    assert (case.time, case.event, case.meta["resection"]) == (289.0, True, "GTR")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("289", (289.0, True)),
        ("ALIVE (361 days later)", (361.0, False)),
        ("alive", None),
        ("NA", None),
        ("", None),
    ],
)
def test_survival_cells(cell, expected):
    assert parse_survival(cell) == expected


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("Brats17_TCIA_101_1", "Brats17_TCIA_101"),
        ("BraTS19_CBICA_AAB_1", "BraTS19_CBICA_AAB"),
        ("BraTS20_Training_001", "BraTS20_Training_001"),
        ("BraTS2021_00002", "BraTS2021_00002"),
        ("BraTS-GLI-00001-001", "BraTS-GLI-00001"),
        ("BraTS_TCGA-FG-6692_1", "BraTS_TCGA-FG-6692"),
    ],
)
def test_a_time_point_is_no_part_of_a_patient(case, expected):
    assert patient(case) == expected


def test_the_misnamed_segmentation_of_2020_is_found(tmp_path):
    folder = brats_case(tmp_path / "BraTS20_Training_355")
    (folder / "BraTS20_Training_355_seg.nii.gz").rename(folder / "W39_1998.09.19_Segm.nii.gz")
    assert "mask" in open_dataset("brats", tmp_path)[0]


def test_cases_without_segmentation_or_with_a_missing_modality(tmp_path):
    (brats_case(tmp_path / "BraTS2021_00001") / "BraTS2021_00001_seg.nii.gz").unlink()
    (brats_case(tmp_path / "BraTS2021_00002") / "BraTS2021_00002_t2.nii.gz").unlink()
    dataset = open_dataset("brats", tmp_path)
    assert dataset.subjects == ["BraTS2021_00001"] and "mask" not in dataset[0]
    assert [case.missing for case in dataset.incomplete] == [("t2",)]


def test_brats_of_a_real_patient(real_data):
    sample = open_dataset("brats", real_data / "brats_layout")[0]
    assert sample["image"].shape == (4, 155, 240, 240)
    assert sample["mask"].unique().tolist() == [0, 1, 2, 4]
    assert (sample["subject"], sample["label"]) == ("BraTS_TCGA-FG-6692", 0)
    inside = sample["image"].abs().sum(dim=0) > 0
    assert inside[sample["mask"][0] > 0].float().mean() > 0.99


# Medical Segmentation Decathlon


def make_msd(root: Path, modality: tuple[str, ...] = ("FLAIR", "T1w", "t1gd", "T2w")) -> Path:
    entries = []
    for number in (2, 10, 1):
        name = f"BRATS_{number:03d}.nii.gz"
        save(np.stack([brain(seed=channel) for channel in range(4)], axis=-1), root / "imagesTr" / name)
        save(tumour(labels=(1, 2, 3)), root / "labelsTr" / name)
        entries.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    save(np.stack([brain(seed=9)] * 4, axis=-1), root / "imagesTs" / "BRATS_485.nii.gz")
    (root / "imagesTr" / "._BRATS_001.nii.gz").write_text("left by macOS")
    (root / "dataset.json").write_text(
        json.dumps(
            {
                "name": "BRATS",
                "modality": {str(number): name for number, name in enumerate(modality)},
                "labels": {"0": "background", "1": "edema", "2": "non-enhancing tumor", "3": "enhancing tumour"},
                "training": entries,
                "test": ["./imagesTs/BRATS_485.nii.gz"],
            }
        )
    )
    return root


def test_the_decathlon_becomes_brats_channels_and_labels(tmp_path):
    dataset = open_dataset("msd", make_msd(tmp_path / "Task01_BrainTumour").parent)
    assert dataset.subjects == ["BRATS_001", "BRATS_002", "BRATS_010"]
    sample = dataset[0]
    assert sample["channels"] == ("t1", "t1ce", "t2", "flair")
    for channel, seed in zip(sample["image"], (1, 2, 3, 0), strict=True):
        assert np.isclose(float(channel.sum()), float(brain(seed=seed).sum()), rtol=1e-5)
    written = tumour(labels=(1, 2, 3))
    for stored, label in ((1, 2), (2, 1), (3, 4)):
        assert int((sample["mask"] == label).sum()) == int((written == stored).sum())
    assert sample["meta"]["patient_known"] is False


def test_the_decathlon_channel_order_is_read_and_not_assumed(tmp_path):
    sample = open_dataset("msd", make_msd(tmp_path, ("T2w", "t1gd", "FLAIR", "T1w")))[0]
    for channel, seed in zip(sample["image"], (3, 1, 0, 2), strict=True):
        assert np.isclose(float(channel.sum()), float(brain(seed=seed).sum()), rtol=1e-5)


def test_decathlon_test_scans_have_no_mask(tmp_path):
    make_msd(tmp_path)
    (tmp_path / "imagesTr" / "BRATS_002.nii.gz").unlink()
    assert len(open_dataset("msd", tmp_path, part="train").incomplete) == 1
    make = open_dataset("msd", tmp_path, part="test")
    assert len(make) == 1 and make.cases[0].mask is None


# LGG


def test_lgg_slices_are_stacked_in_natural_order_and_turned(tmp_path):
    folder = lgg_case(tmp_path, "TCGA_CS_4941_19960909", slices=12)
    sample = open_dataset("lgg", tmp_path)[0]
    assert sample["image"].shape == (3, 12, 32, 32) and sample["subject"] == "TCGA_CS_4941"
    from PIL import Image

    picture = np.asarray(Image.open(folder / "TCGA_CS_4941_19960909_11.tif"))
    np.testing.assert_array_equal(sample["image"][:, 10].numpy(), picture[::-1, ::-1].transpose(2, 0, 1))
    assert sample["mask"].unique().tolist() == [0, 1]
    assert torch.nonzero(sample["mask"][0].flatten(1).any(dim=1)).flatten().tolist() == [4, 5, 6, 7]
    # the picture's right is the patient's left, where W is small
    assert float(torch.nonzero(sample["mask"][0])[:, 2].double().mean()) < 16
    assert sample["meta"]["voxel_size_mm"] is None and sample["grid"] is None


def test_lgg_tables_give_grade_idh_and_survival_and_never_death01(tmp_path):
    lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    lgg_case(tmp_path, "TCGA_CS_0002_19990101")
    lgg_case(tmp_path, "TCGA_CS_0003_19990101")
    (tmp_path / "data.csv").write_text(
        "Patient,neoplasm_histologic_grade,death01,age_at_initial_pathologic\n"
        "TCGA_CS_0001,1,1,40\nTCGA_CS_0002,2,1,50\nTCGA_CS_0003,,,\n"
    )
    dataset = open_dataset("lgg", tmp_path)
    assert dataset.labels == [0, 1, None]
    assert [case.event for case in dataset.cases] == [None, None, None]
    (tmp_path / "cases.csv").write_text(
        "case,Patient,OS,OS.time,cdr_grade,IDH status\n"
        "TCGA_CS_0001_19990101,TCGA_CS_0001,0,700,G3,WT\n"
        "TCGA_CS_0002_19990101,TCGA_CS_0002,1,300,,Mutant\n"
    )
    dataset = open_dataset("lgg", tmp_path)
    assert dataset.labels == [1, 1, None]  # cdr_grade goes before data.csv, which fills its gaps
    assert [(case.time, case.event) for case in dataset.cases] == [(700.0, False), (300.0, True), (None, None)]
    assert open_dataset("lgg", tmp_path, task="idh").labels == [0, 1, None]


def test_an_empty_age_is_filled_from_the_next_column_that_knows_it(tmp_path):
    for number in (1, 2):
        lgg_case(tmp_path, f"TCGA_CS_000{number}_19990101")
    (tmp_path / "cases.csv").write_text(
        "Patient,age_at_initial_pathologic,age_at_initial_pathologic_diagnosis\nTCGA_CS_0001,,41\nTCGA_CS_0002,52,53\n"
    )
    assert open_dataset("lgg", tmp_path).table()["age"].tolist() == [41, 52]


def test_lgg_cases_with_a_filled_up_channel_can_be_dropped(tmp_path):
    lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    lgg_case(tmp_path, "TCGA_CS_0002_19990101", copy="post")
    assert open_dataset("lgg", tmp_path)[1]["meta"]["channel_copies"] == ("post",)
    assert open_dataset("lgg", tmp_path, copies="drop").subjects == ["TCGA_CS_0001"]


def test_two_scans_of_a_patient_are_one_subject(tmp_path):
    lgg_case(tmp_path, "TCGA_CS_0001_19990101")
    lgg_case(tmp_path, "TCGA_CS_0001_20010101")
    dataset = open_dataset("lgg", tmp_path)
    assert len(dataset) == 2 and set(dataset.subjects) == {"TCGA_CS_0001"}


def test_the_eighty_patients(real_data):
    table = open_dataset("lgg", real_data / "kaggle_3m").table()
    assert len(table) == 80 and table["subject"].nunique() == 80
    assert int(table["event"].sum()) == 23 and table["time"].notna().all()
    assert table["slices"].sum() == 2875


def test_tumours_called_left_lie_where_w_is_small(real_data):
    """data.csv codes the side of the tumour: 1 left, 3 right."""
    import pandas as pd

    side = pd.read_csv(real_data / "kaggle_3m" / "data.csv").set_index("Patient")["laterality"]
    dataset = open_dataset("lgg", real_data / "kaggle_3m")
    right = []
    for number in range(0, 80, 8):
        sample = dataset[number]
        known = side.get(sample["subject"])
        if known not in (1.0, 3.0):
            continue
        head = torch.nonzero(sample["image"].amax(dim=0) > 30)[:, 2].double().mean()
        place = torch.nonzero(sample["mask"][0])[:, 2].double().mean()
        right.append((place > head) == (known == 3.0))
    assert len(right) >= 6 and sum(right) >= len(right) - 1


def test_the_original_slices_read_as_the_small_ones(real_data):
    small = open_dataset("lgg", real_data / "kaggle_3m").subset(["TCGA_DU_5849"])[0]["image"]
    large = open_dataset("lgg", real_data / "lgg_raw256").subset(["TCGA_DU_5849"])[0]["image"]
    halved = torch.nn.functional.avg_pool2d(large, 2)
    assert small.shape == halved.shape and float((small - halved).abs().max()) <= 1


# open_ms_data


def make_mni(root: Path) -> Path:
    place = root / "cross_sectional" / "MNI"
    for number in (1, 2):
        for seed, name in enumerate(("T1", "T2", "FLAIR")):
            file = f"{name}_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
            save(brain(seed=seed), place / f"patient{number:02d}" / file)
    for number in (1, 2, 3):
        save(
            tumour(labels=(1,)),
            place / f"patient{number:02d}" / ("GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"),
        )
    (root / "cross_sectional" / "patient_info.csv").write_text(
        "patient_id,age,sex,ms_type,edss\n1,31,F,RR,1.5\n2,33,M,CIS,N/A\n"
    )
    return root


def test_open_ms_reads_patients_and_counts_those_with_masks_alone(tmp_path):
    dataset = open_dataset("open-ms", make_mni(tmp_path))
    assert dataset.subjects == ["patient01", "patient02"] and dataset.layout == "MNI"
    assert [case.case for case in dataset.incomplete] == ["patient03"]
    sample = dataset[0]
    assert sample["channels"] == ("t1", "t2", "flair") and sample["mask"].unique().tolist() == [0, 1]
    assert sample["meta"]["edss"] == 1.5 and dataset.cases[1].meta["edss"] is None
    assert [subject for subject, _, _ in dataset.lesion_masks()] == ["patient01", "patient02", "patient03"]


@pytest.mark.parametrize("prefix", ["", "patient01_"])
def test_raw_images_are_brought_to_the_flair_grid(tmp_path, prefix):
    folder = tmp_path / "cross_sectional" / "raw" / "patient01"
    save(brain(), folder / f"{prefix}FLAIR.nii.gz")
    save(tumour(labels=(1,)), folder / f"{prefix}consensus_gt.nii.gz")
    finer = (
        LPS @ np.diag([0.5, 0.5, 0.5, 1]) @ np.array([[1, 0, 0, -0.5], [0, 1, 0, -0.5], [0, 0, 1, -0.5], [0, 0, 0, 1]])
    )
    double = np.repeat(np.repeat(np.repeat(brain(), 2, 0), 2, 1), 2, 2)
    for name in ("T1W", "T2W", "T1WKS"):
        save(double, folder / f"{prefix}{name}.nii.gz", finer)
    sample = open_dataset("open-ms", tmp_path, layout="raw", contrast=True)[0]
    assert sample["channels"] == ("t1", "t1ce", "t2", "flair")
    flair, inner = sample["image"][3], sample["image"][3] > 0
    assert float(torch.corrcoef(torch.stack([sample["image"][0][inner], flair[inner]]))[0, 1]) > 0.99


def test_coregistered_images_are_cut_to_the_brain_mask(tmp_path):
    folder = tmp_path / "coregistered" / "patient01"
    for name in ("FLAIR", "T1W", "T2W"):
        save(brain() + 5, folder / f"{name}.nii.gz")
    save((brain() > 0).astype(np.uint8), folder / "brainmask.nii.gz")
    save(tumour(labels=(1,)), folder / "consensus_gt.nii.gz")
    sample = open_dataset("open-ms", tmp_path)[0]
    assert torch.equal(sample["image"][0] == 0, torch.from_numpy(brain()[::-1, ::-1].T == 0))


def test_the_real_ms_patients(real_data):
    dataset = open_dataset("open-ms", real_data / "open_ms_data")
    assert dataset.subjects == ["patient07", "patient19"] and len(dataset.incomplete) == 27
    sample = dataset[0]
    assert sample["image"].shape == (3, 182, 218, 182)
    flair = sample["image"][2]
    assert float(flair[sample["mask"][0] > 0].mean()) > float(flair[flair > 0].mean())  # lesions are bright
    assert "".join(nib.aff2axcodes(sample["affine"])) == "SAR"
