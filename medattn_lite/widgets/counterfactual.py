"""The counterfactual phantom: move the tumour of a synthetic head and see prediction, map and survival follow."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import ipywidgets
import torch
from matplotlib.figure import Figure

from medattn_lite.data.phantom.survival import RESECTIONS
from medattn_lite.explain import METHODS, SITES, Laboratory, Outcome, Tumour
from medattn_lite.plots.alt import alt_text, set_alt
from medattn_lite.plots.counterfactual import counterfactual_view
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer
from medattn_lite.widgets.waiting import SlowMaps

NO_MAP = "no map"
QUICK = ("Grad-CAM", "Grad-CAM++", "attention", "integrated gradients")  # occlusion takes seconds
SHARE: dict[str, Any] = {"min": 0.0, "step": 0.1, "readout_format": ".0%", "continuous_update": False}


@dataclass(frozen=True)
class CounterfactualState:
    """What the controls of the counterfactual phantom say; the first eight are the tumour's."""

    diameter_mm: float
    site: str
    enhancement: float
    necrosis: float
    oedema: float
    mark: bool
    age_years: float
    resection: str
    network: str
    method: str
    channel: str
    opacity: float


class CounterfactualPhantom(Explorer[CounterfactualState]):
    """See `counterfactual_phantom`."""

    State = CounterfactualState

    def __init__(self, laboratory: Laboratory, *, start: Tumour) -> None:
        self._laboratory = laboratory
        self._before = laboratory.look(start, method=None)
        self._start_tumour, self._slow = start, SlowMaps()
        style = {"style": LABEL, "layout": CONTROL}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "diameter_mm": ipywidgets.FloatSlider(
                value=start.diameter_mm, min=0.0, max=80.0, step=4.0, description="diameter, mm",
                continuous_update=False, readout_format=".0f", **style,
            ),
            "site": ipywidgets.Dropdown(value=start.site, options=list(SITES), description="site", **style),
            "enhancement": ipywidgets.FloatSlider(
                value=start.enhancement, max=1.0, description="enhancement", **SHARE, **style
            ),
            "necrosis": ipywidgets.FloatSlider(value=start.necrosis, max=0.9, description="necrosis", **SHARE, **style),
            "oedema": ipywidgets.FloatSlider(value=start.oedema, max=0.9, description="oedema", **SHARE, **style),
            "mark": ipywidgets.Checkbox(value=start.mark, description="scanner mark", indent=True,
                                        **style),
            "age_years": ipywidgets.IntSlider(
                value=round(start.age_years), min=20, max=90, step=5, description="age, years",
                continuous_update=False, **style,
            ),
            "resection": ipywidgets.Dropdown(
                value=start.resection, options=list(RESECTIONS), description="resection", **style
            ),
            "network": ipywidgets.Dropdown(options=list(laboratory.networks), description="map of", **style),
            "method": ipywidgets.Dropdown(
                options=[*(name for name in METHODS if name in QUICK), NO_MAP], description="method", **style
            ),
            "channel": ipywidgets.Dropdown(
                options=list(laboratory.channels), value=laboratory.channels[1], description="background", **style
            ),
            "opacity": ipywidgets.FloatSlider(
                value=0.6, min=0.0, max=1.0, step=0.1, description="opacity", readout_format=".0%",
                continuous_update=False, **style,
            ),
        }  # fmt: skip
        super().__init__(controls)

    def waits_for(self, state: CounterfactualState) -> str:
        return self._slow.announce(state.method, dataclasses.replace(state, channel="", opacity=0.0))

    def view(self, state: CounterfactualState) -> tuple[Figure, str]:
        tumour = Tumour(**{field.name: getattr(state, field.name) for field in dataclasses.fields(Tumour)})
        network, method = state.network, state.method
        fits = method != NO_MAP and (method != "attention" or self._attends(network))
        outcome = self._laboratory.look(tumour, network=network, method=method if fits else None)
        explanation = outcome.explanation
        overlay = None if explanation is None else explanation.values[0].clamp(min=0)
        figure = counterfactual_view(
            outcome.image[self._laboratory.channels.index(state.channel)], _middle(outcome.mask),
            outcome.probabilities, before=self._before.probabilities, overlay=overlay,
            overlay_title=f"{method} of {network}", outline=outcome.mask, survival=outcome.survival,
            survival_before=self._before.survival, affine=outcome.affine, opacity=state.opacity,
            chosen=network, title=f"synthetic head, {state.channel}",
        )  # fmt: skip
        words = f"{_traits(tumour, outcome.volume_ml)} Opacity {state.opacity:.0%}."
        set_alt(figure, f"{alt_text(figure)} {words}")
        return figure, f"{self._describe(tumour, outcome, network, method, fits)} Opacity {state.opacity:.0%}."

    def _attends(self, network: str) -> bool:
        from medattn_lite.attention.maps import CHANNEL, AttentionMap

        model = self._laboratory.networks[network].network
        return any(isinstance(module, AttentionMap) and module.kind != CHANNEL for module in model.modules())

    def _describe(self, tumour: Tumour, outcome: Outcome, network: str, method: str, fits: bool) -> str:
        text = f"{_traits(tumour, outcome.volume_ml)} "
        texts = [f"{name} {value:.2f} (before {self._before.probabilities[name]:.2f})"
                 for name, value in outcome.probabilities.items()]  # fmt: skip
        text += f"Probability of high grade: {', '.join(texts)}. "
        if method == NO_MAP:
            pass
        elif not fits:
            text += f"{network} has no attention over places, so there is no such map. "
        elif outcome.explanation is not None:
            note = outcome.explanation.note
            text += f"{note[0].upper()}{note[1:]}. " if note else ""
            if not math.isnan(outcome.inside):
                share = float((outcome.mask > 0).sum()) / float(
                    (outcome.image != outcome.image[:, :1, :1, :1]).any(0).sum()
                )
                text += f"Of the map's positive values {outcome.inside:.0%} lie in the tumour, which is {share:.1%} of "
                text += "the head. "
        if outcome.survival is not None:
            median = next((day for day, alive in zip(*outcome.survival, strict=True) if alive < 0.5), None)
            text += "Median survival by the phantom's own law: "
            text += "longer than shown." if median is None else f"about {median} days."
        return text.strip()


