"""Borrowed zones: the same kind of tissue is left in every class, whatever the lesions' place and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.audit import audit_dataset, measure, measuring
from medattn_lite.audit.regions import regions_of
from medattn_lite.audit.zones import Zone, box_of, choose_zones, mirrored
from medattn_lite.evaluation.metrics import auc
from tests.audit.toys import SHAPE, toy, toys


def zone(at: int) -> Zone:
    return Zone(np.full((1, 1, 1), at % 2 == 0))


def test_a_zone_is_fitted_to_the_place_it_has_in_its_own_head() -> None:
    head, other = np.zeros((8, 20, 20), bool), np.zeros((10, 30, 40), bool)
    head[2:6, 4:16, 4:16], other[1:9, 2:26, 10:34] = True, True
    lesion = np.zeros_like(head)
    lesion[2:4, 4:10, 10:16] = True  # the lower half, the back half, the right half
    fitted = Zone.of(lesion, head).fitted(other)
    assert fitted[1:5, 2:14, 22:34].all() and fitted.sum() == 4 * 12 * 12
    assert np.array_equal(Zone.of(lesion, head).fitted(head), lesion)
    assert Zone.of(lesion, np.zeros_like(head)) is None and box_of(np.zeros_like(head)) is None
    assert not Zone.of(lesion, head).fitted(np.zeros_like(other)).any()


def test_a_large_zone_is_kept_small() -> None:
    large = np.zeros((1, 300, 200), bool)
    large[:, :150] = True
    kept = Zone.of(large, np.ones_like(large))
    assert kept.cells.shape == (1, 64, 64) and np.array_equal(kept.fitted(large | True), large)


def test_every_case_lacks_one_zone_of_each_class_that_has_any() -> None:
    groups = ["a", "b", "none", "c"] * 5
    zones = [None if group == "none" or at == 4 else zone(at) for at, group in enumerate(groups)]
    owner = {id(zone): group for zone, group in zip(zones, groups, strict=True) if zone is not None}
    for group, own_zone, borrowed in zip(groups, zones, choose_zones(groups, zones), strict=True):
        left_out = [owner[id(other)] for other in borrowed] + ([group] if own_zone is not None else [])
        assert sorted(left_out) == ["a", "b", "c"]
    assert choose_zones(["a", "b"], [None, None]) == [[], []]


def test_survivors_borrow_from_those_who_died_early() -> None:
    partners = mirrored(np.array([3.0, -1.0, 0.0, 2.0]))
    assert partners == [1, 0, 3, 2]
    zones = [zone(at) for at in range(4)]
    assert [lent[0] for lent in choose_zones(range(4), zones, partners=partners)] == [zones[at] for at in partners]
    zones[0] = None
    assert len(choose_zones(range(4), zones, partners=partners)[0]) == 2  # for its own place, and its partner's


def two_tissues(seed: int, label: int) -> dict:
    """A head whose middle is another tissue than its rest; class 1 has a lesion that covers much of the middle."""
    sample = toy(seed, label)
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij"))
    radius = np.sqrt((grid**2).sum(0))
    sample["image"] = torch.where(torch.from_numpy(radius < 0.55), sample["image"] * 2, sample["image"])
    sample["mask"] = torch.from_numpy((radius < (0.35 if label else 0.08)).astype(np.uint8))[None]
    return sample


def test_what_a_large_lesion_leaves_of_a_head_is_no_leak_once_zones_are_borrowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = [two_tissues(at, at % 2) for at in range(40)]
    settings = {"label": "size", "groups": ("outside",), "declared": ("lesion volume (mL)",), "repeats": 6}
    names = [finding.name for finding in audit_dataset(samples, **settings, progress=False).leaks]
    assert not [name for name in names if "raw intensities" in name or "intensity range" in name], names
    monkeypatch.setattr(measuring, "_borrowed", lambda rows, *_: [[] for _ in rows])
    alone = audit_dataset(samples, **settings, progress=False)
    assert any("raw intensities" in finding.name for finding in alone.leaks)


def test_all_classes_lack_as_much_of_a_head() -> None:
    measured = measure([two_tissues(at, at % 2) for at in range(40)], label="size", progress=False)
    outside, labels = (np.array([getattr(row, name) for row in measured.rows]) for name in ("outside", "label"))
    regions = [regions_of(two_tissues(at, at % 2)) for at in range(40)]
    alone = np.array([region.outside.sum() / region.head.sum() for region in regions])
    assert auc(labels, -alone) == 1 and abs(auc(labels, -outside) - 0.5) < 0.2


def test_images_that_do_not_fit_into_memory_are_read_again_with_the_same_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Reader:
        def __init__(self) -> None:
            self.samples, self.read = toys(12), []

        def __len__(self) -> int:
            return len(self.samples)

        def __getitem__(self, at: int) -> dict:
            self.read.append(at)
            return self.samples[at]

    roomy, tight = Reader(), Reader()
    kept = measure(roomy, label="g", progress=False)
    monkeypatch.setattr(measuring, "KEPT_BYTES", 3 * tight.samples[0]["image"].nbytes)
    again = measure(tight, label="g", progress=False)
    assert roomy.read == [*range(12)] and tight.read == [*range(12), *range(3, 12)]
    np.testing.assert_array_equal(kept.numbers("everything")[1], again.numbers("everything")[1])


def test_little_tissue_is_said() -> None:
    samples = toys(12)
    for sample in samples:
        sample["mask"] = (sample["image"][:1] != 0).to(torch.uint8)
        sample["mask"][..., :4] = 0
    notes = measure(samples, label="g", progress=False).notes
    assert any("leave 0 % of a head" in note and "their silence says little" in note for note in notes), notes
