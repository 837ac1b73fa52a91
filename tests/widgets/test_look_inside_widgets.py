"""Counterfactual phantom, explanation browser and mechanism comparison: every state draws, and says what it shows."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from dataclasses import replace

import ipywidgets
import pytest

from medattn_lite import widgets
from medattn_lite.data.phantom import Subject, glioma
from medattn_lite.errors import UserError
from medattn_lite.explain import SITES, Laboratory, compare, held_out
from medattn_lite.plots.alt import alt_text
from medattn_lite.widgets.counterfactual import counterfactual_phantom
from medattn_lite.widgets.explanations import explanation_browser
from medattn_lite.widgets.explorer import Explorer
from medattn_lite.widgets.network_comparison import _describe, _row, mechanism_comparison
from tests.explain.test_counterfactual import untrained

NAMES = ("P3D + IAM", "ResNet-50-CBAM", "SE-ResNeXt-50")


@pytest.fixture(scope="module")
def networks():
    return {name: untrained(name) for name in NAMES}


@pytest.fixture(scope="module")
def phantom(networks):
    return counterfactual_phantom(Laboratory(networks=networks))


@pytest.fixture(scope="module")
def browser(networks):
    return explanation_browser(networks, list(held_out(networks["P3D + IAM"], limit=2)))


@pytest.mark.parametrize(
    "state",
    [{"diameter_mm": size, "method": method, "network": network} for size, method, network in
     itertools.product((0.0, 16.0, 80.0), ("Grad-CAM", "attention", "no map"), ("P3D + IAM", "SE-ResNeXt-50"))]
    + [{"site": site, "mark": True} for site in SITES]
    + [{"enhancement": 0.0, "necrosis": 0.9, "oedema": 0.9}, {"age_years": 20, "resection": "biopsy", "channel": "t2"}],
    ids=str,
)  # fmt: skip
def test_every_tumour_draws_with_words(phantom, state):
    phantom.reset()
    phantom.set(**state)
    assert phantom.error is None and "Probability of high grade: P3D + IAM" in phantom.summary
    assert "three planes" in alt_text(phantom.static())
    if state.get("diameter_mm") == 0.0:
        assert phantom.summary.startswith("No tumour.")


def test_a_moved_slider_changes_picture_and_words(phantom):
    phantom.reset()
    before = phantom.picture.value, phantom.summary
    phantom.controls["diameter_mm"].value = 72.0
    assert phantom.picture.value != before[0] and phantom.summary != before[1]


def test_a_network_without_places_says_so(phantom):
    phantom.reset()
    phantom.set(network="SE-ResNeXt-50", method="attention")
    assert "SE-ResNeXt-50 has no attention over places" in phantom.summary


@pytest.mark.parametrize(("network", "method"), itertools.product(NAMES, ("Grad-CAM", "Grad-CAM++", "attention")))
def test_the_browser_draws_every_network_by_every_method_beside_its_reinitialised_copy(browser, network, method):
    browser.reset()
    browser.set(network=network, method=method, case=1)
    assert browser.error is None and "re-initialised" in browser.summary
    if (network, method) == ("SE-ResNeXt-50", "attention"):
        assert "has no such map" in browser.summary
    else:
        assert "rank correlation" in browser.summary


def test_the_browser_draws_every_layer_and_class(browser):
    browser.reset()
    for layer in browser.controls["layer"].options:
        browser.set(layer=layer)
        assert browser.error is None
    for target in browser.controls["target"].options:
        browser.set(target=target)
    assert set(browser.controls["target"].options) == {"default", "low grade", "high grade"}


def test_another_network_brings_its_own_layers(browser):
    browser.reset()
    browser.set(layer="layer3")
    browser.controls["network"].value = "ResNet-50-CBAM"
    assert browser.controls["layer"].value == "layer3" and browser.error is None


def test_the_comparison_has_a_row_for_each_network_with_its_costs(networks):
    widget = mechanism_comparison(networks)
    for state in ({"site": "right temporal"}, {"method": "attention"}, {"person": 9, "diameter_mm": 80.0}):
        widget.set(**state)
        assert widget.error is None
        assert all(f"{name} (" in widget.summary for name in NAMES)
        assert widget.summary.count("multiplications") == len(NAMES)


def test_networks_that_take_other_images_are_not_browsed_together(networks):
    with pytest.raises(UserError, match="name at least one"):
        explanation_browser({})
    with pytest.raises(UserError, match="at least one trained network"):
        mechanism_comparison({})


def test_no_explorer_takes_a_name_that_ipywidgets_uses_itself():
    """`_compare`, say, is called by every widget when its page answers: a kernel that is asked then fails."""
    for module in pkgutil.iter_modules(widgets.__path__):
        importlib.import_module(f"{widgets.__name__}.{module.name}")
    classes = [Explorer, *Explorer.__subclasses__()]
    assert len(classes) > 5
    taken = {(one.__name__, name) for one in classes for name in vars(one)
             if hasattr(ipywidgets.VBox, name) and not name.startswith("__") and name != "_repr_mimebundle_"
             and not name.startswith(("_trait", "_all_trait", "_static_immutable", "_instance_init", "_descriptors",
                                      "_cross_validation", "_notify"))}  # fmt: skip
    assert taken == set()


@pytest.mark.parametrize("kind", ["phantom", "browser", "comparison"])
def test_every_slider_changes_picture_words_and_alternative_text(kind, request, networks):
    """What the browser test asks of each slider, without a browser."""
    explorer = mechanism_comparison(networks) if kind == "comparison" else request.getfixturevalue(kind)
    explorer.reset()
    sliders = {name: control for name, control in explorer.controls.items() if hasattr(control, "step")}
    assert len(sliders) >= 3
    for name, control in sliders.items():
        before = explorer.picture.value, explorer.summary, explorer.picture.alt
        step = control.step if control.value + control.step <= control.max else -control.step
        control.value = round(control.value + step, 6)
        now = explorer.picture.value, explorer.summary, explorer.picture.alt
        assert explorer.error is None
        parts = zip(("picture", "words", "alt"), before, now, strict=True)
        assert [part for part, old, new in parts if old == new] == [], name


def test_a_map_below_zero_everywhere_is_not_drawn_and_its_row_says_so(networks):
    subject = Subject(glioma(grade="high", diameter_mm=44.0, site=next(iter(SITES.values()))), 3)
    compared = compare({name: networks[name] for name in list(networks)[:1]}, subject, method="Grad-CAM")[0]
    below = replace(compared, answer=replace(compared.answer, values=-compared.case.signal.float()))
    above = replace(compared, answer=replace(compared.answer, values=compared.case.signal.float()))
    assert "not drawn" in _row("one", below).caption
    assert "not drawn" not in _row("one", above).caption
    assert "not drawn" in _describe("one", below) and "not drawn" not in _describe("one", above)


def readouts(explorer, monkeypatch):
    """The readout at the time of each picture, from now on."""
    seen, view = [], explorer.view
    monkeypatch.setattr(explorer, "view", lambda state: seen.append(explorer.readout.value) or view(state))
    return seen


@pytest.mark.parametrize("kind", ["phantom", "browser"])
def test_a_slow_method_has_a_progress_bar_until_its_picture_is_there(kind, request, monkeypatch):
    explorer = request.getfixturevalue(kind)
    explorer.reset()
    seen = readouts(explorer, monkeypatch)
    explorer.controls["method"].value = "integrated gradients"
    assert "<progress" in seen[-1] and "Computing integrated gradients" in seen[-1]
    assert "<progress" not in explorer.readout.value and "Opacity" in explorer.readout.value
    explorer.controls["opacity"].value = 0.2  # its map is there
    explorer.controls["method"].value = "Grad-CAM"
    assert len(seen) == 3 and not any("<progress" in readout for readout in seen[1:])


def test_the_comparison_announces_a_slow_method_too(networks, monkeypatch):
    explorer = mechanism_comparison({"P3D + IAM": networks["P3D + IAM"]})
    seen = readouts(explorer, monkeypatch)
    explorer.controls["method"].value = "integrated gradients"
    explorer.controls["plane"].value = "coronal"
    assert ["<progress" in readout for readout in seen] == [True, False]
