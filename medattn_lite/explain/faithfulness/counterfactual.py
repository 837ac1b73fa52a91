"""What if the tumour were larger, elsewhere, without enhancement? The same person, another tumour, the same networks.

    laboratory = Laboratory(person=3)
    laboratory.look(Tumour(diameter_mm=60), network="P3D + IAM", method="Grad-CAM")

Everything but the chosen traits stays as it is: head, folding, scanner, noise. So what moves in a prediction was moved
by the trait, for this network and this head; a second head may answer otherwise. The heads are synthetic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from medattn_lite.data.phantom import PhantomCohort, Subject, glioma, healthy
from medattn_lite.data.phantom.survival import RESECTIONS, log_risk, true_survival
from medattn_lite.data.transforms import normalise
from medattn_lite.errors import UserError
from medattn_lite.explain.faithfulness.phantom_cases import cohort_of, grades_heads
from medattn_lite.explain.methods import Explanation, explain_image
from medattn_lite.explain.model import ClassLogit
from medattn_lite.networks.trained import Trained, load_trained, trained_facts, trained_names
from medattn_lite.training.inference import predict_probabilities

HIGH = 1  # the class "high grade"
SITES = {
    "left frontal": (-28.0, 36.0, 22.0), "right frontal": (28.0, 36.0, 22.0),
    "left parietal": (-32.0, -46.0, 38.0), "right parietal": (32.0, -46.0, 38.0),
    "left temporal": (-46.0, -18.0, -14.0), "right temporal": (46.0, -18.0, -14.0),
    "left occipital": (-26.0, -80.0, 8.0), "right occipital": (26.0, -80.0, 8.0),
}  # fmt: skip
DAYS = tuple(range(0, 2200, 40))


@dataclass(frozen=True)
class Tumour:
    """What can be moved.

    Attributes:
        diameter_mm: of a ball of the whole tumour's volume; 0 for no tumour.
        site: a name in `SITES`.
        enhancement: share of the living core that takes up contrast agent, 0 to 1.
        necrosis: share of the core that is dead, 0 to 0.9.
        oedema: share of the whole tumour that is oedema, 0 to 0.9.
        mark: the scanner mark beside the head.
        age_years: moves the survival curve, not the picture.
        resection: "gross total", "subtotal" or "biopsy"; likewise.
    """

    diameter_mm: float = 44.0
    site: str = "left frontal"
    enhancement: float = 0.7
    necrosis: float = 0.3
    oedema: float = 0.5
    mark: bool = False
    age_years: float = 60.0
    resection: str = "subtotal"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the networks make of a tumour.

    Attributes:
        image: (C, D, H, W), normalised.
        mask: (D, H, W) uint8, BraTS labels.
        affine: 4×4 to RAS mm.
        probabilities: network → probability of high grade.
        explanation: of the chosen network; None without a method.
        inside: share of the map's positive values that lies in the tumour; NaN without a map or a tumour.
        volume_ml: of the tumour as rendered.
        survival: (days, chance to be alive by the phantom's own law); None without a tumour.
    """

    image: Tensor
    mask: Tensor
    affine: np.ndarray
    probabilities: Mapping[str, float]
    explanation: Explanation | None
    inside: float
    volume_ml: float
    survival: tuple[Sequence[int], Sequence[float]] | None = field(default=None)


