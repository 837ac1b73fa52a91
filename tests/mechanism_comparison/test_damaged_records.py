"""A comparison gone on with on other images, or from damaged files: refused in one line that names the file."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from medattn_lite.errors import UserError
from medattn_lite.mechanism_comparison.cohort import open_cohort
from medattn_lite.mechanism_comparison.kept_phantoms import read_phantoms, write_phantoms
from medattn_lite.mechanism_comparison.plans import find_plan
from medattn_lite.mechanism_comparison.results import collect
from medattn_lite.mechanism_comparison.store import Row, TaskStore
from tests.data.makers import brain, save, tumour
from tests.hostile.damage import KINDS, NUMBERS
from tests.mechanism_comparison.test_comparison import toy, toy_plan


def two_channels(root):
    for number in range(6):
        for channel in ("flair", "t1"):
            save(brain(seed=number + 10 * (channel == "t1")), root / f"case{number}" / f"{channel}.nii.gz")
        save(tumour(labels=(1,)), root / f"case{number}" / "mask.nii.gz")
    return root


def other_image(root):
    save(brain(seed=99), root / "case3" / "t1.nii.gz")
    return {}


def other_mask(root):
    path = root / "case3" / "mask.nii.gz"
    mask = nib.load(path)
    values = np.asarray(mask.dataobj).copy()
    values[tuple(np.argwhere(values > 0)[0])] = 0
    nib.save(nib.Nifti1Image(values, mask.affine), path)
    return {}


def other_order(root):
    return {"channels": ["t1", "flair"]}


@pytest.mark.parametrize(("changed", "says"), [(other_image, "made from other images"),
                                               (other_mask, "made from other images"), (other_order, "channel_names")])
def test_other_images_masks_or_channels_of_the_same_patients_are_refused(changed, says, tmp_path):
    root = two_channels(tmp_path / "data")
    plan = find_plan("mask", data="nifti", changes={"size": (16, 16, 16)})
    store, words = TaskStore(tmp_path / "out", plan), {"root": root, "progress": False}
    store.begin(open_cohort(plan, store.folder, options={"channels": ["flair", "t1"]}, **words))
    store.begin(open_cohort(plan, store.folder, options={"channels": ["flair", "t1"]}, **words))
    options = {"channels": ["flair", "t1"], **changed(root)}
    with pytest.raises(UserError, match=says):
        store.begin(open_cohort(plan, store.folder, options=options, **words))


def record(mechanism: str, width: int) -> dict:
    return {"mechanism": mechanism, "width": width, "seed": 0, "parameters": 90, "score": 0.5, "loss": 0.7,
            "predictions": [0.25, 0.75] * 6, "seconds": 1.5}  # fmt: skip


def made(folder):
    """A comparison of one task, with costs."""
    store = TaskStore(folder, toy_plan())
    store.begin(toy())
    for row in (Row("none", 8), Row("se", 8), Row("none", 9, wider=True)):
        store.keep_cell(row, 0, record(row.mechanism, row.width))
    store.keep_costs({name: {"parameters": 90, "time": 1.5} for name in ("none", "se", "none-w9")})
    return store


@pytest.mark.parametrize(("kind", "name"), [
    (kind, name) for kind in (*KINDS, "folder", "link to nowhere")
    for name in ("settings.json", "costs.json", "cells/se/seed-0.json")
    if (kind, name) != ("an object", "costs.json")  # no costs: they are measured anew
])  # fmt: skip
def test_a_damaged_file_is_named_in_one_line(kind, name, tmp_path):
    store = made(tmp_path)
    assert set(collect(tmp_path)["tasks"]["toy"]["rows"]) == {"none", "se", "none-w9"}
    path = store.folder / name
    if kind in KINDS:
        path.write_bytes(KINDS[kind](path.read_bytes()))
    else:
        path.unlink()
        path.mkdir() if kind == "folder" else path.symlink_to("nowhere")
    with pytest.raises(UserError) as error:
        store.require_same_settings()
        store.begin(toy())
        store.cell(Row("se", 8), 0)
        collect(tmp_path)
    assert path.name in str(error.value) and "\n" not in str(error.value)


def test_a_copy_beside_a_record_is_no_record_and_that_of_another_network_is_refused(tmp_path):
    store = made(tmp_path)
    cells = store.folder / "cells"
    (cells / "se" / "seed-0 (1).json").write_bytes((cells / "se" / "seed-0.json").read_bytes())
    assert store.seeds(Row("se", 8)) == [0] and len(store.rows()) == 3
    (cells / "se" / "seed-1.json").write_bytes((cells / "none" / "seed-0.json").read_bytes())
    with pytest.raises(UserError, match="seed-1.json is the record of another network, none"):
        store.rows()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NUMBERS])
def test_damaged_phantoms_are_named_and_never_trained_on(kind, tmp_path):
    cohort, path = toy(masks=True), tmp_path / "phantoms.safetensors"
    write_phantoms(path, cohort.images, cohort.labels, cohort.masks, cohort.subjects)
    images, labels, masks, subjects = read_phantoms(path)
    assert images.equal(cohort.images) and labels.equal(cohort.labels) and masks.equal(cohort.masks)
    assert subjects == list(cohort.subjects)
    before = path.read_bytes()
    path.write_bytes(KINDS[kind](before))
    assert path.read_bytes() != before
    with pytest.raises(UserError, match="phantoms.safetensors is damaged.*makes the phantoms anew"):
        read_phantoms(path)


def test_a_link_where_the_phantoms_are_written_is_not_followed(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "phantoms.safetensors.part").symlink_to("mine.txt")
    cohort = toy()
    write_phantoms(tmp_path / "phantoms.safetensors", cohort.images, cohort.labels, None, cohort.subjects)
    assert (tmp_path / "mine.txt").read_text() == "mine"
