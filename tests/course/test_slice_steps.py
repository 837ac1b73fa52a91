"""What notebooks 02 to 05 begin with: slices of heads, split by patient, and heads whose grade is known."""

from __future__ import annotations

import torch

from medattn_lite.course import labelled_heads, open_slices, split_by_patient

SMALL = {"n": 4, "spacing_mm": 8.0, "size": (24, 24), "per_subject": 4, "iterations": 1}


def test_slices_have_the_size_that_was_asked_for_and_both_labels(capsys) -> None:
    slices = open_slices(SMALL, data="phantom", root=None, seed=0)
    assert slices.images.shape[2:] == (24, 24) and len(set(slices.subjects)) == 4
    assert {*slices.labels.tolist()} == {0, 1}
    assert all(slices.subjects.count(subject) <= 4 for subject in slices.subjects)
    printed = capsys.readouterr().out
    assert printed == (f"{len(slices)} slices of 4 heads, {int(slices.labels.sum())} with tumour; "
                       f"each is (C, H, W) = {tuple(slices.images.shape[1:])}\n")  # fmt: skip


def test_slices_depend_on_the_seed() -> None:
    first, again, other = (open_slices(SMALL, data="phantom", root=None, seed=seed).images for seed in (0, 0, 1))
    assert torch.equal(first, again) and (first.shape != other.shape or not torch.equal(first, other))


def test_a_split_puts_every_patient_on_one_side_and_large_tumours_on_both() -> None:
    slices = open_slices({**SMALL, "n": 12}, data="phantom", root=None, seed=0)
    train, test = split_by_patient(slices, seed=0)
    assert not {*train.subjects} & {*test.subjects} and {*train.subjects, *test.subjects} == {*slices.subjects}
    first = {*test.subjects}
    assert len({*train.subjects}) == 8 and len({*test.subjects}) == 4
    pixels = slices.table().groupby("subject")["tumour_pixels"].mean()
    large = pixels > pixels.median()
    shares = []
    for seed in range(4):
        train, test = split_by_patient(slices, seed=seed)
        shares.append(int(large[[*{*train.subjects}]].sum()))
    assert set(shares) == {round(2 * int(large.sum()) / 3)} and {*test.subjects} != first


def test_heads_without_a_label_are_left_out_and_the_others_are_normalised() -> None:
    torch.manual_seed(0)
    image = 100 + 7 * torch.rand(1, 6, 6, 6)
    dataset = [{"image": image, "label": 0, "subject": "a"}, {"image": image, "label": None, "subject": "b"},
               {"image": image, "subject": "c"}, {"image": image, "label": 1, "subject": "d"}]  # fmt: skip
    heads = labelled_heads(dataset)
    assert [head["subject"] for head in heads] == ["a", "d"], "a label of 0 is a label"
    assert all(abs(float(head["image"].mean())) < 5 for head in heads) and float(image.mean()) > 100
