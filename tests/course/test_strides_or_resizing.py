"""The network and the image of which notebook 09 knows where the map must lie."""

from __future__ import annotations

import torch

from medattn_lite.course import cube_of_light, three_strided_convolutions


def test_a_cube_of_light_lies_where_it_was_asked_for() -> None:
    image = cube_of_light((3, 5, 7), side=12, reach=2)
    assert image.shape == (1, 1, 12, 12, 12) and image.sum() == 5**3
    places = image[0, 0].nonzero().float()
    assert places.mean(0).tolist() == [3, 5, 7] and places.amin(0).tolist() == [1, 3, 5]


def test_strided_means_keep_an_even_image_inside_and_look_at_every_eighth_voxel() -> None:
    network = three_strided_convolutions()
    out = network(torch.ones(1, 1, 48, 48, 48))
    assert out.shape == (1, 1, 6, 6, 6) and torch.allclose(out[..., 1:, 1:, 1:], torch.ones(1, 1, 5, 5, 5))
    for place in (8, 16, 24):
        spot = network(cube_of_light((place, 24, 16)))[0, 0]
        assert [int(i) for i in torch.unravel_index(spot.argmax(), spot.shape)] == [place // 8, 3, 2]
