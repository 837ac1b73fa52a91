"""Grad-CAM of survival networks by plane: the positive control wins in each, and a wrong network is one line."""

from __future__ import annotations

import pytest

from medattn_lite.errors import UserError
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.explain.faithfulness.localisation import PLANES
from medattn_lite.explain.faithfulness.survival_planes import FRESH, TRAINED, TRUTH, page_of, planes_of
from medattn_lite.networks.trained import load_trained


@pytest.mark.slow
def test_the_tumour_itself_wins_in_each_plane_and_noise_is_chance():
    record = planes_of(load_trained("survival_resnet_cbam"), subjects=2, progress=False)
    assert set(record["difference"]) == {"coronal − axial", "sagittal − axial"}
    for plane in PLANES:
        values = {name: by_plane[plane]["value"] for name, by_plane in record["auc"].items()}
        assert values[TRUTH] > max(0.9, values[TRAINED]) and abs(values["noise"] - 0.5) < 0.1 and FRESH in values
    for plane in ("coronal", "sagittal"):
        axial, other = (record["auc"][TRAINED][one]["value"] for one in ("axial", plane))
        assert record["difference"][f"{plane} − axial"][TRAINED]["value"] == pytest.approx(other - axial)
    assert "| Grad-CAM |" in page_of({"networks": {"one": record}})


@pytest.mark.parametrize(("trained", "middle", "words"), [
    (0.1, 0.0, "and more than any map"), (0.1, 0.12, "may have as much: middle"), (0.01, 0.0, "not borne out"),
])
def test_the_page_says_whether_the_claim_holds(trained, middle, words):
    def around(value):
        return Interval(value, value - 0.02, value + 0.02, 0.95, 40).as_dict()

    each = {TRAINED: trained, FRESH: 0.0, TRUTH: 0.5, "middle": middle}
    planes = {kind: {plane: around(0.7) for plane in PLANES} for kind in each}
    claim = {kind: around(value) for kind, value in each.items()}
    page = page_of({"networks": {"one": {"subjects": 40, "auc": planes, "difference": {"coronal − axial": claim}}}})
    assert page.splitlines()[-1].startswith("coronal − axial: ") and words in page


def test_a_network_that_predicts_no_survival_is_one_line():
    with pytest.raises(UserError, match="does not predict survival"):
        planes_of(load_trained("grade_p3d"), subjects=2)
    with pytest.raises(UserError, match="2 or more"):
        planes_of(load_trained("survival_resnet_cbam"), subjects=1)
