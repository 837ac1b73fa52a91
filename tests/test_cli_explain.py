"""`medattn explain` from end to end: runs trained at smoke scale, an image of one's own, a map that lies on it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from accelerate import Accelerator
from PIL import Image

from medattn_lite import cli
from medattn_lite.data.json_files import SEAL
from medattn_lite.networks.trained import trained_facts
from medattn_lite.training.experiment import Plan, run_experiment
from tests.test_cli import assert_one_line

VARIANTS = {"grading": "P3D + IAM", "presence": "ResNeSAt", "lesions": "U-Net", "survival": "SE-ResNeXt-50 + clinical"}
SUBJECTS = {"grading": 10, "presence": 4, "lesions": 4, "survival": 8}
CHANNELS = {"lesions": ("t1", "t2", "flair")}
FOUR = ("t1", "t1ce", "t2", "flair")


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a recipe's run at smoke scale, trained when it is first asked for."""
    folders: dict[str, Path] = {}

    def run(recipe: str) -> Path:
        if recipe not in folders:
            folders[recipe] = tmp_path_factory.mktemp("runs") / recipe
            plan = Plan(recipe, variants=(VARIANTS[recipe],), first_folds=1, changes={"subjects": SUBJECTS[recipe]},
                        out=folders[recipe])  # fmt: skip
            run_experiment(plan, accelerator=Accelerator(cpu=True), progress=False)
        return folders[recipe]

    return run


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four contrasts of a head with a bright block, the block's mask, and all in one 4-D file; axes L, P, S; 7 mm."""
    folder, shape = tmp_path_factory.mktemp("patient"), (22, 26, 24)
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside, random = sum(axis**2 for axis in grid) < 0.8, np.random.default_rng(1)
    mask = np.zeros(shape, dtype=np.uint8)
    mask[6:10, 8:13, 11:16] = 1
    affine = np.array([[-7.0, 0, 0, 70], [0, -7.0, 0, 90], [0, 0, 7.0, -60], [0, 0, 0, 1]])
    images = [np.where(inside, random.uniform(80, 120, shape) + 150 * mask, 0).astype(np.float32) for _ in FOUR]
    for name, image in zip(FOUR, images, strict=True):
        nib.save(nib.Nifti1Image(image, affine), folder / f"patient_{name}.nii.gz")
    nib.save(nib.Nifti1Image(np.stack(images, axis=3), affine), folder / "patient_all.nii.gz")
    nib.save(nib.Nifti1Image(mask, affine), folder / "patient_seg.nii.gz")
    nib.save(nib.Nifti1Image(np.zeros_like(mask), affine), folder / "empty.nii.gz")
    nib.save(nib.Nifti1Image(mask[:-1], affine), folder / "other_grid.nii.gz")
    return folder


def test_a_run_on_windows_of_one_slice_is_explained_in_such_windows(tmp_path: Path, patient: Path, capsys) -> None:
    changes = {"subjects": 4, "options": {"window_slices": 1}}
    plan = Plan("lesions", variants=("RSA-010",), first_folds=1, changes=changes, out=tmp_path / "run")
    run_experiment(plan, accelerator=Accelerator(cpu=True), progress=False)
    words = ["--image", *files(patient, "lesions"), "--at", "14,20,31", "--out", str(tmp_path / "map.nii.gz")]
    assert cli.main(["explain", str(tmp_path / "run"), *words]) == 0
    assert "windows of 1×16×16" in capsys.readouterr().out
    assert np.count_nonzero(np.asarray(nib.load(tmp_path / "map.nii.gz").dataobj).any((0, 1))) <= 2  # one slice of 6 mm


def files(patient: Path, recipe: str) -> list[str]:
    return [str(patient / f"patient_{name}.nii.gz") for name in CHANNELS.get(recipe, FOUR)]


