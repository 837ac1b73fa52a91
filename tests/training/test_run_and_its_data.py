"""A run is of some patients: more, fewer or changed ones are refused, and what a reader leaves out is said."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from medattn_lite.cli import main
from medattn_lite.data import open_dataset
from medattn_lite.data.readers.cases import Case
from medattn_lite.errors import UserError
from medattn_lite.training.data_identity import identify, require_same_data
from medattn_lite.training.environment_record import changed_since
from medattn_lite.training.lock import NAME, locked
from tests.hostile.toy_run import TRAIN, lasting, toy_recipe

WORDS = ["train", "grading", "--variants", "tumour features", "--data", "brats", "--folds", "2", "--device", "cpu",
         "--quiet", "--set", "spacing_mm=6"]  # fmt: skip


def cohort(root: Path, numbers: range, *, low: range) -> Path:
    """Cases as BraTS 2020 names them, with grades in a table."""
    rng = np.random.default_rng(0)
    for number in numbers:
        name = f"BraTS20_Training_{number:03d}"
        folder = root / name
        folder.mkdir(parents=True, exist_ok=True)
        head = np.zeros((20, 20, 20), np.float32)
        head[3:17, 3:17, 3:17] = rng.uniform(80, 120, (14, 14, 14))
        mask = np.zeros_like(head)
        mask[6:10, 6:10, 6:10] = 1
        for channel in ("t1", "t1ce", "t2", "flair"):
            nib.save(nib.Nifti1Image(head + 40 * mask, np.eye(4) * 2), folder / f"{name}_{channel}.nii.gz")
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), np.eye(4) * 2), folder / f"{name}_seg.nii.gz")
    grades(root, low)
    return root


def grades(root: Path, low: range) -> None:
    rows = [f"{'LGG' if int(path.name[-3:]) in low else 'HGG'},{path.name}" for path in sorted(root.glob("BraTS20*"))]
    (root / "name_mapping.csv").write_text("\n".join(["Grade,BraTS_2020_subject_ID", *rows]) + "\n")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eight patients, `data`, and a run of the first fold, `run`."""
    folder = tmp_path_factory.mktemp("begun")
    cohort(folder / "data", range(1, 9), low=range(1, 5))
    words = [*WORDS, "--root", str(folder / "data"), "--out", str(folder / "run"), "--first-folds", "1"]
    assert main(words) == 0
    return folder


def copied(begun: Path, place: Path) -> list[str]:
    shutil.copytree(begun, place, dirs_exist_ok=True)
    return [*WORDS, "--root", str(place / "data"), "--out", str(place / "run")]


def test_the_same_command_on_more_patients_is_refused_and_says_which(begun, tmp_path, capsys):
    words = copied(begun, tmp_path)
    cohort(tmp_path / "data", range(1, 11), low=range(1, 6))
    before = lasting(tmp_path / "run")
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "begun on other data (8 cases, now 10): 2 more (BraTS20_Training_009, BraTS20_Training_010)" in error
    assert "choose another --out" in error and lasting(tmp_path / "run") == before


def test_a_patient_that_is_gone_an_image_and_a_grade_that_changed_are_named(begun, tmp_path, capsys):
    words = copied(begun, tmp_path)
    shutil.rmtree(tmp_path / "data" / "BraTS20_Training_008")
    image = tmp_path / "data" / "BraTS20_Training_002" / "BraTS20_Training_002_t1.nii.gz"
    image_file = nib.load(image)
    nib.save(nib.Nifti1Image(image_file.get_fdata(dtype=np.float32) + 1, image_file.affine), image)
    grades(tmp_path / "data", range(1, 4))
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "1 gone (BraTS20_Training_008), 1 with other files (BraTS20_Training_002)" in error
    assert "1 with another label, follow-up or other fact (BraTS20_Training_004)" in error


def test_scores_of_fewer_folds_than_were_there_are_said_to_be_so(begun, tmp_path, capsys):
    words = copied(begun, tmp_path)
    assert main(words) == 0 and "held" not in capsys.readouterr().err
    assert main([*words, "--first-folds", "1"]) == 0
    assert "metrics.json held 2 folds (now 1), which this command leaves out" in capsys.readouterr().err
    assert main(words) == 0 and "held" not in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["folds"] == 2


