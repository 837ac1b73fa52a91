"""Train one network on one control, and what it is worth on fresh images.

    run = train_control("sequence", attention="se", seed=0)
    run.accuracy                    share of the test images' candidates that are classified right; 0.5 is chance
    run.maps["plug.gate"].values    its attention maps on the first test images
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.data.controls import LESION, Control, Drawn, find_control
from medattn_lite.errors import UserError
from medattn_lite.explain import CapturedMap, capture_attention
from medattn_lite.positive_controls.denormals import flushed_denormals
from medattn_lite.positive_controls.networks import ControlNet, TwoScanNet
from medattn_lite.positive_controls.reading import READERS, ReadingNet
from medattn_lite.positive_controls.settings import SETTINGS, Settings, steps_at
from medattn_lite.positive_controls.stand_ins import REDUCED

FUSIONS = ("late", "early", "dual_fusion")
LOOKED_AT = 32  # test images whose maps are kept: those of non-local attention are large
TESTED_AT_ONCE = 50


@dataclass(frozen=True)
class ControlRun:
    """A trained network and its test.

    Attributes:
        control: the task.
        attention: what the network was built with.
        seed: of data and initialisation.
        network: trained, in eval mode.
        test: the fresh images that it was tested on.
        right: (n, K) bool, for each candidate of each test image whether it was classified right.
        maps: attention maps of the first test images, as `capture_attention` gives them.
        losses: of each step.
        parameters: of the network.
    """

    control: Control
    attention: str
    seed: int
    network: nn.Module
    test: Drawn
    right: Tensor
    maps: dict[str, CapturedMap]
    losses: list[float]
    parameters: int

    @property
    def accuracy(self) -> float:
        """Share of the test images' candidates that are classified right; 0.5 is chance."""
        return float(self.right.float().mean())


def train_control(
    control: str | Control, attention: str | None = None, *, seed: int = 0, scale: str = "smoke",
    steps: int | None = None, progress: bool = False,
) -> ControlRun:  # fmt: skip
    """Draws images, trains a network on them and tests it on fresh ones.

    Args:
        control: the task, or its name.
        attention: the mechanism; the control's own if None. A name of `attention.names()` or of `STAND_INS`; for the
            control of two scans also "late", "early" and "dual_fusion"; for the control of reading "seq2seq", "last"
            and "mean".
        seed: of the images and of the network's start.
        scale: "smoke" (seconds), "laptop" or "paper": more steps.
        steps: another number of steps.
        progress: show a bar.

    Raises:
        UserError: an unknown control, mechanism or scale.
    """
    control = find_control(control) if isinstance(control, str) else control
    attention = control.mechanism if attention is None else attention
    settings = SETTINGS[control.name]
    steps = steps_at(scale, settings) if steps is None else steps
    training, test = draws(control, seed)
    torch.manual_seed(seed)
    network = build_network(control, attention)
    with flushed_denormals():
        losses = _fit(network, training, settings, steps=steps, seed=seed, progress=progress)
    with capture_attention(network, empty_ok=True) as maps, torch.no_grad():
        network(test.images[:LOOKED_AT])
    return ControlRun(
        control, attention, seed, network, test, object_hits(network, test), dict(maps), losses, count(network)
    )


def draws(control: Control, seed: int, *, cue: bool = True) -> tuple[Drawn, Drawn]:
    """Training and test images of a seed; without the cue if asked."""
    settings = SETTINGS[control.name]
    return (control.draw(settings.images, seed=2 * seed, cue=cue),
            control.draw(settings.tested, seed=2 * seed + 1, cue=cue))  # fmt: skip


def build_network(control: Control, attention: str) -> nn.Module:
    """Builds the control's network with this mechanism, untrained.

    Raises:
        UserError: no such mechanism, or none that fits the control.
    """
    settings = SETTINGS[control.name]
    options = dict(REDUCED.get(attention, {}))
    if attention == control.mechanism:
        options.update(settings.options)
    if control.mechanism == "seq2seq":
        return ReadingNet(attention, features=settings.features)
    if attention in READERS or (attention in FUSIONS and control.mechanism != "dual_fusion"):
        raise UserError(f"the control {control.name!r} has no {attention!r}: use a mechanism such as 'se'")
    if attention in FUSIONS:
        return TwoScanNet(fusion=attention, features=settings.features, options=options)
    return ControlNet(control.channels, spatial_dims=control.spatial_dims, attention=attention,
                      features=settings.features, scans=control.channels, options=options)  # fmt: skip


def object_logits(logits: Tensor, numbers: Tensor) -> Tensor:
    """Averages the logits of each candidate, (n, K); NaN where an image has fewer than K candidates.

    Args:
        logits: (n, 1, *S).
        numbers: (n, *S), as in `Drawn`.
    """
    values, index = logits.flatten(1), numbers.flatten(1)
    sums = torch.zeros(len(values), int(numbers.max()) + 1)
    pixels = sums.clone().scatter_add(1, index, torch.ones_like(values))
    return (sums.scatter_add(1, index, values) / pixels)[:, 1:]


def object_labels(drawn: Drawn) -> Tensor:
    """Tells whether each candidate is a lesion, (n, K) bool."""
    numbers = drawn.numbers.flatten(1)
    highest = torch.zeros(len(drawn), int(numbers.max()) + 1, dtype=torch.int64)
    return highest.scatter_reduce(1, numbers, drawn.objects.flatten(1), "amax")[:, 1:] == LESION


@torch.no_grad()
def predict(network: nn.Module, images: Tensor) -> Tensor:
    """Logits (n, 1, *S) in eval mode, a few images at a time."""
    network.eval()
    return torch.cat([network(part) for part in images.split(TESTED_AT_ONCE)])


def object_hits(network: nn.Module, drawn: Drawn) -> Tensor:
    """Tells whether each candidate is classified right, (n, K) bool: its mean logit above 0 says lesion."""
    return (object_logits(predict(network, drawn.images), drawn.numbers) > 0) == object_labels(drawn)


def count(network: nn.Module) -> int:
    """Parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def _fit(
    network: nn.Module, drawn: Drawn, settings: Settings, *, steps: int, seed: int, progress: bool
) -> list[float]:
    from tqdm.auto import tqdm

    if steps < 1:
        raise UserError(f"steps={steps}: train for 1 or more")
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, weight_decay=0.0)
    warm = max(1, min(20, steps // 5))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps, warm))
    generator, order, losses = torch.Generator().manual_seed(seed), torch.empty(0, dtype=torch.int64), []
    network.train()
    for _ in tqdm(range(steps), desc="training", disable=not progress, leave=False):
        if len(order) < settings.batch:
            order = torch.randperm(len(drawn), generator=generator)
        rows, order = order[: settings.batch], order[settings.batch :]
        loss = control_loss(network(drawn.images[rows]), drawn.objects[rows], settings.background)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    network.eval()
    return losses


def control_loss(logits: Tensor, objects: Tensor, background: float) -> Tensor:
    """Cross-entropy at the candidates' pixels, and a share of that at all others, which belong to no lesion."""
    logits = logits.squeeze(1)  # (B, *S)
    candidate = objects > 0
    loss = F.binary_cross_entropy_with_logits(logits[candidate], (objects[candidate] == LESION).float())
    return loss + background * F.softplus(logits[~candidate]).mean() if background else loss


def _rate(step: int, steps: int, warm: int) -> float:
    if step < warm:
        return (step + 1) / warm
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def without_cue(run: ControlRun) -> Drawn:
    """Makes the run's test images without the cue, the labels kept."""
    return run.control.draw(len(run.test), seed=2 * run.seed + 1, cue=False)
