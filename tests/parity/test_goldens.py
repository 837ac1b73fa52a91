"""Every block and network equals the authors' code, output and gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.attention import CBAM, RecurrentSliceAttention
from tests.parity.goldens import (
    FOLDER,
    build,
    compare,
    golden_input,
    records,
    reference_name,
    reference_state,
    relative,
)
from tests.parity.references import REFERENCES
from tests.parity.undecided import settle_undecided

GOLDENS = sorted(records())


def test_every_reference_has_a_golden_and_every_golden_a_reference() -> None:
    assert {reference_name(name) for name in GOLDENS} == set(REFERENCES)
    assert {path.stem for path in FOLDER.glob("*.npz")} == set(GOLDENS)


@pytest.mark.parametrize("name", GOLDENS)
def test_output_and_gradient_equal_the_reference(name: str) -> None:
    difference, limit = compare(name), REFERENCES[reference_name(name)].limit
    assert difference.output <= limit
    assert difference.settled <= limit
    assert difference.parameters == records()[name]["params"]
    assert difference.undecided <= 4


def test_only_resnest_needs_undecided_relus_settled() -> None:
    needed = {name for name in GOLDENS if compare(name).undecided}
    assert needed <= {"resnest50_a"}


def test_settling_undecided_relus_does_not_hide_a_wrong_gradient() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))
    x, wrong = torch.randn(4, 8), torch.randn(4, 8)
    reached, turned = settle_undecided(network, x, lambda gradient: relative(gradient.numpy(), wrong.numpy()))
    assert reached > 0.1
    assert turned == 0


def test_an_undecided_relu_is_settled_on_the_side_of_the_reference() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.ReLU())
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, -1.0], [1.0, 1.0], [0.5, 2.0]]))
    x = torch.tensor([[1.0, 1.0 - 1e-7]])  # the first ReLU's input is 1e-7
    closed = x.double() @ network[0].weight.double()[1:].T
    other_side = 2 * closed @ network[0].weight.double()[1:]
    reached, _ = settle_undecided(network, x, lambda g: relative(g.numpy(), other_side.detach().numpy()))
    assert reached < 1e-6


@pytest.mark.parametrize("name", ["rsa_block_a", "cbam2d_a", "split_attention_a", "non_local3d_a"])
def test_a_golden_would_notice_a_wrong_weight(name: str) -> None:
    module, record = build(name, records()[name]), records()[name]
    golden = np.load(FOLDER / f"{name}.npz")["output"]
    with torch.no_grad():
        parameter = next(parameter for parameter in module.parameters() if parameter.dim() > 1)
        parameter.add_(0.01)
        assert relative(module(golden_input(name, record)).numpy(), golden) > 1e-4


def test_the_rsa_golden_tells_the_orders_apart() -> None:
    record = records()["rsa_block_a"]
    block = RecurrentSliceAttention(8, order=("sagittal", "coronal", "axial"))
    block.load_state_dict(REFERENCES["rsa_block"].convert(reference_state(record)))
    golden = np.load(FOLDER / "rsa_block_a.npz")["output"]
    with torch.no_grad():
        assert relative(block(golden_input("rsa_block_a", record)).numpy(), golden) > 1e-2


def test_the_cbam_golden_tells_the_pool_orders_apart() -> None:
    record = records()["cbam2d_a"]
    block = CBAM(16, reduction=4, pool_order="mean-max").eval()
    block.load_state_dict(REFERENCES["cbam2d"].convert(reference_state(record)))
    golden = np.load(FOLDER / "cbam2d_a.npz")["output"]
    with torch.no_grad():
        assert relative(block(golden_input("cbam2d_a", record)).numpy(), golden) > 1e-2
