"""The comparison of mechanisms: one frame for all, paired seeds, records that are gone on with, kept settings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from medattn_lite.attention import names
from medattn_lite.cli import main
from medattn_lite.errors import UserError
from medattn_lite.mechanism_comparison import cell, compare_mechanisms, find_plan, run
from medattn_lite.mechanism_comparison.cohort import Cohort, open_cohort, resized
from medattn_lite.mechanism_comparison.plans import TaskPlan
from medattn_lite.mechanism_comparison.small_networks import FRAMES, make_network, matched_width, parameters, started
from medattn_lite.mechanism_comparison.store import Row, TaskStore, plain
from medattn_lite.mechanism_comparison.timing import measure_costs

PLACES = [(frame, dims, name) for frame, entry in FRAMES.items() for dims in entry.spatial_dims for name in names(dims)]
TINY = {"steps": 2, "batch_size": 4, "subjects": 16}


def toy(dims: int = 2, *, masks: bool = False, n: int = 24) -> Cohort:
    """Images whose left half is brighter in class 1; the bright half is what a mask marks."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n, 2, *(16,) * dims, generator=generator)
    labels = torch.arange(n) % 2
    bright = torch.zeros(n, *(16,) * dims, dtype=torch.bool)
    bright[..., 4:8] = True
    images[:, 0][bright & (labels.reshape(-1, *[1] * dims) == 1)] += 3.0
    marked = bright & (labels.reshape(-1, *[1] * dims) == 1)
    half = n // 2
    return Cohort(images.half(), labels, marked if masks else None, tuple(f"p{row}" for row in range(n)),
                  tuple(range(half)), tuple(range(half, n)))  # fmt: skip


def toy_plan(frame: str = "resnet", **changes) -> TaskPlan:
    settings = {"question": "mask" if frame == "unet" else "label", "steps": 1, "batch_size": 2, **changes}
    return TaskPlan("toy", "a toy", data="phantom", frame=frame, size=(16, 16), **settings)


@pytest.mark.parametrize("frame, dims, mechanism", PLACES)
def test_every_mechanism_takes_a_step_in_every_frame(frame, dims, mechanism):
    cohort = toy(dims, masks=frame == "unet", n=8)
    record = cell.train_cell(toy_plan(frame), cohort, mechanism, seed=0)
    assert np.isfinite(record["loss"]) and 0 <= record["score"] <= 1
    assert len(record["predictions"]) == len(cohort.test)
    assert record["parameters"] == parameters(frame, mechanism, spatial_dims=dims, in_channels=2, width=8)
    assert json.loads(json.dumps(record)) == record


@pytest.mark.parametrize("mechanism", ["se", "cbam", "rsa"])
def test_what_two_networks_share_starts_from_the_same_weights(mechanism):
    options = {"spatial_dims": 2, "in_channels": 2, "width": 8}
    base, changed, other = (started("resnet", name, seed=seed, **options).state_dict()
                            for name, seed in (("none", 0), (mechanism, 0), (mechanism, 1)))  # fmt: skip
    assert set(base) < set(changed)
    assert all(torch.equal(base[name], changed[name]) for name in base)
    assert not torch.equal(changed["conv1.weight"], other["conv1.weight"])
    added = [name for name in changed if name not in base and changed[name].dim() > 1]
    assert any(not torch.equal(changed[name], other[name]) for name in added)


