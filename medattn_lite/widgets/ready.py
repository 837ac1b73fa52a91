"""Explorers that need nothing given: shipped networks and phantoms. `medattn explore` shows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from medattn_lite.data.dataset import Sample
from medattn_lite.errors import UserError


@dataclass(frozen=True)
class Ready:
    """One of them.

    Attributes:
        title: a few words.
        try_this: what to try, in one or two sentences.
        make: makes it; takes seconds, since networks are loaded and heads are drawn.
    """

    title: str
    try_this: str
    make: Callable[[], Any]


def _counterfactual() -> Any:
    from medattn_lite.widgets.counterfactual import counterfactual_phantom

    return counterfactual_phantom()


def _explanations() -> Any:
    from medattn_lite.widgets.explanations import explanation_browser

    return explanation_browser(["grade_p3d_iam", "grade_se_resnext", "grade_resnet_cbam"], subjects=2)


def _mechanisms() -> Any:
    from medattn_lite.networks.trained import load_trained, trained_facts
    from medattn_lite.widgets.network_comparison import mechanism_comparison

    shown = ("grade_p3d_iam", "grade_se_resnext", "grade_resnet_cbam", "presence_resnesat")
    return mechanism_comparison({trained_facts(name)["variant"]: load_trained(name) for name in shown})


def _playground() -> Any:
    from medattn_lite.widgets.playground import attention_playground

    return attention_playground()


def _head() -> Sample:
    from medattn_lite.data.phantom import Subject, glioma

    return Subject(glioma(diameter_mm=44.0), seed=3).render(shape=(72, 84, 72))


def _slices() -> Any:
    from medattn_lite.widgets.slices import slice_explorer

    return slice_explorer(_head())


def _volume() -> Any:
    from medattn_lite.widgets.viewer import view_volume

    return view_volume(_head(), "mask", channel="t1ce")


def _inter_slice() -> Any:
    import torch

    from medattn_lite.explain import held_out
    from medattn_lite.networks.trained import load_trained
    from medattn_lite.widgets.inter_slice import inter_slice_explorer

    shipped = load_trained("grade_p3d_iam")
    cases = list(held_out(shipped, limit=2))
    return inter_slice_explorer(
        shipped.network, torch.cat([case.image for case in cases]), names=shipped.facts["classes"],
        labels=[getattr(case.target, "index", 0) for case in cases],
        masks=torch.stack([case.signal for case in cases]), channels=shipped.channels,
    )  # fmt: skip


def _affinity() -> Any:
    import torch

    from medattn_lite.explain import held_out
    from medattn_lite.networks.trained import load_trained
    from medattn_lite.widgets.affinity import affinity_explorer

    known = {"slice attention (RSA)": load_trained("lesions_rsa"), "non-local": load_trained("lesions_non_local")}
    cases = list(held_out(known["non-local"], limit=2))
    return affinity_explorer(
        {name: trained.network for name, trained in known.items()}, torch.cat([case.image for case in cases]),
        masks=torch.stack([case.signal for case in cases]), channels=known["non-local"].channels, title="head",
    )  # fmt: skip


READY: Mapping[str, Ready] = MappingProxyType({
    "counterfactual": Ready("The same person with another tumour", "Take the enhancement away: which network changes "
                            "its mind, and does the map follow?", _counterfactual),
    "volume": Ready("A head in three planes and in 3-D", "Click in a plane; turn the 3-D head; lay the tumour over "
                    "another contrast.", _volume),
    "slices": Ready("Slices, contrasts and windows", "Click on the tumour, then turn the wheel. In which contrast is "
                    "the oedema bright?", _slices),
    "playground": Ready("Attention by hand", "Turn the query: which key gets its weight? Lower the temperature.",
                        _playground),
    "explanations": Ready("Maps of three networks", "Change the method and the layer. How much of the map is left in "
                          "the re-initialised network?", _explanations),
    "mechanisms": Ready("All mechanisms on one person", "Is the most expensive network the one with the best map?",
                        _mechanisms),
    "inter-slice": Ready("A gate for each slice", "Move towards mean: does the answer move?", _inter_slice),
    "affinity": Ready("Who looks at whom", "Choose a voxel in a lesion, then one in healthy tissue.", _affinity),
})  # fmt: skip


def ready(name: str) -> Any:
    """Makes one of them; the last line of a cell shows it.

    Raises:
        UserError: no such name.
    """
    if name not in READY:
        raise UserError(f"there is no explorer {name!r}: use one of {', '.join(READY)}")
    return READY[name].make()
