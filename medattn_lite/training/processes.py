"""What makes several processes equal to one: batch norm over the whole batch, dropout drawn once for all of it.

    y = (x − μ) / √(σ² + ε) · γ + β        μ, σ²: over the rows of all processes, per channel

Hugging Face accelerate averages gradients, which is enough for networks without either layer. With its own share alone
a process would take other means, and draw other masks, than one process with the whole batch. `torch.nn.SyncBatchNorm`
does the first on GPUs only; this works wherever processes can add numbers. (Cox's likelihood still compares the
patients of one process only.)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

_DROPOUTS = {nn.Dropout: functional.dropout, nn.Dropout2d: functional.dropout2d, nn.Dropout3d: functional.dropout3d}


@contextmanager
def one_batch(model: nn.Module, *, processes: int, process: int) -> Iterator[None]:
    """Lets batch norm and dropout of a network see the batch of all processes while it is trained.

    The layers are exchanged in place, by their class: parameters, names and checkpoints stay as they are. With one
    process nothing is changed.

    Args:
        model: in train mode it answers as for the whole batch; in eval mode as always.
        processes: how many share each batch, in equal parts.
        process: number of this one, from 0; its rows are this part of the batch.
    """
    changed: list[tuple[nn.Module, type]] = []
    for module in model.modules() if processes > 1 else ():
        if isinstance(module, _BatchNorm) and not isinstance(module, nn.SyncBatchNorm):
            changed.append((module, type(module)))
            module.__class__ = type(type(module).__name__, (_WholeBatchNorm, type(module)), {})
        elif type(module) in _DROPOUTS:
            changed.append((module, type(module)))
            module.__class__ = type(type(module).__name__, (_WholeDropout, type(module)), {})
            module.__dict__["share"] = processes, process
    try:
        yield
    finally:
        for module, kind in changed:
            module.__class__ = kind
            module.__dict__.pop("share", None)


class _WholeBatchNorm(_BatchNorm):
    def forward(self, x: Tensor) -> Tensor:  # (B, C, …), rows of this process
        if not self.training:
            return super().forward(x)
        self._check_input_dim(x)
        mean, variance, count = _moments(x.float())
        self._remember(mean.detach(), variance.detach() * count / max(count - 1, 1))
        shape = (1, -1) + (1,) * (x.dim() - 2)
        scale = (variance + self.eps).rsqrt()  # (C,)
        scale = scale if self.weight is None else scale * self.weight.float()
        shift = -mean * scale if self.bias is None else self.bias.float() - mean * scale
        return (x.float() * scale.view(shape) + shift.view(shape)).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        batches = self.num_batches_tracked
        if not self.track_running_stats or self.running_mean is None or self.running_var is None or batches is None:
            return
        batches.add_(1)
        share = 1 / float(batches) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), share)
        self.running_var.lerp_(variance.to(self.running_var), share)


def _moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and variance by channel over the rows of all processes, and how many values each is of.

    In two passes: the difference of two large sums would lose the small variances.
    """
    rest = [axis for axis in range(x.dim()) if axis != 1]
    shape = (1, -1) + (1,) * (x.dim() - 2)
    count = _total(torch.full((1,), x.numel() / x.shape[1], dtype=torch.float64, device=x.device))
    mean = _total(x.sum(rest)) / count.float()  # (C,)
    variance = _total((x - mean.view(shape)).square().sum(rest)) / count.float()  # (C,)
    return mean, variance, int(count.item())


def _total(values: Tensor) -> Tensor:
    """The sum over processes, with its gradient."""
    if not values.requires_grad:
        return _plain_total(values)
    from torch.distributed.nn.functional import all_reduce

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that it has a successor
        return all_reduce(values)


def _plain_total(values: Tensor) -> Tensor:
    import torch.distributed as processes

    processes.all_reduce(values)
    return values


class _WholeDropout(_DropoutNd):
    share: tuple[int, int]

    def forward(self, x: Tensor) -> Tensor:  # (B, …), rows of this process
        if not self.training or self.p == 0:
            return x
        processes, process = self.share
        drop = next(way for kind, way in _DROPOUTS.items() if isinstance(self, kind))
        whole = x.new_ones((processes * x.shape[0], *x.shape[1:]))
        mask = drop(whole, self.p, True)[process * x.shape[0] : (process + 1) * x.shape[0]]
        return x * mask
