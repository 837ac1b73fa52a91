"""One case, one question, several answers: a network and its re-initialised copy, or several networks.

What the explanation browser and the mechanism comparison show is computed here, so that it can be had without them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from medattn_lite.attention import MECHANISMS as PLUGS
from medattn_lite.data.phantom import Subject
from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.localisation import Localised, chance, localise
from medattn_lite.explain.faithfulness.phantom_cases import PhantomCase, case_of, cohort_of
from medattn_lite.explain.faithfulness.sanity import reinitialised_copy, similarity
from medattn_lite.explain.methods import METHODS, Explanation, explain_image
from medattn_lite.explain.model import ClassLogit, Target, forward_eval
from medattn_lite.networks.costs import multiplications
from medattn_lite.networks.trained import Trained
from medattn_lite.training.tasks import recall_trained, task_kind

# What the registry of mechanisms has no name for, by what the network was built as.
OTHERS: Mapping[str, str] = MappingProxyType({
    "resnesat50": "split and spatial attention", "early_fusion": "early fusion", "late_fusion": "late fusion",
    "dual_fusion": "dual-fusion attention",
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Answer:
    """What one network's map shows of a case.

    Attributes:
        name: of the network.
        values: map on the case's grid; None where the method does not fit the network.
        note: of the explanation, or why there is none.
        layer: where it was taken.
        located: the map against the signal; None without a map or a signal.
        score: the target's value.
    """

    name: str
    values: Tensor | None
    note: str
    layer: str | None
    located: Localised | None
    score: float


class Browser:
    """Explanations of held-out cases by several networks, each beside its re-initialised copy; results are remembered.

    Args:
        networks: name → trained network, all of one kind of input.
        cases: what they are asked about.

    Raises:
        UserError: no network or no case.
    """

    def __init__(self, networks: Mapping[str, Trained], cases: Sequence[PhantomCase]) -> None:
        if not networks or not cases:
            raise UserError("there is nothing to browse: give at least one trained network and one case")
        self.networks, self.cases = dict(networks), list(cases)
        self._copy = lru_cache(maxsize=None)(self._reinitialise)
        self.answer = lru_cache(maxsize=256)(self._answer)

    def chance(self, case: int) -> Localised:
        """What a map that is the same everywhere gets."""
        phantom = self.cases[case]
        return chance(phantom.signal, within=phantom.counted)

    def asks(self, network: str) -> str:
        """What a network is asked about: a "class", a "region" or the "risk"."""
        return task_kind(self.networks[network].facts).asks

    def classes(self, network: str) -> tuple[str, ...]:
        """What a network can be asked about."""
        return self.networks[network].classes

    def rank_correlation(self, case: int, first: Answer, second: Answer) -> float:
        """Rank correlation of two maps of a case; NaN where one is missing or flat."""
        if first.values is None or second.values is None:
            return float("nan")
        return similarity(first.values, second.values, within=self.cases[case].counted)

    def _answer(
        self, case: int, network: str, method: str, *, layer: str | None = None, index: int | None = None,
        reinitialised: bool = False,
    ) -> Answer:  # fmt: skip
        """One map.

        Args:
            case: number of the case.
            network: its name.
            method: one of `METHODS`.
            layer: of a method that has one; None for its default.
            index: class to ask about; None for the case's own question.
            reinitialised: ask the copy whose weights were drawn again.
        """
        phantom = self.cases[case]
        model = self._copy(network) if reinitialised else self.networks[network].network
        target: Target = phantom.target if index is None else ClassLogit(index, name=self.classes(network)[index])
        if METHODS[method].asks:  # both are asked about the region that the trained one finds
            target = target.fixed(forward_eval(self.networks[network].network, phantom.image))
        return answer(model, phantom, method, name=network, layer=layer, target=target)

    def _reinitialise(self, network: str) -> nn.Module:
        images = torch.cat([case.image for case in self.cases[:4]])
        return reinitialised_copy(self.networks[network].network, images=images)


def answer(
    model: nn.Module, case: PhantomCase, method: str, *, name: str, layer: str | None = None,
    target: Target | None = None,
) -> Answer:  # fmt: skip
    """A network's map of a case, scored against the case's signal.

    Args:
        model: the network.
        case: image, signal and question.
        method: one of `METHODS`.
        name: of the network.
        layer: None for the method's default.
        target: instead of the case's own.
    """
    chosen = layer if METHODS[method].at_layer and layer else None
    fixed = target or case.target
    try:
        result: Explanation = explain_image(model, case.image, method=method,
                                            target=fixed if METHODS[method].asks else None, layer=chosen)  # fmt: skip
    except UserError as error:
        return Answer(name, None, str(error).split(":")[0], None, None, float("nan"))
    located = localise(result.values[0], case.signal, within=case.counted) if bool(case.signal.any()) else None
    return Answer(name, result.values[0], result.note, result.layer, located, float(result.scores[0]))


@dataclass(frozen=True, eq=False)
class Compared:
    """One network on one person.

    Attributes:
        answer: its map.
        case: the person as this network takes it.
        mechanism: in words.
        task: what it was trained for, in words.
        parameters: of the network.
        multiplications: of one pass, in millions.
        seconds: of one pass, on this computer.
    """

    answer: Answer
    case: PhantomCase
    mechanism: str
    task: str
    parameters: int
    multiplications: float
    seconds: float


def compare(networks: Mapping[str, Trained], subject: Subject, *, method: str = "Grad-CAM") -> list[Compared]:
    """Compares networks on the same person, each as it was trained, with what a pass costs.

    Args:
        networks: name → trained network.
        subject: a phantom; each network's own cohort renders it.
        method: one of `METHODS`.

    Returns:
        one for each network that finds something to look for in the subject.
    """
    compared = []
    for name, trained in networks.items():
        with torch.no_grad():
            task = recall_trained(trained.facts)
            case = case_of(trained, cohort_of(trained).render(subject), task=task)
        if case is None:
            continue
        millions, seconds = cost(trained.network, case.image)
        compared.append(Compared(
            answer(trained.network, case, method, name=name), case,
            mechanism_of(trained.facts["network"], trained.network), task.topic,
            int(trained.facts["parameters"]), millions, seconds,
        ))  # fmt: skip
    return compared


def mechanism_of(network: str, model: nn.Module) -> str:
    """What attention a network has, in words: the mechanisms of the registry that are found in it.

    Args:
        network: what it was built as, such as "p3d_iam" or "p3d+eca".
        model: the network.
    """
    if network in OTHERS:
        return OTHERS[network]
    titles = {entry.load(): entry.title for name, entry in PLUGS.items() if name != "none"}
    mechanisms = dict.fromkeys(titles[type(module)] for module in _outermost(model, tuple(titles)))
    return " and ".join(mechanisms) or PLUGS["none"].title


def _outermost(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Iterator[nn.Module]:
    """The modules of these kinds, without those inside of another one."""
    if type(model) in kinds:
        yield model
        return
    for child in model.children():
        yield from _outermost(child, kinds)


def cost(model: nn.Module, image: Tensor) -> tuple[float, float]:
    """Counts millions of multiplications, and seconds, of one pass."""
    millions = multiplications(partial(forward_eval, model), image) / 1e6
    began = time.perf_counter()
    forward_eval(model, image)
    return millions, time.perf_counter() - began
