from __future__ import annotations

import pytest
import torch

from medattn_lite.data.region_masks import known_regions, region_labels, tumour_regions
from medattn_lite.errors import UserError


def test_regions_overlap_as_in_brats() -> None:
    labels = torch.tensor([[0, 1, 2, 4, 5]], dtype=torch.uint8)[None]
    whole, core, enhancing = tumour_regions(labels)[:, 0].tolist()
    assert whole == [0, 1, 1, 1, 0]  # a resection cavity is no tumour
    assert core == [0, 1, 0, 1, 0]
    assert enhancing == [0, 0, 0, 1, 0]


def test_each_region_contains_the_next() -> None:
    mask = torch.randint(0, 6, (1, 5, 6, 7), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    whole, core, enhancing = tumour_regions(mask).bool()
    assert not (core & ~whole).any() and not (enhancing & ~core).any() and (whole & ~core).any()


@pytest.mark.parametrize(("labels", "names"), [
    ({0, 1}, ("WT",)), ({0, 1, 2, 4}, ("WT", "TC", "ET")), ({0, 2}, ("WT", "TC", "ET")),
    ({0, 1, 2, 4, 5}, ("WT", "TC", "ET")),
])  # fmt: skip
def test_a_mask_of_ones_knows_the_whole_tumour_alone(labels: set[int], names: tuple[str, ...]) -> None:
    assert known_regions(labels) == names


@pytest.mark.parametrize("labels", [{0}, {0, 3}, {0, 1, 2, 7}])
def test_other_labels_are_refused(labels: set[int]) -> None:
    with pytest.raises(UserError):
        known_regions(labels)


def test_an_unknown_region_is_named() -> None:
    with pytest.raises(UserError, match="'oedema'"):
        tumour_regions(torch.zeros(1, 2, 2, 2, dtype=torch.uint8), ("oedema",))


def test_labels_are_the_way_back_from_regions() -> None:
    mask = torch.tensor([[[[0, 1, 2, 4]]]], dtype=torch.uint8)
    assert torch.equal(region_labels(tumour_regions(mask), ("WT", "TC", "ET")), mask[0])
    assert torch.equal(region_labels(tumour_regions(mask, ("ET", "WT", "TC")), ("ET", "WT", "TC")), mask[0])
    assert region_labels(torch.tensor([[[True, False]]]), ("WT",)).tolist() == [[1, 0]]


def test_labels_of_an_unknown_region_are_refused() -> None:
    with pytest.raises(UserError, match="'oedema'"):
        region_labels(torch.zeros(1, 2, 2, 2), ("oedema",))
