"""What notebook 09 uses to ask whether a map is better where strides lay it, or resized: a network whose map is known,
and those that come trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

NETWORKS = ("grade_p3d_iam", "grade_p3d", "grade_se_resnext", "grade_resnet_cbam")


def three_strided_convolutions() -> nn.Sequential:
    """Makes a network with nothing to learn: three layers that take means of 3×3×3, with stride 2 and padding 1."""
    layers = [nn.Conv3d(1, 1, 3, stride=2, padding=1, bias=False) for _ in range(3)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1 / 27)
    return nn.Sequential(*layers)


def cube_of_light(middle: Sequence[int], *, side: int = 48, reach: int = 3) -> Tensor:
    """Makes an image (1, 1, side, side, side) of zeros, with a cube of ones.

    Args:
        middle: (d, h, w) of the cube.
        side: of the image, in voxels.
        reach: voxels from the middle to the cube's faces; it has 2 · reach + 1 along an edge.
    """
    image = torch.zeros(1, 1, side, side, side)
    depth, height, width = (slice(place - reach, place + reach + 1) for place in middle)
    image[..., depth, height, width] = 1.0
    return image


def score_two_ways(
    cases: Sequence[Any], *, networks: Sequence[str] = NETWORKS, layers: Sequence[str] = ("layer3", "layer4")
) -> dict[str, np.ndarray]:
    """Lays the Grad-CAM of each head by the strides and by a resize, and scores both against the signal.

    Args:
        cases: heads with their signal, of `held_out`.
        networks: names, as `load_trained` takes them.
        layers: whose maps are taken.

    Returns:
        "network, layer" → (heads, 3): AUC by strides, AUC resized, and 1 where the peak by strides lies in the air.
    """
    from medattn_lite.explain import grad_cam, layer_box, localise, to_image_grid
    from medattn_lite.networks import load_trained

    scores = {}
    for trained in map(load_trained, networks):
        for layer in layers:
            rows = []
            for case in cases:
                values = grad_cam(trained.network, case.image, target=case.target, layer=layer).values
                box = layer_box(trained.network, case.image, values.shape[1:])
                laid = to_image_grid(values, trained.size, box=box)[0], to_image_grid(values, trained.size)[0]
                air = not case.head.flatten()[laid[0].argmax()]
                rows.append([*(localise(values, case.signal, within=case.head).auc for values in laid), air])
            scores[f"{trained.facts['variant']}, {layer}"] = np.array(rows, dtype=float)
    return scores


def print_two_ways(scores: dict[str, np.ndarray]) -> None:
    """Prints a line for each network and layer of `score_two_ways`."""
    print(f"{'':30}{'by strides':>11}{'resized':>9}{'strides better':>16}{'peak in the air':>17}")
    for name, rows in scores.items():
        by_strides, resized, air = rows.T
        print(f"{name:30}{by_strides.mean():11.2f}{resized.mean():9.2f}{int((by_strides > resized).sum()):11d} of "
              f"{len(rows)}{int(air.sum()):12d} of {len(rows)}")
