"""The explanation browser: network × layer × method × class, each map beside that of a re-initialised copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ipywidgets
import torch
from matplotlib.figure import Figure

from medattn_lite.errors import UserError
from medattn_lite.explain import METHODS, Answer, Browser, PhantomCase, held_out, layer_sizes
from medattn_lite.networks.trained import Trained, load_trained
from medattn_lite.plots.alt import alt_text, set_alt
from medattn_lite.plots.explanations import MapRow, explanation_rows
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer
from medattn_lite.widgets.waiting import SlowMaps

DEFAULT = "default"  # layer, target
AXES = ("axial", "coronal", "sagittal")


@dataclass(frozen=True)
class BrowserState:
    """What the controls of the explanation browser say."""

    case: int
    network: str
    method: str
    layer: str
    target: str
    channel: str
    opacity: float
    axial: int | None = None
    coronal: int | None = None
    sagittal: int | None = None

    @property
    def position(self) -> tuple[int, int, int] | None:
        """Indices of the voxel that the planes go through; None for a slice."""
        if self.axial is None or self.coronal is None or self.sagittal is None:
            return None
        return self.axial, self.coronal, self.sagittal


class ExplanationBrowser(Explorer[BrowserState]):
    """See `explanation_browser`."""

    State = BrowserState

    def __init__(self, browser: Browser) -> None:
        self._browser, self._slow = browser, SlowMaps()
        self._volumes = browser.cases[0].image.dim() == 5
        style = {"style": LABEL, "layout": CONTROL}
        network = next(iter(browser.networks))
        quick = [name for name in METHODS if name != "occlusion"]
        controls: dict[str, ipywidgets.ValueWidget] = {
            "case": ipywidgets.IntSlider(
                value=0, min=0, max=len(browser.cases) - 1, disabled=len(browser.cases) == 1, description="subject",
                continuous_update=False, **style,
            ),
            "network": ipywidgets.Dropdown(options=list(browser.networks), description="network", **style),
            "method": ipywidgets.Dropdown(options=[*quick, "occlusion"], description="method", **style),
            "layer": ipywidgets.Dropdown(options=self._layers(network), description="layer", **style),
            "target": ipywidgets.Dropdown(options=self._questions(network), description="target", **style),
            "channel": ipywidgets.Dropdown(
                options=list(browser.networks[network].channels), description="background", **style
            ),
        }
        if self._volumes:
            start = self._middle(0)
            for axis, (name, side) in enumerate(zip(AXES, browser.cases[0].image.shape[2:], strict=True)):
                controls[name] = ipywidgets.IntSlider(
                    value=start[axis], min=0, max=side - 1, description=f"{name} slice", continuous_update=False,
                    **style,
                )
        controls["opacity"] = ipywidgets.FloatSlider(
            value=0.65, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%",
            continuous_update=False, **style,
        )
        self.controls = controls
        super().__init__(controls)

    def adjust(self, name: str) -> None:
        """A network brings its layers and classes; a subject brings the place of its signal."""
        if name == "network":
            network = self.controls["network"].value
            for control, options in (("layer", self._layers(network)), ("target", self._questions(network))):
                before = self.controls[control].value
                self.controls[control].options = options
                self.controls[control].value = before if before in options else options[0]
        if name == "case" and self._volumes:
            for axis, index in zip(AXES, self._middle(self.controls["case"].value), strict=True):
                self.controls[axis].value = index

    def waits_for(self, state: BrowserState) -> str:
        return self._slow.announce(state.method, state.case, state.network, state.target)

    def view(self, state: BrowserState) -> tuple[Figure, str]:
        number, network, method = state.case, state.network, state.method
        case = self._browser.cases[number]
        layer = None if state.layer == DEFAULT or not METHODS[method].at_layer else state.layer
        classes = self._browser.classes(network)
        index = None if state.target == DEFAULT else classes.index(state.target)
        known, blank = (self._browser.answer(number, network, method, layer=layer, index=index, reinitialised=one)
                        for one in (False, True))  # fmt: skip
        like = self._browser.rank_correlation(number, known, blank)
        position = state.position
        rows = [MapRow(network, known.values, self._caption(known, number)),
                MapRow("re-initialised network", blank.values, self._caption(blank, number))]  # fmt: skip
        channel = self._browser.networks[network].channels.index(state.channel)
        figure = explanation_rows(
            case.image[0, channel], rows, position=position, affine=case.affine, outline=case.signal,
            opacity=state.opacity, title=method,
        )
        places = zip(AXES, position or (), strict=False)
        shown = "" if position is None else f"Slices: {', '.join(f'{name} {index}' for name, index in places)}. "
        shown += f"Opacity {state.opacity:.0%}."
        set_alt(figure, f"{alt_text(figure)} {case.subject}. {shown}")
        return figure, f"{self._describe(case, known, blank, like, method, number)} {shown}"

    def _layers(self, network: str) -> list[str]:
        case = self._browser.cases[0]
        sizes = layer_sizes(self._browser.networks[network].network, case.image)
        wide = [name for name, size in sizes.items() if min(size) > 1 and name.count(".") <= 1]
        return [DEFAULT, *wide]

    def _questions(self, network: str) -> list[str]:
        regions = self._browser.asks(network) == "region"
        return [DEFAULT] if regions else [DEFAULT, *self._browser.classes(network)]

    def _middle(self, case: int) -> tuple[int, ...]:
        """The centre of the signal."""
        places = torch.nonzero(self._browser.cases[case].signal).float()
        return tuple(int(round(float(value))) for value in places.mean(0))

    def _caption(self, answer: Answer, case: int) -> str:
        if answer.values is None:
            return _lines(answer.note)
        lines = [] if answer.layer is None else [f"at {answer.layer}"]
        if answer.located is not None:
            lines += [f"AUC {answer.located.auc:.2f} (chance 0.50)"]
            if not math.isnan(answer.located.relevance_mass):
                share = self._browser.chance(case).relevance_mass
                lines += [f"mass inside {answer.located.relevance_mass:.1%}", f"(even map {share:.1%})"]
        return "\n".join([*lines, *([_lines(answer.note)] if answer.note else [])])

    def _describe(self, case: PhantomCase, known: Answer, blank: Answer, like: float, method: str, number: int) -> str:
        text = f"{case.subject}, target {case.target.words if hasattr(case.target, 'words') else ''}; the line is "
        text += "the signal, the voxels that decide. "
        for answer, who in ((known, "The network"), (blank, "The re-initialised network")):
            if answer.values is None:
                text += f"{who} has no such map: {answer.note}. "
                continue
            text += f"{who}: "
            text += f"target {answer.score:.2f}, " if not math.isnan(answer.score) else ""
            text += "" if answer.located is None else f"AUC of the map against the signal {answer.located.auc:.2f}"
            text += f" ({answer.note}). " if answer.note else ". "
        if not math.isnan(like):
            text += f"The two maps' rank correlation is {like:.2f}: "
            text += "the map hardly shows what was learned." if like > 0.8 else "what was learned changed the map."
        return text.strip()


def explanation_browser(
    networks: Mapping[str, Trained] | Sequence[str], cases: Sequence[PhantomCase] | None = None, *, subjects: int = 6
) -> ExplanationBrowser:
    """Explores any layer of any network by any method (widget 5), beside a re-initialised copy of the network.

    Args:
        networks: name → trained network, or names of those that come with the package; all take the same images.
        cases: what is explained; by default held-out subjects of the first network.
        subjects: how many of them.

    Raises:
        UserError: no network, or networks whose images differ.
    """
    if not isinstance(networks, Mapping):
        networks = {trained.facts["variant"]: trained for trained in map(load_trained, networks)}
    if not networks:
        raise UserError("name at least one trained network to browse")
    if len({(trained.size, trained.channels) for trained in networks.values()}) > 1:
        raise UserError("these networks take different images: browse those of one recipe together")
    first = next(iter(networks.values()))
    return ExplanationBrowser(Browser(networks, list(cases or held_out(first, limit=subjects))))


def _lines(text: str, width: int = 30) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))