class Laboratory:
    """One person, the networks that grade, and whatever tumour is asked for.

    Args:
        person: seed of the head.
        networks: name → trained network of the recipe mechanisms; those that come with the package by default.

    Raises:
        UserError: no networks, or networks that were trained on heads of different size.
    """

    def __init__(self, *, person: int = 3, networks: Mapping[str, Trained] | None = None) -> None:
        self.networks = dict(networks) if networks is not None else grading_networks()
        if not self.networks:
            raise UserError("a laboratory needs at least one trained network that grades whole heads")
        if len({trained.size for trained in self.networks.values()}) > 1:
            raise UserError("these networks were trained on heads of different size: choose those of one run")
        self.person = person
        self.cohort: PhantomCohort = cohort_of(next(iter(self.networks.values())))
        self._scan = lru_cache(maxsize=32)(self._render)
        self._graded = lru_cache(maxsize=128)(self._grade)
        self._mapped = lru_cache(maxsize=64)(self._map)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the image's channels."""
        return next(iter(self.networks.values())).channels

    def subject(self, tumour: Tumour) -> Subject:
        """The person with this tumour.

        Raises:
            UserError: an unknown site or resection, or a share out of range.
        """
        if tumour.site not in SITES:
            raise UserError(f"unknown site {tumour.site!r}: use one of {', '.join(SITES)}")
        if tumour.resection not in RESECTIONS:
            raise UserError(f"unknown resection {tumour.resection!r}: use one of {', '.join(RESECTIONS)}")
        disease = healthy() if tumour.diameter_mm <= 0 else glioma(
            grade="high", diameter_mm=tumour.diameter_mm, site=SITES[tumour.site], enhancement=tumour.enhancement,
            necrosis=tumour.necrosis, oedema=tumour.oedema,
        )  # fmt: skip
        return Subject(disease, self.person, shortcut=tumour.mark, age_years=tumour.age_years,
                       resection=tumour.resection)  # fmt: skip

    def look(self, tumour: Tumour, *, network: str | None = None, method: str | None = "Grad-CAM") -> Outcome:
        """Renders the person, asks every network, and explains what one of them says of "high grade".

        Args:
            tumour: what to show.
            network: whose map; the first one by default.
            method: one of `explain.METHODS`; None for no map.

        Raises:
            UserError: as `subject` and `explain_image`, or an unknown network.
        """
        network = network or next(iter(self.networks))
        if network not in self.networks:
            raise UserError(f"no network is called {network!r}: use one of {', '.join(self.networks)}")
        self.subject(tumour)  # says what is wrong with it
        seen = replace(tumour, age_years=60.0, resection="subtotal")  # they do not change the picture
        image, mask, affine, volume = self._scan(seen)
        probabilities = {name: self._graded(name, seen) for name in self.networks}
        explanation = None if method is None else self._mapped(network, method, seen)
        inside = float("nan")
        if explanation is not None and bool((mask > 0).any()):
            positive = explanation.values[0].clamp(min=0)
            total = float(positive.sum())
            inside = float(positive[mask > 0].sum()) / total if total > 0 else float("nan")
        curve = None
        if volume > 0:
            risk = log_risk(age_years=tumour.age_years, volume_ml=volume, necrosis=tumour.necrosis,
                            resection=tumour.resection)  # fmt: skip
            curve = (DAYS, true_survival(DAYS, risk))
        return Outcome(image, mask, affine, probabilities, explanation, inside, volume, curve)

    def _render(self, tumour: Tumour) -> tuple[Tensor, Tensor, np.ndarray, float]:
        with torch.no_grad():
            sample = self.cohort.render(self.subject(tumour))
        return normalise(sample["image"]), sample["mask"][0], sample["affine"], sample["meta"]["whole_ml"]

    def _grade(self, name: str, tumour: Tumour) -> float:
        probabilities = predict_probabilities(self.networks[name].network, self._scan(tumour)[0][None])
        return float(probabilities[0, HIGH])

    def _map(self, name: str, method: str, tumour: Tumour) -> Explanation:
        return explain_image(self.networks[name].network, self._scan(tumour)[0][None], method=method,
                             target=ClassLogit(HIGH, name="high grade"))  # fmt: skip


def grading_networks() -> dict[str, Trained]:
    """Lists the networks that come with the package and grade whole heads, by the names of their recipe."""
    names = [name for name in trained_names() if grades_heads(trained_facts(name))]
    trained = {trained_facts(name)["variant"]: load_trained(name) for name in names}
    order = ("P3D + IAM", "SE-ResNeXt-50", "ResNet-50-CBAM", "P3D", "P3D + IAM, scanner mark",
             "P3D + IAM, shuffled labels")  # fmt: skip
    return {name: trained[name] for name in order if name in trained}
