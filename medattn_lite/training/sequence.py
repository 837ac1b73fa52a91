"""Presence, then source: two trained networks, one after the other, on new images.

    p = f_presence(x)_1        source is asked of x only where p ≥ threshold

The second network was trained on slices with tumour alone: what it says of a slice without one means nothing, so
it is not asked. A run has a network a fold; a new patient was in none of them, so all are asked and the mean
probability is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from medattn_lite.data.slices import SliceSet
from medattn_lite.errors import UserError
from medattn_lite.networks.registry import build
from medattn_lite.training.checkpoint import load_weights
from medattn_lite.training.inference import predict_probabilities
from medattn_lite.training.run import Run


@dataclass(frozen=True)
class Finding:
    """What the two networks say of one image.

    Attributes:
        presence: probability of a tumour.
        source: probability that it is a metastasis; None where no tumour was seen.
    """

    presence: float
    source: float | None


class MeanOfNetworks(nn.Module):
    """Several classifiers as one: the log of their mean probability, whose softmax is that mean again."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, K)."""
        probabilities = torch.stack([network(x).softmax(dim=1) for network in self.networks])  # (folds, B, K)
        return probabilities.mean(dim=0).log()


@dataclass(frozen=True)
class Trained:
    """The networks of one variant of a finished run, and what images they take.

    Attributes:
        network: all folds' networks as one, in eval mode on the CPU.
        channels: names of the images' channels.
        size: (H, W).
        class_names: of the two outputs.
    """

    network: nn.Module
    channels: tuple[str, ...]
    size: tuple[int, int]
    class_names: tuple[str, ...]


def presence_then_source(
    presence: nn.Module, source: nn.Module, images: Tensor, *, threshold: float = 0.5, batch_size: int = 32
) -> list[Finding]:
    """Asks the first network of every image and the second of those in which the first sees a tumour.

    Args:
        presence: logits (N, 2) of no tumour and tumour.
        source: logits (N, 2) of primary and metastasis.
        images: (N, C, H, W), prepared as both networks know them; see `slices_of`.
        threshold: probability from which a tumour counts as seen, 0 to 1.
        batch_size: images at once.

    Returns:
        one finding an image, in order.

    Raises:
        UserError: the threshold is no probability, or the images are no batch.
    """
    if not 0 <= threshold <= 1:
        raise UserError(f"threshold={threshold}: give a probability from 0 to 1")
    if images.ndim != 4:
        raise UserError(f"images have shape {tuple(images.shape)}: give a batch (N, C, H, W)")
    if not len(images):
        return []
    seen = predict_probabilities(presence, images, batch_size=batch_size)[:, 1]
    asked = torch.nonzero(seen >= threshold).flatten()
    sources: dict[int, float] = {}
    if len(asked):
        answers = predict_probabilities(source, images[asked], batch_size=batch_size)[:, 1]
        sources = dict(zip(asked.tolist(), answers.tolist(), strict=True))
    return [Finding(probability, sources.get(number)) for number, probability in enumerate(seen.tolist())]


def open_pair(presence_run: Path, source_run: Path, variant: str = "ResNeSAt") -> tuple[Trained, Trained]:
    """The networks of two finished runs that take the same images.

    Raises:
        UserError: a run of another recipe or without this variant, or runs on other channels or sizes.
    """
    first, second = open_trained(presence_run, "presence", variant), open_trained(source_run, "source", variant)
    for what in ("channels", "size"):
        mine, other = getattr(first, what), getattr(second, what)
        if mine != other:
            raise UserError(f"the {what} of {presence_run} are {mine} and those of {source_run} {other}: train both on "
                            f"images of the same {what}")
    return first, second


def open_trained(run: Path, recipe: str, variant: str) -> Trained:
    """One variant of a finished run, all its folds.

    Args:
        run: folder that `medattn train` wrote.
        recipe: the recipe it must be of; a run that leaked on purpose is of another.
        variant: as the run calls it.

    Raises:
        UserError: not finished, another recipe, or no such variant.
    """
    opened = Run(run, "name the folder of a finished run (medattn train presence, … source)")
    results = opened.metrics
    if results["recipe"] != recipe:
        raise UserError(f"{run} is a run of {results['recipe']}: give one of {recipe}")
    if variant not in results["variants"]:
        raise UserError(f"{run} has no variant {variant!r}: use {', '.join(results['variants'])}")
    settings = opened.settings
    own, facts = opened.recipe.variant(variant), results["data_facts"]
    options = {**settings.network_options(own.network), "in_channels": len(facts["channels"]), **own.options}
    networks = []
    for number in range(results["folds"]):
        network = build(own.network, **options)
        load_weights(network, opened.fold(variant, number).weights)
        networks.append(network)
    return Trained(MeanOfNetworks(networks).eval(), tuple(facts["channels"]), tuple(settings.size),
                   tuple(facts["classes"]))  # fmt: skip


def slices_of(sample: dict[str, Any], trained: Trained) -> tuple[Tensor, Tensor]:
    """The slices of a new scan as a network takes them; no mask is needed or looked at.

    Args:
        sample: from a data set: `image` (C, D, H, W) or (C, H, W), `channels`, `subject`.
        trained: says which channels and size.

    Returns:
        images (N, C, H, W) and the index (N,) of each in the scan; slices with little head are left out.

    Raises:
        UserError: the scan has other channels.
    """
    if tuple(sample["channels"]) != trained.channels:
        raise UserError(f"{sample['subject']} has the channels {', '.join(sample['channels'])} and the network was "
                        f"trained on {', '.join(trained.channels)}: open the scan with those")
    # Every slice gets a label that nobody reads: a SliceSet leaves out those without.
    plain = {name: value for name, value in sample.items() if name not in ("mask", "signal")}
    slices = SliceSet(_OneScan([{**plain, "label": 0}], trained.channels), size=trained.size, task="none",
                      progress=False)  # fmt: skip
    return slices.images, slices.depths


class _OneScan(list):
    """A data set of one sample."""

    def __init__(self, samples: list[dict[str, Any]], channels: tuple[str, ...]) -> None:
        super().__init__(samples)
        self.channels = channels