def test_two_mechanisms_of_a_seed_see_the_same_batches_and_another_seed_sees_others():
    plan, cohort = toy_plan(steps=9, batch_size=5), toy()
    first, again, other = ([image for image, _ in cell.batches(plan, cohort, seed)] for seed in (0, 0, 1))
    assert all(torch.equal(one, two) for one, two in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    rows = [tuple(image.flatten().sort().values.tolist()) for batch in first for image in batch]
    assert len(set(rows[:12])) == 12  # a whole pass before any image comes again


def test_a_cell_depends_on_its_seed_alone():
    plan, cohort = toy_plan(steps=3), toy()
    first = cell.train_cell(plan, cohort, "se", seed=4)
    torch.rand(7)
    again, other = cell.train_cell(plan, cohort, "se", seed=4), cell.train_cell(plan, cohort, "se", seed=5)
    assert first["predictions"] == again["predictions"] != other["predictions"]


def test_a_network_learns_the_toy_and_its_masks():
    assert cell.train_cell(toy_plan(steps=40, batch_size=8), toy(), "none", seed=0)["score"] > 0.9
    result = cell.train_cell(toy_plan("unet", steps=60, batch_size=8, crop=(12, 12)), toy(masks=True), "none", seed=0)
    assert result["score"] > 0.6 and result["predictions"].count(None) == 6  # nothing is marked in half of the images


@pytest.mark.parametrize("frame, dims, mechanism", PLACES)
def test_the_plain_control_is_the_narrowest_with_as_many_parameters(frame, dims, mechanism):
    options = {"spatial_dims": dims, "in_channels": 3}
    width = matched_width(frame, mechanism, width=8, **options)
    wanted = parameters(frame, mechanism, width=8, **options)
    assert parameters(frame, "none", width=width, **options) >= wanted
    if width > 8:
        assert parameters(frame, "none", width=width - FRAMES[frame].step, **options) < wanted


def test_a_comparison_goes_on_and_trains_nothing_twice(tmp_path, monkeypatch):
    plan = find_plan("presence", changes=TINY)
    trained = []
    real = cell.train_cell

    def counted(*arguments, **named):
        trained.append((arguments[2], named["seed"]))
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    monkeypatch.setattr(run, "train_cell", counted)
    with pytest.raises(KeyboardInterrupt):
        compare_mechanisms([plan], ["se"], seeds=[0], out=tmp_path, progress=False)
    files = sorted((tmp_path / "presence" / "cells").glob("*/*.json"))
    assert len(files) == 2 and not list(tmp_path.rglob("*.part"))
    written = [path.stat().st_mtime_ns for path in files]
    monkeypatch.setattr(run, "open_cohort", lambda plan, folder, **named: open_cohort(plan, folder, progress=False))
    done = compare_mechanisms([plan], ["se"], seeds=[0, 1], out=tmp_path, progress=False)
    assert (done.run, done.existing, done.left) == (4, 2, 0)
    assert [path.stat().st_mtime_ns for path in files] == written
    assert compare_mechanisms([plan], ["se"], seeds=[0, 1], out=tmp_path, progress=False).run == 0
    assert set(TaskStore(tmp_path, plan).costs()) == {"none", "se", "none-w9"}
    compare_mechanisms([plan], ["rsa"], seeds=[0], out=tmp_path, minutes=1e-9, progress=False)
    assert "rsa" not in TaskStore(tmp_path, plan).costs()
    compare_mechanisms([plan], ["eca"], seeds=[0], out=tmp_path, progress=False)
    assert set(TaskStore(tmp_path, plan).costs()) == {"none", "se", "eca", "none-w9"}


def test_no_cell_is_begun_after_the_minutes(tmp_path):
    plan = find_plan("presence", changes=TINY)
    done = compare_mechanisms([plan], ["se"], seeds=[0], out=tmp_path, minutes=0, progress=False)
    assert (done.run, done.left) == (0, 3)


def test_a_changed_setting_is_refused_and_nothing_is_written(tmp_path):
    compare_mechanisms([find_plan("presence", changes=TINY)], [], seeds=[0], out=tmp_path, progress=False)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="made with steps=2 and now it is 3"):
        compare_mechanisms([find_plan("presence", changes={**TINY, "steps": 3})], ["se"], seeds=[0], out=tmp_path,
                           progress=False)  # fmt: skip
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_other_patients_are_refused(tmp_path):
    store = TaskStore(tmp_path, toy_plan())
    store.begin(toy())
    store.begin(toy())
    with pytest.raises(UserError, match="fingerprint"):
        store.begin(toy(n=26))


