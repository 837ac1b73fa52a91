"""The mechanism comparison: one synthetic person, every mechanism, its map and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets
import torch
from matplotlib.figure import Figure

from medattn_lite.data.phantom import Subject, glioma
from medattn_lite.errors import UserError
from medattn_lite.explain import METHODS, SITES, Compared, compare
from medattn_lite.networks.trained import Trained
from medattn_lite.plots.alt import alt_text, set_alt
from medattn_lite.plots.explanation_grid import explanation_grid
from medattn_lite.plots.explanations import MapRow
from medattn_lite.widgets.explorer import CONTROL, LABEL, Explorer
from medattn_lite.widgets.waiting import SlowMaps


@dataclass(frozen=True)
class ComparisonState:
    """What the controls of the comparison say."""

    person: int
    diameter_mm: float
    site: str
    method: str
    plane: str
    opacity: float


class MechanismComparison(Explorer[ComparisonState]):
    """See `mechanism_comparison`."""

    State = ComparisonState

    def __init__(self, networks: Mapping[str, Trained], *, person: int) -> None:
        self._networks, self._slow = dict(networks), SlowMaps()
        self._compared = lru_cache(maxsize=16)(self._all_networks)
        style = {"style": LABEL, "layout": CONTROL}
        controls: dict[str, ipywidgets.ValueWidget] = {
            "person": ipywidgets.IntSlider(
                value=person, min=0, max=40, description="person", continuous_update=False, **style
            ),
            "diameter_mm": ipywidgets.FloatSlider(
                value=44.0, min=16.0, max=80.0, step=4.0, description="diameter, mm", continuous_update=False,
                readout_format=".0f", **style,
            ),
            "site": ipywidgets.Dropdown(options=list(SITES), description="site", **style),
            "method": ipywidgets.Dropdown(
                options=[name for name in METHODS if name != "occlusion"], description="method", **style
            ),
            "plane": ipywidgets.Dropdown(options=["axial", "coronal", "sagittal"], description="plane", **style),
            "opacity": ipywidgets.FloatSlider(
                value=0.65, min=0.0, max=1.0, step=0.05, description="opacity", readout_format=".0%",
                continuous_update=False, **style,
            ),
        }
        super().__init__(controls)

    def waits_for(self, state: ComparisonState) -> str:
        return self._slow.announce(state.method, state.person, state.diameter_mm, state.site)

    def view(self, state: ComparisonState) -> tuple[Figure, str]:
        compared = self._compared(state.person, state.diameter_mm, state.site, state.method)
        rows = [_row(name, result) for name, result in compared.items()]
        figure = explanation_grid(rows, plane=state.plane, opacity=state.opacity, title=state.method)
        texts = [_describe(name, result) for name, result in compared.items()]
        words = f"Synthetic person {state.person}, the same for each, a tumour of "
        words += f"{state.diameter_mm:.0f} mm, {state.site}; {state.method}, {state.plane} plane of the volumes, "
        words += f"opacity {state.opacity:.0%}."
        set_alt(figure, f"{alt_text(figure)} {words}")
        return figure, f"{words} " + " ".join(texts)

    def _all_networks(self, person: int, diameter_mm: float, site: str, method: str) -> dict[str, Compared]:
        subject = Subject(glioma(grade="high", diameter_mm=diameter_mm, site=SITES[site]), person)
        by_name = {one.answer.name: one for one in compare(self._networks, subject, method=method)}
        if not by_name:
            raise UserError("none of these networks finds anything to look for in a head with a glioma")
        return by_name


def mechanism_comparison(networks: Mapping[str, Trained], *, person: int = 3) -> MechanismComparison:
    """Compares all mechanisms on one input (widget 8): their maps and costs.

    Args:
        networks: name → trained network; each sees the person as it was trained to.
        person: seed of the head.

    Raises:
        UserError: no network.
    """
    if not networks:
        raise UserError("give at least one trained network to compare")
    return MechanismComparison(networks, person=person)


def _row(name: str, result: Compared) -> MapRow:
    case, answer = result.case, result.answer
    lines = [result.mechanism, f"for: {result.task}",
             f"{result.parameters / 1e3:,.0f} k parameters",
             f"{result.multiplications:,.0f} M multiplications"]  # fmt: skip
    if answer.located is not None:
        lines.append(f"AUC {answer.located.auc:.2f}")
    elif answer.values is None:
        lines.append("no such map")
    if _blank(result):
        lines.append("nothing above 0: not drawn")
    contrast = case.image.shape[1] - 1
    spacing = None if case.affine is None else [float(edge) for edge in _edges(case.affine)]
    places = torch.nonzero(case.signal).float()
    position = tuple(int(round(float(value))) for value in places.mean(0)) if len(places) else None
    return MapRow(name, answer.values, "\n".join(lines), image=case.image[0, contrast], position=position,
                  spacing=spacing or [1.0] * case.signal.dim(), outline=case.signal)  # fmt: skip


def _edges(affine: object) -> torch.Tensor:
    return torch.as_tensor(affine, dtype=torch.float64)[:3, :3].square().sum(0).sqrt()


def _blank(result: Compared) -> bool:
    return result.answer.values is not None and float(result.answer.values.max()) <= 0


def _describe(name: str, result: Compared) -> str:
    text = (
        f"{name} ({result.mechanism}; {result.task}): {result.parameters / 1e3:,.0f} thousand "
    )
    text += f"parameters, {result.multiplications:,.0f} million multiplications, {result.seconds:.2f} s per pass"
    if result.answer.values is None:
        return f"{text}; no map: {result.answer.note}."
    if result.answer.located is not None:
        text += f"; AUC of the map {result.answer.located.auc:.2f}"
    if _blank(result):
        text += "; nothing above 0, not drawn"
    return f"{text}{f' ({result.answer.note})' if result.answer.note else ''}."