def test_data_that_were_moved_are_the_same_data(begun, tmp_path):
    copied(begun, tmp_path)
    os.rename(tmp_path / "data", tmp_path / "elsewhere")
    assert main([*WORDS, "--root", str(tmp_path / "elsewhere"), "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["folds"] == 2


def test_what_a_reader_leaves_out_is_said_and_kept(begun, tmp_path, capsys):
    words = copied(begun, tmp_path)
    shutil.rmtree(tmp_path / "run")
    (tmp_path / "data" / "BraTS20_Training_001" / "BraTS20_Training_001_t2.nii.gz").unlink()
    assert main([*words, "--first-folds", "1"]) == 0
    error = capsys.readouterr().err
    assert "note: 1 cases lack a channel and are left out: BraTS20_Training_001" in error
    assert "BraTS20_Training_001" in str(json.loads((tmp_path / "run" / "recipe.json").read_text())["data_remarks"])


def test_phantoms_follow_from_the_seed_and_need_no_list():
    assert identify(open_dataset("phantom", n=2, shape=(16, 16, 16))) is None
    require_same_data(Path("run"), None, {"p": {"files": "a", "facts": "b", "subject": "p"}})
    with pytest.raises(UserError, match="1 of another patient"):
        require_same_data(Path("run"), {"p": {"files": "a", "facts": "b", "subject": "p"}},
                          {"p": {"files": "a", "facts": "b", "subject": "q"}})  # fmt: skip


@pytest.mark.parametrize("place", [5, -5])
def test_a_file_of_the_same_size_with_other_content_is_another_file(place, tmp_path):
    class Two(list):
        cases = (Case("p1", "p1", {"t1": tmp_path / "a.bin"}), Case("p2", "p2", {"t1": tmp_path}))

    data = bytearray(range(256)) * 200
    (tmp_path / "a.bin").write_bytes(data)
    before = identify(Two())
    assert identify(Two()) == before
    data[place] ^= 1
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(UserError, match="2 with other files"):  # a folder of slices holds it, too
        require_same_data(Path("run"), before, identify(Two()))


def volumes(folder: Path) -> type[list]:
    """A data set of one case: an uncompressed image and mask, as large as real ones, with background at both ends."""
    head = np.zeros((40, 64, 64), np.int16)
    head[12:28, 16:48, 16:48] = 100
    nib.save(nib.Nifti1Image(head, np.eye(4)), folder / "t1.nii")
    nib.save(nib.Nifti1Image((head > 0).astype(np.uint8), np.eye(4)), folder / "seg.nii")

    class One(list):
        cases = (Case("p1", "p1", {"t1": folder / "t1.nii"}, mask=folder / "seg.nii"),)

    return One


@pytest.mark.parametrize("name", ["t1.nii", "seg.nii"])
def test_an_image_corrected_in_its_place_and_one_voxel_of_a_mask_are_other_files(name, tmp_path):
    data_set = volumes(tmp_path)
    before = identify(data_set())
    old = nib.load(tmp_path / name)
    values = np.asarray(old.dataobj).copy()
    if name == "seg.nii":
        values[20, 30, 30] = 0
    else:
        values[values > 0] += 1  # a bias field taken out: header and background stay as they were
    nib.save(nib.Nifti1Image(values, old.affine), tmp_path / name)
    with pytest.raises(UserError, match=r"1 with other files \(p1\)"):
        require_same_data(Path("run"), before, identify(data_set()))


def test_a_run_of_an_older_version_that_kept_less_of_its_data_is_gone_on_with(tmp_path):
    data_set = volumes(tmp_path)
    before = {name: {key: value for key, value in case.items() if key != "within"}
              for name, case in identify(data_set()).items()}  # fmt: skip
    require_same_data(Path("run"), before, identify(data_set()))
    before["p1"]["facts"] = "other"
    with pytest.raises(UserError, match="other fact"):
        require_same_data(Path("run"), before, identify(data_set()))


def test_a_root_without_data_is_refused_and_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "grading", "--root", ".", "--device", "cpu"]) == 2
    assert "phantoms are made, not read: leave --root out" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("--folds", "1000"), ("--first-folds", "3"), ("--set", "batch_size=100000"),
                                   ("--set", "overlap=1"), ("--variants", "P4D"), ("--scale", "huge")])  # fmt: skip
def test_a_command_that_is_refused_leaves_no_folder(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "grading", "--folds", "2", "--device", "cpu", *words]) == 2
    assert list(tmp_path.iterdir()) == []


def test_predictions_of_another_fold_or_of_other_patients_are_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with toy_recipe():
        assert main(TRAIN) == 0
        first, second = (tmp_path / "run" / "A" / f"fold-{number}" / "predictions.json" for number in (0, 1))
        good = first.read_bytes()
        first.write_bytes(second.read_bytes())
        assert main(TRAIN) == 2
        assert "holds predictions of another fold: delete run/A/fold-0 and run" in capsys.readouterr().err
        record = json.loads(good)
        del record["sha256"]  # as a run from before there were seals
        record["split"]["test"].append("somebody")
        first.write_text(json.dumps(record))
        assert main(TRAIN) == 2
        assert "holds predictions of other patients" in capsys.readouterr().err


def test_threads_and_code_that_changed_since_a_run_began_are_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with toy_recipe():
        assert main([*TRAIN, "--first-folds", "1"]) == 0
        assert "note:" not in capsys.readouterr().err
        monkeypatch.setattr("torch.get_num_threads", lambda: 7)
        monkeypatch.setattr("medattn_lite.training.environment_record.code_digest", lambda: "0" * 12)
        assert main(TRAIN) == 0
    error = capsys.readouterr().err
    assert "the package's code (was " in error and "the number of threads (was 1, is 7)" in error
    assert changed_since({"threads": 1}, {"threads": 1, "code": "x"}) == []


def test_a_lock_keeps_a_second_process_out_and_leaves_nothing(tmp_path):
    with locked(tmp_path / "run"):
        with pytest.raises(UserError, match="another process is at work"), locked(tmp_path / "run"):
            pass
        assert (tmp_path / "run" / NAME).exists()
    assert list((tmp_path / "run").iterdir()) == []
    (tmp_path / "run" / NAME).write_text("")  # of a process that was killed
    with locked(tmp_path / "run"):
        pass


def test_a_link_in_the_place_of_a_part_file_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    with toy_recipe():
        assert main([*TRAIN, "--first-folds", "1"]) == 0
        for name in ("metrics.json.part", "A/fold-1/log.csv.part", "A/fold-1/state.safetensors.part"):
            place = tmp_path / "run" / name
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(tmp_path / "mine.txt")
        assert main(TRAIN) == 0
    assert (tmp_path / "mine.txt").read_text() == "mine" and not list((tmp_path / "run").rglob("*.part"))


def test_a_network_that_answers_nan_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tests.training.toy.ToyTask.predict",
                        lambda self, model, row, device: {"subject": self.subjects[row], "label": 0,
                                                          "probability": float("nan")})  # fmt: skip
    with toy_recipe():
        assert main(TRAIN) == 2
    assert "the network's probability for toy-" in capsys.readouterr().err
    assert not list(tmp_path.rglob("predictions.json"))