def test_a_damaged_record_is_named(tmp_path):
    store = TaskStore(tmp_path, toy_plan())
    store.begin(toy())
    store.keep_cell(Row("se", 8), 0, {"mechanism": "se"})
    next(tmp_path.rglob("seed-0.json")).write_text("{")
    with pytest.raises(UserError, match="seed-0.json is damaged"):
        store.cell(Row("se", 8), 0)


def test_costs_are_relative_to_the_plain_network():
    costs = measure_costs(toy_plan(), toy(), [Row("none", 8), Row("se", 8), plain(9)], rounds=2)
    assert costs["none"]["time"] == 1.0 and costs["none-w9"]["multiplications"] > costs["none"]["multiplications"]
    assert costs["se"]["parameters"] > costs["none"]["parameters"]
    assert all(cost["time_low"] <= cost["time"] <= cost["time_high"] for cost in costs.values())


def test_a_split_keeps_patients_on_one_side(tmp_path):
    cohort = open_cohort(find_plan("presence", changes=TINY), tmp_path, progress=False)
    sides = [{cohort.subjects[row] for row in rows} for rows in (cohort.train, cohort.test)]
    assert not sides[0] & sides[1] and len(sides[0]) == len(sides[1]) == 8
    again = open_cohort(find_plan("presence", changes=TINY), tmp_path, progress=False)  # read from the disk
    assert torch.equal(cohort.images, again.images) and cohort.facts() == again.facts()


def test_images_are_scaled_by_means_over_areas():
    assert torch.equal(resized(torch.arange(16.0).reshape(1, 4, 4), (2, 2)), torch.tensor([[[2.5, 4.5], [10.5, 12.5]]]))


@pytest.mark.parametrize("name, changes, message", [
    ("grades", {}, "no task is called 'grades'"),
    ("label", {}, "say --data and --root"),
    ("grade", {"changes": {"speed": 1}}, "no setting is called 'speed'"),
    ("grade", {"changes": {"steps": 0}}, "steps=0"),
    ("grade", {"changes": {"size": (4, 4)}}, "size=\\(4, 4\\)"),
    ("grade", {"changes": {"learning_rate": -1}}, "learning_rate=-1"),
    ("grade", {"changes": {"test_share": 1.0}}, "test_share=1.0"),
])  # fmt: skip
def test_a_plan_that_cannot_be_is_refused_in_one_line(name, changes, message):
    with pytest.raises(UserError, match=message):
        find_plan(name, **changes)


def test_a_frame_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="not defined in 2-D"):
        make_network("p3d", "se", spatial_dims=2, in_channels=1, width=8)
    with pytest.raises(UserError, match="multiple of 2"):
        make_network("unet", "se", spatial_dims=2, in_channels=1, width=7)


@pytest.mark.parametrize("words, message", [
    (["--mechanisms", "sse"], "no attention mechanism is called 'sse'"),
    (["--tasks", "lgg"], "give --root DIR"),
    (["--set", "steps"], "is not NAME=VALUE"),
])  # fmt: skip
def test_the_command_answers_a_mistake_in_one_line(words, message, capsys, tmp_path):
    assert main(["compare", "--out", str(tmp_path / "out"), *words]) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1 and not (tmp_path / "out").exists()


def test_the_command_lists_tasks_and_mechanisms(capsys):
    assert main(["compare", "--list"]) == 0
    out = capsys.readouterr().out
    assert "grade" in out and "recurrent slice attention" in out


@pytest.mark.parametrize("changes", [
    {"per_subject": 0}, {"subjects": -1}, {"subjects": 1}, {"around_mask": 3}, {"crop": (99, 99, 99)}, {"crop": (8, 8)},
    {"width": 10**8}, {"steps": True}, {"learning_rate": float("inf")}, {"learning_rate": True}, {"size": None},
    {"size": (16, 24, 10**6)}, {"batch_size": 10**9},
])  # fmt: skip
def test_settings_out_of_their_range_are_refused_before_anything_is_made(changes):
    with pytest.raises(UserError, match=f"^{next(iter(changes))}="):
        find_plan("grade", changes=changes)
