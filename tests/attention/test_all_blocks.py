"""What every registered mechanism keeps to, and other readings of the blocks; one line for a mistake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from medattn_lite import attention
from medattn_lite.attention import (
    CBAM,
    InterSliceAttention,
    NonLocal,
    RecurrentSliceAttention,
    SliceAttention,
    SplitAttention,
    SqueezeExcitation,
)
from medattn_lite.attention.registry import MECHANISMS, create, find, names, options
from tests.attention.contract import CONTRACT, keeps_the_signature
from tests.attention.support import features

# Readings other than the defaults, which the registry runs: name → dimensions, and what builds the block.
READINGS: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "squeeze-excitation 2-D": (2, lambda: SqueezeExcitation(16, reduction=4)),
    "squeeze-excitation 3-D": (3, lambda: SqueezeExcitation(16, reduction=4, spatial_dims=3, bias=False)),
    "cbam 2-D": (2, lambda: CBAM(16, reduction=4)),
    "cbam 3-D": (3, lambda: CBAM(16, reduction=4, kernel_size=3, spatial_dims=3, mlp_bias=False, spatial_norm=False)),
    "split attention 2-D": (2, lambda: SplitAttention(16, 16, groups=2)),
    "split attention 3-D": (3, lambda: SplitAttention(16, 16, radix=1, spatial_dims=3)),
    "split attention without norm": (2, lambda: SplitAttention(16, radix=4, norm=False, bias=True)),
    "inter-slice attention": (3, lambda: InterSliceAttention(16, reduction=4)),
    "inter-slice attention 3x1x3": (
        3,
        lambda: InterSliceAttention(16, spatial_kernel=(3, 1, 3), bias=False, norm=True),
    ),
    "non-local 2-D": (2, lambda: NonLocal(16, spatial_dims=2)),
    "non-local 3-D": (3, lambda: NonLocal(16, sub_sample=False, norm=False, scaled=True)),
    "non-local dot product": (3, lambda: NonLocal(16, mode="dot_product")),
    "non-local gaussian": (2, lambda: NonLocal(16, mode="gaussian", spatial_dims=2)),
    "slice attention": (3, lambda: SliceAttention(16, plane="sagittal", scaled=True)),
    "slice attention of rows": (2, lambda: SliceAttention(16, spatial_dims=2, scaled=True)),
    "recurrent slice attention 3-D": (3, lambda: RecurrentSliceAttention(16, scaled=True)),
    "recurrent slice attention 2-D": (2, lambda: RecurrentSliceAttention(16, spatial_dims=2, scaled=True)),
}
REGISTERED = [
    (name, spatial_dims) for name, entry in MECHANISMS.items() if name != "none" for spatial_dims in entry.spatial_dims
]


@pytest.mark.parametrize("rule", CONTRACT)
@pytest.mark.parametrize(("name", "spatial_dims"), REGISTERED)
def test_every_registered_mechanism_keeps_the_contract(name: str, spatial_dims: int, rule: str) -> None:
    CONTRACT[rule](lambda: create(name, 32, spatial_dims=spatial_dims), spatial_dims=spatial_dims)


@pytest.mark.parametrize("rule", CONTRACT)
@pytest.mark.parametrize("name", READINGS)
def test_other_readings_keep_the_contract_as_well(name: str, rule: str) -> None:
    spatial_dims, build = READINGS[name]
    CONTRACT[rule](build, spatial_dims=spatial_dims, channels=16)


@pytest.mark.parametrize("name", MECHANISMS)
def test_every_registered_mechanism_has_the_one_signature(name: str) -> None:
    keeps_the_signature(name)
    assert isinstance(create(name, 32, spatial_dims=3), MECHANISMS[name].load())
    assert getattr(attention, MECHANISMS[name].class_name) is MECHANISMS[name].load()
    assert MECHANISMS[name].class_name in dir(attention)


class Broken(nn.Module):
    """Breaks one rule of the contract."""

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule
        self.block = create("eca", 32, spatial_dims=2)
        self.idle = nn.Parameter(torch.ones(1)) if rule == "parameter" else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.rule == "shape":
            return self.block(x)[..., :-1]
        if self.rule == "batch":
            return self.block(x) + x.mean(dim=0, keepdim=True)
        if self.rule == "gradient":
            return self.block(x) * x.detach()
        if self.rule == "map":
            return x * torch.sigmoid(x.mean(dim=(2, 3), keepdim=True))
        if self.rule == "state":
            self.kept = x
        if self.rule == "watched" and self.block.gate.is_watched:
            return 2 * self.block(x)
        return self.block(x)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ("shape", "keeps the shape"),
        ("batch", "treats the images"),
        ("gradient", "has the right gradient"),
        ("parameter", "reaches every parameter"),
        ("map", "shows its maps"),
        ("map", "uses the map"),
        ("watched", "gives the same"),
        ("state", "keeps nothing"),
    ],
)
def test_the_contract_sees_a_block_that_breaks_it(broken: str, rule: str) -> None:
    check = next(check for words, check in CONTRACT.items() if words.startswith(rule))
    check(lambda: create("eca", 32, spatial_dims=2), spatial_dims=2)
    with pytest.raises((AssertionError, RuntimeError)):
        check(lambda: Broken(broken), spatial_dims=2)


def test_no_attention_passes_its_input_on() -> None:
    block = create("none", 16, spatial_dims=3)
    x = features(3)
    assert block(x) is x and list(block.parameters()) == []


def test_the_registry_knows_names_dimensions_and_options() -> None:
    assert names() == ("none", "se", "eca", "cbam", "coordinate", "split", "iam", "non_local", "rsa")
    assert set(names()) - set(names(2)) == {"iam"} and names(3) == names()
    assert options("cbam")["kernel_size"] == 7 and options("none") == {}
    assert create("cbam", 16, spatial_dims=3, kernel_size=3).spatial.convolution.kernel_size == (3, 3, 3)
    assert find("rsa").title == "recurrent slice attention"
    with pytest.raises(AttributeError, match="has no attribute 'CBAN'"):
        attention.CBAN  # noqa: B018


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: create("cbma", 16, spatial_dims=2), "use one of none, se, eca, cbam"),
        (lambda: create("cbam", 16, spatial_dims=2, size=3), "'cbam' has no option 'size': it has reduction"),
        (lambda: create("none", 16, spatial_dims=2, size=3), "'none' has no option 'size': it has none"),
        (lambda: create("split", 16, spatial_dims=2, stride=2), "'split' has no option 'stride'"),
        (lambda: create("iam", 16, spatial_dims=2), "not defined in 2-D: use one of none, se, eca"),
        (lambda: create("se", 16, spatial_dims=4), "use 2 for"),
        (lambda: create("none", 0, spatial_dims=2), "whole number of at least 1"),
        (lambda: create("eca", 16, spatial_dims=2, kernel_size=4), "use an odd number"),
        (lambda: create("coordinate", 16, spatial_dims=2, reduction=0), "whole number of at least 1"),
        (lambda: InterSliceAttention(16, spatial_dims=2), "needs slices"),
        (lambda: SqueezeExcitation(8), "use reduction=8 or less"),
        (lambda: SqueezeExcitation(16, spatial_dims=4), "use 2 for"),
        (lambda: SqueezeExcitation(0), "whole number of at least 1"),
        (lambda: CBAM(8, reduction=9), "use reduction=8 or less"),
        (lambda: CBAM(16, kernel_size=4), "use an odd number"),
        (lambda: CBAM(16, pool_order="mean"), "'max-mean' or 'mean-max'"),
        (lambda: CBAM(16, initial_gate=1.0), "strictly between 0 and 1"),
        (lambda: CBAM(16, spatial_norm=False, initial_gate=0.9), "use norm=True or bias=True"),
        (lambda: SplitAttention(15, 16), "not a multiple of groups × radix"),
        (lambda: SplitAttention(30, 16, groups=3), "must divide channels"),
        (lambda: InterSliceAttention(4), "use reduction=4 or less"),
        (lambda: InterSliceAttention(16, spatial_kernel=(3, 2, 3)), "use an odd number"),
        (lambda: InterSliceAttention(16, spatial_kernel=(3, 3)), "give three sizes"),
        (lambda: NonLocal(16, mode="softmax"), "embedded_gaussian"),
        (lambda: NonLocal(16, hidden_channels=0), "whole number of at least 1"),
        (lambda: SliceAttention(4, plane="rows"), "axial, coronal, sagittal"),
        (lambda: RecurrentSliceAttention(4, order=("axial", "axial")), "name each direction once"),
        (lambda: RecurrentSliceAttention(4, order=()), "name each direction once"),
    ],
)
def test_a_wrong_size_gets_one_line_that_says_what_to_do(build: Callable[[], nn.Module], says: str) -> None:
    with pytest.raises(ValueError, match=says.replace("(", r"\(")) as error:
        build()
    assert "\n" not in str(error.value)


def test_attention_imports_neither_monai_nor_the_rest_of_the_package() -> None:
    code = (
        "import sys, medattn_lite.attention\n"
        "ours = {m for m in sys.modules if m.startswith('medattn_lite.')} - {'medattn_lite.lazy'}\n"
        "assert all(m.startswith('medattn_lite.attention') for m in ours), ours\n"
        "assert 'monai' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
