"""A training step of the papers' networks (forward, backward, SGD) beside MONAI's, timm's and the authors' block."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from medattn_lite.attention import RecurrentSliceAttention
from medattn_lite.networks import convert
from medattn_lite.networks.registry import build
from tests.benchmarks.attention_peers import OfficialRSA
from tests.benchmarks.counting import operations_of
from tests.benchmarks.measuring import Case, Entry, Run
from tests.benchmarks.missing import importable

RATE = 1e-6


def step_of(network: nn.Module) -> Callable[[Tensor], Run]:
    """From images to a step that gives the loss before it; the network learns next to nothing."""
    network.train()
    optimiser = torch.optim.SGD(network.parameters(), lr=RATE)

    def on(x: Tensor) -> Run:
        def step() -> Tensor:
            optimiser.zero_grad(set_to_none=True)
            loss = network(x).square().mean()
            loss.backward()
            optimiser.step()
            return loss.detach()

        return step

    return on


def steps(work: str, peer: str, ours: nn.Module, theirs: nn.Module | None, x: Tensor, *, equal: bool) -> Case:
    """A case; networks that are not the same function are compared by their cost alone."""
    device = x.device.type
    counted = operations_of(step_of(copy.deepcopy(ours).to(device))(x))  # a step of a copy: both start alike
    step, other = step_of(ours.to(device))(x), None if theirs is None else step_of(theirs.to(device))(x)
    return Case(f"training step: {work}", peer, step, other, is_equal=equal, close=1e-3,
                operations=counted, device=device, most=5)  # fmt: skip


def cases(device: str) -> Iterator[Case]:
    """P3D, SE-ResNeXt, RSANet and ResNeSt, small images."""
    from monai.networks.nets.resnet import ResNet, ResNetBottleneck

    torch.manual_seed(0)
    x = torch.randn(2, 4, 48, 48, 48, device=device)
    plain = ResNet(ResNetBottleneck, [3, 4, 6, 3], [64, 128, 256, 512], n_input_channels=4, num_classes=2)
    yield steps("P3D-ResNet-50 + IAM 2×4×48³", "MONAI ResNet-50, another network of that depth", build("p3d_iam"),
                plain, x, equal=False)  # fmt: skip
    yield from se_resnext(torch.randn(2, 4, 40, 64, 64, device=device))
    rsanet = build("rsanet_010")
    for module in rsanet.modules():
        if isinstance(module, nn.Dropout3d):
            module.p = 0.0
        if isinstance(module, RecurrentSliceAttention):
            for beta in module.betas:
                nn.init.constant_(beta, 0.1)
    official = copy.deepcopy(rsanet)
    for place, block in list(official.attention.items()):
        official.attention[place] = OfficialRSA(block, block.projections.query.in_features)
    yield steps("RSANet 1×3×16×48×64", "with its authors' formulation of the block", rsanet, official,
                torch.randn(1, 3, 16, 48, 64, device=device), equal=True)  # fmt: skip
    timm = importable("timm")
    yield steps("ResNeSt-50 4×3×96²", "timm resnest50d" if timm else "timm resnest50d (missing)",
                build("resnest50"),
                timm and timm.create_model("resnest50d", num_classes=2),
                torch.randn(4, 3, 96, 96, device=device), equal=False)  # fmt: skip


def se_resnext(x: Tensor) -> Iterator[Case]:
    """MONAI's weights in both."""
    from monai.networks.nets import SENet

    theirs = SENet(spatial_dims=3, in_channels=4, block="se_resnetxt_bottleneck", layers=(3, 4, 6, 3), groups=32,
                   reduction=16, dropout_prob=None, inplanes=64, downsample_kernel_size=1, input_3x3=False,
                   num_classes=2)  # fmt: skip
    ours = build("se_resnext50_3d", in_channels=4)
    ours.load_state_dict(convert.from_monai_se_resnext(theirs.state_dict()))
    yield steps("SE-ResNeXt-50 2×4×40×64²", "MONAI SENet", ours, theirs, x, equal=True)


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room."""
    yield Entry("networks", "Training steps of the papers' networks", ("training step:",), lambda: cases(device))