def counterfactual_phantom(
    laboratory: Laboratory | None = None, *, person: int = 3, start: Tumour | None = None
) -> CounterfactualPhantom:
    """Explores a phantom's tumour (widget 7): size, site, enhancement, necrosis, oedema, mark; predictions follow.

    Args:
        laboratory: a person and networks; by default those that come with the package.
        person: seed of the head, where no laboratory is given.
        start: the tumour that it begins with, and that everything is compared to.
    """
    return CounterfactualPhantom(laboratory or Laboratory(person=person), start=start or Tumour())


def _traits(tumour: Tumour, volume_ml: float) -> str:
    """What was set, in words."""
    person = f"a person of {tumour.age_years:.0f} years" + (", the mark beside the head" if tumour.mark else "")
    if volume_ml <= 0:
        return f"No tumour. {person[0].upper()}{person[1:]}."
    return (f"A tumour of {volume_ml:.0f} mL ({tumour.diameter_mm:.0f} mm), {tumour.site}: enhancement "
            f"{tumour.enhancement:.0%}, necrosis {tumour.necrosis:.0%}, oedema {tumour.oedema:.0%}; {person}, "
            f"resection {tumour.resection}.")  # fmt: skip


def _middle(mask: torch.Tensor) -> tuple[int, ...]:
    """The tumour's centre; the image's without a tumour."""
    inside = torch.nonzero(mask > 0).float()
    if not len(inside):
        return tuple(side // 2 for side in mask.shape)
    return tuple(int(round(float(value))) for value in inside.mean(0))
