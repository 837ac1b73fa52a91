"""What an explanation is asked about."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.explain.model.targets import ClassLogit, LogRisk, RegionSum, default_target
from medattn_lite.networks.registry import build
from medattn_lite.survival.predicted_curves import cumulative_hazard
from medattn_lite.survival.time_intervals import interval_breaks


def test_a_class_is_its_logit() -> None:
    output = torch.randn(4, 3)
    assert torch.equal(ClassLogit(2)(output), output[:, 2])
    assert ClassLogit(1).words == "class 1" and ClassLogit(1, name="high grade").words == "high grade"


def test_a_region_is_summed_over_what_the_network_calls_so() -> None:
    output = torch.randn(2, 3, 4, 5, 6)
    called = output.argmax(1) == 2
    assert torch.allclose(RegionSum(2)(output), (output[:, 2] * called).flatten(1).sum(1))
    positive = output[:, 0] > 0
    assert torch.allclose(RegionSum(0, link="sigmoid")(output), (output[:, 0] * positive).flatten(1).sum(1))
    assert torch.allclose(RegionSum(1, voxel=(1, 2, 3))(output), output[:, 1, 1, 2, 3])
    mask = torch.rand(2, 4, 5, 6) > 0.5
    assert torch.allclose(RegionSum(1, mask=mask)(output), (output[:, 1] * mask).flatten(1).sum(1))
    assert torch.allclose(RegionSum(1, mask=mask[0])(output), (output[:, 1] * mask[0]).flatten(1).sum(1))
    assert torch.allclose(RegionSum(0)(output[:, :1]), (output[:, 0] * positive).flatten(1).sum(1))  # one region alone
    pictures = output[..., 0]
    assert torch.allclose(RegionSum(1, mask=mask[..., 0])(pictures), (pictures[:, 1] * mask[..., 0]).flatten(1).sum(1))


def test_a_fixed_region_does_not_move_with_the_output() -> None:
    output = torch.randn(2, 2, 3, 4, 5)
    fixed = RegionSum(1).fixed(output)
    other = torch.randn(6, 2, 3, 4, 5)  # three copies of the batch, changed
    called = (output.argmax(1) == 1).repeat(3, 1, 1, 1)
    assert torch.allclose(fixed(other), (other[:, 1] * called).flatten(1).sum(1))
    assert torch.allclose(fixed.in_image(1)(other[:3]), (other[:3, 1] * called[1]).flatten(1).sum(1))


@pytest.mark.parametrize("head", ["logistic", "official"])
def test_a_risk_is_the_log_of_the_hazard_that_survival_is_ranked_by(head: str) -> None:
    output = torch.randn(5, 19)
    wanted = [cumulative_hazard(row[None], head, [365.0], interval_breaks(), None)[0] for row in output]
    assert np.allclose(LogRisk(head)(output).numpy(), np.log(wanted), atol=1e-5)
    shorter = LogRisk(head, days=100.0)(output)
    assert (shorter < LogRisk(head)(output)).all()
    assert torch.equal(LogRisk("cox")(output[:, :1]), output[:, 0])


@pytest.mark.parametrize("head", ["logistic", "official"])
def test_dying_sooner_is_more_risk(head: str) -> None:
    output = torch.zeros(2, 19)
    output[1, :3] += 1  # higher hazards in the first 171 days
    low, high = LogRisk(head)(output)
    assert high > low


def test_a_network_s_default_is_what_one_asks_it_first() -> None:
    small = {"layers": (1, 1, 1, 1), "width": 8}
    survival = build("survival_resnet50_cbam", head="official", **small)
    assert default_target(survival, torch.randn(1, 19)) == LogRisk("official")
    assert default_target(build("p3d", **small), torch.tensor([[0.1, 0.9]])).index == 1
    lesions = default_target(build("unet3d", widths=(8, 16)), torch.randn(1, 2, 4, 4, 4))
    assert (lesions.region, lesions.link) == (1, "softmax")
    regions = default_target(build("dynunet", filters=(4, 8, 16)), torch.randn(1, 3, 4, 4, 4))
    assert (regions.region, regions.link) == (0, "sigmoid")


VOXELS, LOGITS = torch.randn(1, 2, 4, 4, 4), torch.randn(1, 19)


@pytest.mark.parametrize(("make", "output", "says"), [
    (lambda: ClassLogit(5), torch.randn(1, 2), "no class 5"),
    (lambda: ClassLogit(-1), torch.randn(1, 2), "no class -1"),
    (lambda: ClassLogit(0), VOXELS, "RegionSum"),
    (lambda: RegionSum(2), VOXELS, "no region 2"),
    (lambda: RegionSum(0), LOGITS, "ClassLogit"),
    (lambda: RegionSum(0, mask=torch.ones(3, 3, 3)), VOXELS, "on the image's grid"),
    (lambda: RegionSum(0, voxel=(4, 0, 0)), VOXELS, "not in an image"),
    (lambda: RegionSum(0, voxel=(1, 1, 1), mask=torch.ones(4, 4, 4)), VOXELS, "one of the two"),
    (lambda: RegionSum(0, link="argmax"), VOXELS, "unknown link"),
    (lambda: RegionSum(1), -torch.ones(1, 2, 4, 4, 4) * torch.tensor([0.0, 1.0]).reshape(1, 2, 1, 1, 1),
     "no voxel of region 1"),
    (lambda: LogRisk("weibull"), LOGITS, "unknown survival head"),
    (lambda: LogRisk("cox"), LOGITS, "own head"),
    (lambda: LogRisk("logistic"), LOGITS[:, :1], "own head"),
    (lambda: LogRisk("logistic", days=9000), LOGITS, "day 3155"),
])  # fmt: skip
def test_a_target_that_does_not_fit_is_a_mistake_of_one_line(make, output: torch.Tensor, says: str) -> None:
    with pytest.raises(UserError, match=says):
        make().fixed(output)
