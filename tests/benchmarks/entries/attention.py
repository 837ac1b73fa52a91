"""Attention blocks beside their authors' formulation, MONAI's, or the formula written out."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from medattn_lite.attention import CBAM, InterSliceAttention, NonLocal, SplitAttention, SqueezeExcitation
from medattn_lite.networks import convert
from tests.benchmarks import attention_peers as peers
from tests.benchmarks.counting import operations_of
from tests.benchmarks.measuring import Case, Entry

GRADIENTS = 5e-3  # of float32 gradients of unscaled scores; see tests/parity/goldens/README.md
OFFICIAL, MATRIX = "official formulation", "the same with its matrix"


def forward(block: nn.Module, x: Tensor) -> Tensor:
    """The output, without a graph."""
    with torch.no_grad():
        return block(x)


def both_ways(block: nn.Module, x: Tensor) -> Tensor:
    """The gradient of the input, of the output's squared sum."""
    leaf = x.clone().requires_grad_()
    block.zero_grad(set_to_none=True)
    block(leaf).square().sum().backward()
    return leaf.grad


def beside(
    work: str, peer: str, ours: nn.Module, theirs: nn.Module | None, x: Tensor, *, threads: int = 1,
    close: float = GRADIENTS, most: int = 9,
) -> Iterator[Case]:  # fmt: skip
    """Forward alone, and forward with backward, each with its operations and the bytes that must be moved."""
    weights = sum(parameter.nbytes for parameter in ours.parameters())
    for name, run, passes in (("forward", forward, 1), ("forward + backward", both_ways, 2)):
        out = forward(ours, x)
        yield Case(
            f"{work}, {name}" + (f", {threads} threads" if threads > 1 else ""), peer,
            lambda run=run: run(ours, x), None if theirs is None else lambda run=run: run(theirs, x), close=close,
            operations=operations_of(lambda run=run: run(ours, x)),
            moved=passes * (x.nbytes + out.nbytes + weights), threads=threads, device=x.device.type, most=most,
        )  # fmt: skip


def rsa_cases(device: str) -> Iterator[Case]:
    """Recurrent slice attention at the paper's levels."""
    for channels, size in ((128, (12, 64, 80)), (256, (6, 32, 40))):
        for threads in (1, 2) if device == "cpu" and channels == 128 else (1,):
            made = peers.rsa(channels, size, device=device)
            yield from beside(f"RSA {channels}×{'×'.join(map(str, size))}", OFFICIAL, *made, threads=threads, most=5)


def non_local_cases(device: str) -> Iterator[Case]:
    """The non-local block, keys and values pooled in plane as published."""
    for side in (24, 32):
        torch.manual_seed(0)
        block = NonLocal(32, zero_init=False).to(device)
        x = torch.randn(1, 32, side, side, side, device=device)
        yield from beside(f"non-local 32×{side}³", MATRIX, block, peers.with_matrix(block), x,
                          most=3 if side == 24 else 1)  # fmt: skip


def fusion_cases(device: str) -> Iterator[Case]:
    """Dual fusion's global attention with the default grid of tokens."""
    for side in (16, 32):
        torch.manual_seed(0)
        block = peers.OneInput(32).to(device)
        x = torch.randn(1, 32, side, side, side, device=device)
        yield from beside(f"dual fusion 32×{side}³, default grid", MATRIX, block, peers.with_matrix(block), x)


def gate_cases(device: str) -> Iterator[Case]:
    """Channel and spatial gates."""
    from monai.networks.blocks.squeeze_and_excitation import ChannelSELayer

    torch.manual_seed(0)
    for dims, size in ((2, (64, 64)), (3, (16, 32, 32))):
        monai = ChannelSELayer(spatial_dims=dims, in_channels=256, r=16)
        ours = SqueezeExcitation(256, reduction=16, spatial_dims=dims)
        ours.load_state_dict(convert.from_monai_se_layer(monai.state_dict()))
        x = torch.randn(2 if dims == 2 else 1, 256, *size, device=device)
        yield from beside(f"squeeze-and-excitation {_shape(x)}", "MONAI ChannelSELayer", ours.to(device),
                          monai.to(device), x, close=1e-4)  # fmt: skip
    cbam, iam = CBAM(256, spatial_dims=3), InterSliceAttention(256)
    split = SplitAttention(64, 64).to(device)
    x = torch.randn(1, 256, 16, 32, 32, device=device)
    for name, block, plain in (("CBAM", cbam, peers.PlainCBAM(cbam)),
                               ("inter-slice attention", iam, peers.PlainInterSlice(iam))):  # fmt: skip
        yield from beside(f"{name} {_shape(x)}", "formula written out", block.to(device), plain.to(device), x)
    yield from beside("split attention 4×64×64×64", "formula written out", split, peers.PlainSplitAttention(split),
                      torch.randn(4, 64, 64, 64, device=device))  # fmt: skip


def exact_cases(device: str) -> Iterator[Case]:
    """Every voxel of 128³ beside every other in bf16 on a GPU, some rows beside float32; a small one elsewhere."""
    from medattn_lite.attention import GlobalFusion

    side = 128 if device.startswith("cuda") else 12
    torch.manual_seed(0)
    fusion = GlobalFusion(token_grid=None, residual="add").to(device)
    x = torch.randn(1, 32, side, side, side, device=device)
    rows = torch.randperm(side**3, device=device)[:256]

    def few(features: Tensor) -> Tensor:  # the same rows by the formula, a matrix of 256 rows at a time
        tokens = features.flatten(2)[0].T
        weights = torch.softmax(tokens[rows] @ tokens.T / features.shape[1] ** 0.5, dim=-1)
        return weights @ tokens + tokens[rows]

    yield Case(f"exact voxel attention 32×{side}³, forward", "256 of its rows by the formula",
               lambda: forward(_Rows(fusion, rows), x), lambda: few(x), close=1e-2, device=device, most=3,
               operations=4.0 * 32 * side**6)  # fmt: skip
    yield Case(f"exact voxel attention 32×{side}³, forward + backward", "none: the matrix does not fit",
               lambda: both_ways(_Rows(fusion, None), x), device=device, most=3,
               operations=14.0 * 32 * side**6)  # fmt: skip


class _Rows(nn.Module):
    def __init__(self, fusion: nn.Module, rows: Tensor | None) -> None:
        super().__init__()
        self.fusion, self.rows = fusion, rows

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            out = self.fusion(x, x, x).float()
        return out if self.rows is None else out.flatten(2)[0].T[self.rows]


def _shape(x: Tensor) -> str:
    return "×".join(map(str, x.shape))


def entries(device: str = "cpu") -> Iterator[Entry]:
    """What `--only` knows of this room."""
    yield Entry("rsa", "Recurrent slice attention", ("RSA ",), lambda: rsa_cases(device))
    yield Entry("non-local", "Non-local block", ("non-local ",), lambda: non_local_cases(device))
    yield Entry("fusion", "Dual fusion attention", ("dual fusion ",), lambda: fusion_cases(device))
    gates = ("squeeze", "CBAM", "inter-slice", "split")
    yield Entry("gates", "Channel and spatial gates", gates, lambda: gate_cases(device))
    if device.startswith("cuda"):
        yield Entry("exact", "Every voxel beside every other", ("exact ",), lambda: exact_cases(device))
