"""Small trained networks that ship with the package, so that nothing has to be trained before a slider moves.

    load_trained("grade_p3d_iam").network          in eval mode, on the CPU
    load_trained("grade_p3d_iam").facts["scores"]  on phantoms it was not trained on

Each is one fold of a run of `medattn train` on phantoms (synthetic heads), at `laptop` scale: the published class with
smaller numbers. Beside the weights lies how they were made and what they score. They are for looking inside, not for
patients.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from medattn_lite.errors import UserError
from medattn_lite.networks.registry import build

FOLDER = Path(__file__).with_name("weights")


@dataclass(frozen=True)
class Trained:
    """One trained network.

    Attributes:
        name: of `load_trained`.
        network: in eval mode, on the CPU; a fresh copy for each call.
        facts: `network` and `options` it was built from; `recipe`, `variant`, `scale`, `fold`, `seed` (of phantoms
            and folds), `training_seed`, `settings` (phantom, size, options) it was trained with; `channels`;
            `subjects` by side; `scores` of the tested ones, each `{"value", "low", "high", …}`; `scores_by_seed`, the
            same of every seed that was trained from;
            `other_variants`, the same of other variants and controls of that run, where it had any;
            `chosen_step`, whose weights these are, of `trained_steps`; `command`; `environment`.
    """

    name: str
    network: nn.Module
    facts: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, ...]:
        """Spatial shape that it was trained on, (D, H, W) or (H, W)."""
        return tuple(self.facts["settings"]["size"])

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of its input channels, in order."""
        return tuple(self.facts["channels"])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its outputs: classes, regions or intervals."""
        return tuple(self.facts["classes"])

    @property
    def tested(self) -> tuple[str, ...]:
        """Phantoms that it was neither trained nor chosen on."""
        return tuple(self.facts["subjects"]["test"])


def trained_names() -> tuple[str, ...]:
    """Lists what `load_trained` knows, in alphabetical order.

    Example:
        >>> from medattn_lite.networks import trained_names
        >>> "grade_p3d_iam" in trained_names()
        True
    """
    return tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


def load_trained(name: str) -> Trained:
    """Loads a trained network by its name.

    Raises:
        UserError: there is no such network.

    Example:
        >>> import torch
        >>> from medattn_lite.networks import load_trained, trained_names
        >>> trained = load_trained(trained_names()[0])
        >>> trained.network.training
        False
    """
    from safetensors.torch import load_file

    facts = trained_facts(name)
    network = build(facts["network"], **facts["options"])
    network.load_state_dict(load_file(FOLDER / f"{name}.safetensors"))
    return Trained(name, network.eval(), facts)


@cache
def trained_facts(name: str) -> Mapping[str, Any]:
    """Tells how a trained network was made, without loading it; shared, so do not write to it.

    Raises:
        UserError: there is no such network.

    Example:
        >>> from medattn_lite.networks import trained_facts
        >>> trained_facts("grade_p3d_iam")["recipe"]
        'mechanisms'
    """
    if name not in trained_names():
        raise UserError(f"no trained network is called {name!r}: use one of {', '.join(trained_names())}")
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