@pytest.mark.parametrize(("recipe", "more", "says"), [
    ("grading", ["--mask", "{}/patient_seg.nii.gz"], ["fold 0", "grade, probability 0.", "Grad-CAM of ", "mm"]),
    ("grading", ["--at", "14,20,31", "--method", "attention", "--variant", "P3D + IAM"], ["attention at layer", "iam"]),
    ("grading", ["--mask", "{}/patient_seg.nii.gz", "--method", "gradcam++", "--target", "high grade", "--set",
                 "relu=true", "--layer", "layer1"], ["Grad-CAM++ of high grade at layer1"]),
    ("presence", ["--mask", "{}/patient_seg.nii.gz"], ["the mask was not used: this run looks at the whole image"]),
    ("grading", ["--mask", "{}/patient_seg.nii.gz", "--at", "14,20,31"], ["the mask was not used: a point was given"]),
    ("presence", [], ["tumour in ", "Grad-CAM of tumour", "too little head"]),
    ("lesions", ["--at", "14,20,31"], ["lesion: ", " mL", "Grad-CAM of lesion at 14, 20, 31", "windows of 16×16×16"]),
    ("survival", ["--fold", "0"], ["variant SE-ResNeXt-50 + clinical", "survival of 0.", "risk of death",
                                   "training patients' mean"]),
    ("survival", ["--method", "ig", "--set", "steps=2"], ["integrated gradients of risk of death"]),
    ("survival", ["--method", "occlusion", "--set", "window=16"], ["occlusion of risk of death"]),
])
def test_a_map_lies_on_the_image_it_explains(
    recipe: str, more: list[str], says: list[str], trained: Callable, patient: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    out, words = tmp_path / "map.nii.gz", [word.format(patient) for word in more]
    folder = trained(recipe)
    capsys.readouterr()
    assert cli.main(["explain", str(folder), "--image", *files(patient, recipe), *words, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in says), printed
    image, volume = nib.load(files(patient, recipe)[0]), nib.load(out)
    assert volume.shape == image.shape and np.allclose(volume.affine, image.affine)
    assert nib.aff2axcodes(volume.affine) == ("L", "P", "S") and volume.get_data_dtype() == np.float32
    values = volume.get_fdata()
    assert np.isfinite(values).all() and values.any()
    assert values.min() >= 0 or "relu=true" not in more
    with Image.open(tmp_path / "map.png") as picture:
        assert picture.width > 600 and "three planes" in picture.info["Description"]
    page = tmp_path / "map.html"
    page_line = f"{page} ({page.stat().st_size / 1e6:.1f} MB: three linked planes" in printed
    assert page_line if page.exists() else "note: no map.html: nothing of" in printed, printed
    written = {"map.nii.gz", "map.png", "map.json"}
    assert {path.name for path in tmp_path.iterdir()} - {"map.html"} == written
    facts = json.loads((tmp_path / "map.json").read_text(encoding="utf-8"))
    assert facts["map"] == "map.nii.gz" and facts["recipe"] == recipe and facts["prediction"] in printed
    expected = {"grading": ["low grade", "high grade"], "presence": ["no tumour", "tumour"]}.get(recipe)
    assert expected is None or list(facts["labels"].values()) == expected
    assert facts["method"].lower().startswith("attention") or facts["target"] in printed


def test_channels_come_by_name_in_any_order_in_order_or_in_one_file(
    trained: Callable, patient: Path, tmp_path: Path
) -> None:
    named = [f"{name.upper()}={patient / f'patient_{name}.nii.gz'}" for name in reversed(FOUR)]
    maps = []
    every = [str(patient / "patient_all.nii.gz"), "--channels", ",".join(FOUR)]
    for number, images in enumerate((files(patient, "grading"), named, every)):
        out = tmp_path / f"{number}.nii.gz"
        words = ["explain", str(trained("grading")), "--mask", str(patient / "patient_seg.nii.gz"), "--image", *images]
        assert cli.main([*words, "--out", str(out)]) == 0
        maps.append(nib.load(out).get_fdata())
    assert np.array_equal(maps[0], maps[1]) and np.array_equal(maps[0], maps[2])


def test_what_is_there_is_replaced_by_force_only(
    trained: Callable, patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["explain", str(trained("grading")), "--mask", str(patient / "patient_seg.nii.gz"), "--image",
             *files(patient, "grading"), "--out", str(tmp_path / "map.nii")]  # fmt: skip
    (tmp_path / "map.png").write_bytes(b"mine")
    assert cli.main(words) == 2
    assert_one_line(capsys.readouterr().err, "map.png exists already", "--force")
    assert (tmp_path / "map.png").read_bytes() == b"mine" and not (tmp_path / "map.nii").exists()
    (tmp_path / "map.png").unlink()
    (tmp_path / "map.html").write_bytes(b"mine")
    assert cli.main(words) == 2
    assert_one_line(capsys.readouterr().err, "map.html exists already", "--force")
    assert (tmp_path / "map.html").read_bytes() == b"mine" and not (tmp_path / "map.nii").exists()
    assert cli.main([*words, "--force"]) == 0 and cli.main([*words, "--force"]) == 0
    assert (tmp_path / "map.html").stat().st_size > 50_000
    assert (tmp_path / "map.png").read_bytes() != b"mine" and nib.load(tmp_path / "map.nii").shape == (22, 26, 24)


MASK = ["--mask", "{patient}/patient_seg.nii.gz"]


@pytest.mark.parametrize(("recipe", "more", "says"), [
    ("grading", [], ("crop around the tumour", "--mask FILE", "--at X,Y,Z")),
    ("grading", ["--mask", "{patient}/empty.nii.gz"], ("empty.nii.gz is empty",)),
    ("grading", ["--mask", "{patient}/other_grid.nii.gz"], ("register and resample",)),
    ("grading", ["--mask", "nowhere.nii.gz"], ("no file nowhere.nii.gz",)),
    ("grading", ["--at", "14,20"], ("three numbers of millimetres",)),
    ("grading", ["--at", "900,0,0"], ("is not in the image",)),
    ("grading", [*MASK, "--target", "tiny grade"], ("no class 'tiny grade'", "'low grade'")),
    ("grading", [*MASK, "--layer", "layer9"], ("no layer 'layer9'",)),
    ("grading", [*MASK, "--method", "saliency"], ("unknown method 'saliency'", "Grad-CAM")),
    ("grading", [*MASK, "--set", "window=8"], ("no option 'window'",)),
    ("grading", [*MASK, "--set", "relu=often"], ("--set relu", "whole numbers or true")),
    ("grading", [*MASK, "--variant", "P4D"], ("no variant 'P4D'",)),
    ("grading", [*MASK, "--variant", "P3D"], ("'P3D' is not trained", "P3D + IAM")),
    ("grading", [*MASK, "--variant", "tumour features"], ("has no network that looks at an image",)),
    ("grading", [*MASK, "--fold", "7"], ("fold 7", "use 0")),
    ("grading", [*MASK, "--device", "toaster"], ("unknown device",)),
    ("presence", ["--at", "1,2,3"], ("leave --at out",)),
    ("survival", ["--at", "1,2,3"], ("leave --at out",)),
    ("survival", ["--target", "luck"], ("no 'luck' to explain", "risk")),
    ("survival", ["--method", "attention"], ("no attention over places", "channel")),
    ("lesions", ["--target", "tumour"], ("no region 'tumour'", "'lesion'")),
])  # fmt: skip
def test_what_does_not_fit_a_run_is_one_line_and_exit_code_2(
    recipe: str, more: list[str], says: tuple, trained: Callable, patient: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    words = [word.format(patient=patient) for word in more]
    folder = trained(recipe)
    capsys.readouterr()
    code = cli.main(["explain", str(folder), "--image", *files(patient, recipe), *words, "--out",
                     str(tmp_path / "map.nii.gz")])  # fmt: skip
    assert code == 2
    assert_one_line(capsys.readouterr().err, *says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("images", "says"), [
    (["{t1}"], ("1 image given", "takes 4", "t1=FILE t1ce=FILE")),
    (["{t1}", "{t2}", "{t1ce}", "{flair}"], ("looks like t2", "in the place of t1ce", "--image t2=FILE")),
    (["t1={t1}", "{t1ce}", "{t2}", "{flair}"], ("some have none",)),
    (["t1={t1}", "t1={t1ce}", "t2={t2}", "flair={flair}"], ("'t1' is given twice",)),
    (["adc={t1}", "t1ce={t1ce}", "t2={t2}", "flair={flair}"], ("no channel 'adc'",)),
    (["{t1}", "{t1ce}", "{t2}", "nowhere.nii.gz"], ("no file nowhere.nii.gz",)),
    (["{t1}", "{t1ce}", "{t2}", "{all}"], ("is 4-D",)),
    (["{t1}", "{t1ce}", "{t2}", "{flair}", "{flair}"], ("5 images given",)),
    (["{other}", "{t1ce}", "{t2}", "{flair}"], ("register and resample",)),
])  # fmt: skip
def test_images_that_are_not_the_run_s_channels_are_one_line(
    images: list[str], says: tuple, trained: Callable, patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    names = {name: patient / f"patient_{name}.nii.gz" for name in (*FOUR, "all")} | {
        "other": patient / "other_grid.nii.gz"
    }
    folder = trained("grading")
    capsys.readouterr()
    files_given = [word.format(**names) for word in images]
    assert cli.main(["explain", str(folder), "--image", *files_given, "--out", str(tmp_path / "map.nii.gz")]) == 2
    assert_one_line(capsys.readouterr().err, *says)


@pytest.mark.parametrize("target", ["²", "9" * 5000, "-1", ""])
def test_a_target_that_is_no_number_of_a_class_is_one_line(
    target: str, patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["explain", "grade_p3d", "--image", *files(patient, "grading"), "--out", str(tmp_path / "map.nii.gz")]
    assert cli.main([*words, f"--target={target}"]) == 2
    assert_one_line(capsys.readouterr().err.splitlines(keepends=True)[-1], "there is no class")


@pytest.mark.parametrize("side", [1e-8, 1e30])
def test_voxels_of_no_possible_size_are_refused_before_memory_is_taken(
    side: float, patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for name in FOUR:
        values = nib.load(patient / f"patient_{name}.nii.gz").get_fdata(dtype=np.float32)
        nib.save(nib.Nifti1Image(values, np.diag([side] * 3 + [1])), tmp_path / f"{name}.nii")
    images = [f"{name}={tmp_path / name}.nii" for name in FOUR]
    assert cli.main(["explain", "grade_p3d", "--image", *images, "--out", str(tmp_path / "map.nii.gz")]) == 2
    assert_one_line(capsys.readouterr().err, f"measure {side:g}×{side:g}×{side:g} mm", "header is wrong")
    assert not (tmp_path / "map.nii.gz").exists()


def test_one_file_for_two_channels_is_said(patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    names = {name: patient / f"patient_{name}.nii.gz" for name in FOUR}
    images = [f"{name}={path}" for name, path in {**names, "t2": names["t1"]}.items()]
    assert cli.main(["explain", "grade_p3d", "--image", *images, "--out", str(tmp_path / "map.nii.gz")]) == 0
    out = capsys.readouterr().out
    assert "note: t1 and t2 are one and the same file (patient_t1.nii.gz)" in out and out.count("same file") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="file names that are no UTF-8")
def test_a_map_may_have_a_name_that_is_no_utf_8(patient: Path, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"\xff.nii.gz")
    assert cli.main(["explain", "grade_p3d", "--image", *files(patient, "grading"), "--out", str(out)]) == 0
    assert json.loads((tmp_path / os.fsdecode(b"\xff.json")).read_text())["map"] == out.name


@pytest.mark.parametrize(("words", "says"), [
    (["nowhere", "--out", "map.nii.gz"], ("nowhere holds no run", "a network that ships (grade_p3d, ")),
    (["grade_p3d", "--fold", "1", "--out", "map.nii.gz"], ("leave --variant and --fold out",)),
    (["nowhere", "--out", "map.png"], ("must end in .nii",)),
    (["nowhere", "--out", "deep/map.nii.gz"], ("no folder deep",)),
])  # fmt: skip
def test_a_run_or_a_map_that_cannot_be_is_one_line(
    words: list[str], says: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["explain", *words, "--image", "t1.nii.gz"]) == 2
    assert_one_line(capsys.readouterr().err, *says)


def test_a_run_without_its_end_or_its_weights_says_so(trained: Callable, tmp_path: Path, patient: Path,
                                                      capsys: pytest.CaptureFixture) -> None:
    record = (trained("grading") / "recipe.json").read_text()
    capsys.readouterr()
    words = ["--image", *files(patient, "grading"), "--out", str(tmp_path / "map.nii.gz")]
    elsewhere = json.loads(record.replace('"phantom",', '"lgg",', 1))
    elsewhere.pop(SEAL)  # as of a version that did not seal its files
    for text, says in ((record, "no trained network yet"), (json.dumps(elsewhere), "has not ended"),
                       (record[:-20], "is damaged")):  # fmt: skip
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        (folder / "recipe.json").write_text(text)
        assert cli.main(["explain", str(folder), *words]) == 2
        assert_one_line(capsys.readouterr().err, says)


def test_phantoms_that_are_still_trained_on_can_be_explained(trained: Callable, patient: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(trained("grading"), folder)
    (folder / "metrics.json").unlink()
    words = ["--mask", str(patient / "patient_seg.nii.gz"), "--image", *files(patient, "grading")]
    assert cli.main(["explain", str(folder), *words, "--out", str(tmp_path / "map.nii.gz")]) == 0


@pytest.mark.parametrize(("name", "more"), [
    ("grade_p3d_iam_shuffled", ["--target", "high grade"]),
    ("lesions_rsa", ["--at", "14,20,31"]),
    ("presence_resnesat", ["--method", "attention"]),
    ("grade_p3d_iam", ["--method", "layercam", "--layer", "layer1", "--set", "head_only=true"]),
    ("grade_p3d_iam", ["--method", "fused layercam", "--set", "fusion=maximum"]),
    ("survival_se_resnext", []),
])  # fmt: skip
def test_a_network_that_ships_explains_an_image_without_a_run(
    name: str, more: list[str], patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    images, out = files(patient, name.split("_")[0]), tmp_path / "map.nii.gz"
    assert cli.main(["explain", name, "--image", *images, *more, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    variant = trained_facts(name)["variant"]
    assert printed.startswith(f"{variant}, trained on phantoms: for learning, not for patients\nprediction: ")
    volume, scan = nib.load(out), nib.load(images[0])
    assert volume.shape == scan.shape and np.allclose(volume.affine, scan.affine) and np.asarray(volume.dataobj).any()


def four_d(patient: Path, path: Path, order: tuple[str, ...]) -> Path:
    images = [nib.load(patient / f"patient_{name}.nii.gz") for name in order]
    nib.save(nib.Nifti1Image(np.stack([image.get_fdata() for image in images], 3), images[0].affine), path)
    return path


@pytest.mark.parametrize("order", [FOUR, ("flair", "t1", "t1ce", "t2"), ("t2", "flair", "t1ce", "t1")])
def test_a_4d_file_is_read_in_the_order_that_is_said_and_not_in_an_assumed_one(
    order: tuple[str, ...], patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from medattn_lite.explain import read_image

    stored = four_d(patient, tmp_path / "four.nii.gz", order)
    apart = read_image([f"{name}={patient / f'patient_{name}.nii.gz'}" for name in FOUR], FOUR)
    sample = read_image([str(stored)], FOUR, order=order)
    assert np.allclose(apart["image"], sample["image"]) and ", ".join(order) in sample["meta"]["notes"][0]
    words = ["explain", "grade_p3d_iam", "--image", str(stored), "--mask", str(patient / "patient_seg.nii.gz"), "--out",
             str(tmp_path / "map.nii.gz")]  # fmt: skip
    assert cli.main(words) == 2
    assert_one_line(capsys.readouterr().err, "does not say in which order", "--channels t1,t1ce,t2,flair")
    assert not (tmp_path / "map.nii.gz").exists()
    assert cli.main([*words, "--channels", ",".join(order)]) == 0
    assert f"in the order {', '.join(order)} (as --channels says)" in capsys.readouterr().out


def test_a_4d_file_of_the_decathlon_is_read_in_the_order_of_its_dataset_json(patient: Path, tmp_path: Path) -> None:
    import json

    from medattn_lite.explain import read_image

    (tmp_path / "imagesTr").mkdir()
    stored = four_d(patient, tmp_path / "imagesTr" / "BRATS_001.nii.gz", ("flair", "t1", "t1ce", "t2"))
    modality = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
    (tmp_path / "dataset.json").write_text(json.dumps({"modality": modality}))
    sample = read_image([str(stored)], FOUR)
    apart = read_image([f"{name}={patient / f'patient_{name}.nii.gz'}" for name in FOUR], FOUR)
    assert np.allclose(sample["image"], apart["image"]) and "dataset.json" in sample["meta"]["notes"][0]


@pytest.mark.parametrize(("order", "says"), [
    ("t1,t1ce,t2", "takes flair once"), ("t1,t1ce,t2,t2", "takes t2 once"), ("t1,t1ce,t2,adc", "takes flair once"),
    ("t1,t1ce,t2,flair,adc", "holds 4 channels"), ("a", "takes t1 once"),
])  # fmt: skip
def test_an_order_that_does_not_fit_is_one_line(order: str, says: str, patient: Path, tmp_path: Path,
                                                capsys: pytest.CaptureFixture) -> None:
    words = ["explain", "grade_p3d_iam", "--image", str(patient / "patient_all.nii.gz"), "--channels", order, "--mask",
             str(patient / "patient_seg.nii.gz"), "--out", str(tmp_path / "map.nii.gz")]  # fmt: skip
    assert cli.main(words) == 2
    assert_one_line(capsys.readouterr().err, says)


def test_names_that_say_no_contrast_are_told_how_they_were_taken(patient: Path, tmp_path: Path) -> None:
    import shutil

    from medattn_lite.explain import read_image

    for number, name in enumerate(FOUR):
        shutil.copy(patient / f"patient_{name}.nii.gz", tmp_path / f"scan_000{number}.nii.gz")
    notes = read_image([str(tmp_path / f"scan_000{n}.nii.gz") for n in range(4)], FOUR)["meta"]["notes"]
    assert "scan_0000.nii.gz is t1, scan_0001.nii.gz is t1ce" in notes[0]
    assert read_image([str(patient / f"patient_{name}.nii.gz") for name in FOUR], FOUR)["meta"]["notes"] == ()


@pytest.mark.parametrize("target", ["t1", "flair", "seg"])
@pytest.mark.parametrize("way", ["itself", "link to it", "it through a link", "other words"])
def test_an_input_is_never_replaced_whatever_it_is_called(target: str, way: str, patient: Path, tmp_path: Path,
                                                          capsys: pytest.CaptureFixture) -> None:
    import shutil

    for path in patient.iterdir():
        shutil.copy(path, tmp_path / path.name)
    source = tmp_path / f"patient_{target}.nii.gz"
    images = [f"{name}={tmp_path / f'patient_{name}.nii.gz'}" for name in FOUR]
    out = source
    if way == "link to it":
        out = tmp_path / "out.nii.gz"
        out.symlink_to(source)
    elif way == "it through a link":
        (tmp_path / "same").symlink_to(tmp_path)
        out = tmp_path / "same" / source.name
    elif way == "other words":
        out = tmp_path / "x" / ".." / source.name
        (tmp_path / "x").mkdir()
    before = source.read_bytes()
    words = ["explain", "grade_p3d_iam", "--image", *images, "--mask", str(tmp_path / "patient_seg.nii.gz")]
    assert cli.main([*words, "--out", str(out), "--force"]) == 2
    assert_one_line(capsys.readouterr().err, "the input", "--force does not replace")
    assert source.read_bytes() == before and not list(tmp_path.glob("*.png"))


def test_a_name_of_the_command_s_own_is_no_option_of_a_method(patient: Path, tmp_path: Path,
                                                              capsys: pytest.CaptureFixture) -> None:
    for word in ("target=1", "model=1", "layer=3", "progress=true", "sample=1", "window=²"):
        words = ["explain", "grade_p3d_iam", "--image", *files(patient, "grading"), "--set", word]
        assert cli.main([*words, "--out", str(tmp_path / "map.nii.gz")]) == 2
        assert_one_line(capsys.readouterr().err, "--set")
