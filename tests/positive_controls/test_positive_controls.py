"""Positive controls, trained: plain networks cannot see the cue, the mechanism can, and its map is what does it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medattn_lite import positive_controls as controls
from medattn_lite.attention import names
from medattn_lite.data.controls import CONTROLS, Control
from medattn_lite.errors import UserError
from medattn_lite.positive_controls import page, proof, readme, table
from medattn_lite.positive_controls import train as training
from medattn_lite.positive_controls.denormals import are_flushed, flushed_denormals
from medattn_lite.positive_controls.stand_ins import STAND_INS, make_plug
from medattn_lite.positive_controls.table import read_record
from medattn_lite.positive_controls.train import build_network, count, object_labels, object_logits
from tests.hostile.damage import KINDS

WITH_A_FIELD = [control for control in CONTROLS.values() if control.mechanism != "seq2seq"]
EACH = pytest.mark.parametrize("control", WITH_A_FIELD, ids=lambda control: control.name)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few images and steps, for what does not hang on learning."""
    tiny = {
        name: replace(settings, steps=2, batch=4, images=8, tested=16) for name, settings in controls.SETTINGS.items()
    }
    for module in (training, table):
        monkeypatch.setattr(module, "SETTINGS", tiny)


@EACH
def test_a_plain_network_does_not_reach_the_cue(control: Control) -> None:
    torch.manual_seed(0)
    network = build_network(control, "plain")
    assert max(proof.receptive_field(network, control)) <= control.field
    assert proof.sees_cue(network, control.draw(20, seed=50)) == 0


@EACH
def test_the_mechanism_reaches_the_cue(control: Control) -> None:
    torch.manual_seed(0)
    network = build_network(control, control.mechanism)
    for parameter in network.parameters():
        if parameter.numel() == 1:  # β of recurrent slice attention starts at 0
            torch.nn.init.ones_(parameter)
    assert proof.sees_cue(network, control.draw(8, seed=50)) > 0


@EACH
def test_the_plain_network_has_at_least_the_parameters_of_every_mechanism(control: Control) -> None:
    plain = count(build_network(control, "plain"))
    assert all(count(build_network(control, name)) <= plain for name in names(control.spatial_dims))
    if control.mechanism != "dual_fusion":
        assert count(build_network(control, control.mechanism)) <= plain


@pytest.mark.parametrize("name", CONTROLS)
def test_the_surroundings_of_a_candidate_tell_nothing(name: str) -> None:
    interval = proof.neighbourhood_auc(name, seed=2000)
    assert interval.low < 0.5 < interval.high or abs(interval.value - 0.5) < 0.03, str(interval)


def test_a_leak_in_the_surroundings_is_found() -> None:
    control = CONTROLS["central-vein"]

    def leaky(rng: object, n: int, size: tuple[int, ...], cue: bool) -> object:
        canvas = control.fill(rng, n, size, cue)
        canvas.images[:, 0] += 0.3 * (canvas.objects == 2)
        return canvas

    assert proof.neighbourhood_auc(replace(control, fill=leaky)).low > 0.6


@pytest.mark.parametrize("stand_in", STAND_INS)
@pytest.mark.parametrize("shape", [(2, 8, 12, 13), (2, 8, 4, 12, 13)])
def test_stand_ins_keep_the_shape(stand_in: str, shape: tuple[int, ...]) -> None:
    plug = make_plug(stand_in, 8, spatial_dims=len(shape) - 2)
    assert plug(torch.randn(shape)).shape == shape


def test_logits_and_labels_of_candidates_are_means_over_their_pixels() -> None:
    drawn = CONTROLS["zoom"].draw(5, seed=2)
    labels = object_labels(drawn)
    perfect = (drawn.objects == 2).float().unsqueeze(1) * 2 - 1
    assert torch.equal(object_logits(perfect, drawn.numbers) > 0, labels)
    assert labels.float().mean() == 0.5


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.usefixtures("small")
def test_every_network_of_a_claim_runs_and_its_maps_are_scored(name: str) -> None:
    for attention in table.further_columns(CONTROLS[name]):
        result = table.measured(CONTROLS[name], attention, 0)
        assert 0 <= result["accuracy"] <= 1 and result["steps"] == 2
        assert json.loads(json.dumps(result)) == result
    measured = table.measured(CONTROLS[name], CONTROLS[name].mechanism, 0)
    assert {"mean", "other", "map"} <= set(measured)


def test_sequence_is_won_by_squeeze_and_excitation_and_by_its_map() -> None:
    run = controls.train_control("sequence", seed=200, steps=150)
    assert run.accuracy > 0.9
    assert controls.edited_accuracy(run, "mean") < 0.65
    assert controls.map_score(run).value > 0.9
    assert controls.object_hits(run.network, controls.without_cue(run)).float().mean() < 0.65


@pytest.mark.slow
@pytest.mark.parametrize("name", CONTROLS)
def test_each_control_is_won_by_its_mechanism_and_not_by_a_plain_network(name: str) -> None:
    control = CONTROLS[name]
    run = controls.train_control(control, seed=201)
    assert run.accuracy > 0.85
    assert controls.edited_accuracy(run, "other") < 0.75
    plain = controls.train_control(control, "last" if control.mechanism == "seq2seq" else "plain", seed=201)
    # A state of fixed size holds a part of a short scan: above chance, and far from its rival.
    assert plain.accuracy < (0.85 if control.mechanism == "seq2seq" else 0.65) and plain.accuracy < run.accuracy - 0.1


def test_saturated_attention_trains_without_denormals_to_the_same_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, loss = [], training.control_loss
    monkeypatch.setattr(training, "control_loss", lambda *given: seen.append(are_flushed()) or loss(*given))
    assert not are_flushed()
    flushed = controls.train_control("mirror", seed=201, steps=12).losses
    assert seen == [True] * 12 and not are_flushed()
    monkeypatch.setattr(training, "flushed_denormals", nullcontext)
    assert controls.train_control("mirror", seed=201, steps=12).losses == flushed and not any(seen[12:])
    with flushed_denormals():  # whoever has set it so keeps it
        controls.train_control("mirror", seed=201, steps=1)
        assert are_flushed()
    assert not are_flushed()


@pytest.mark.usefixtures("small")
def test_a_table_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    first = table.control_table(path, controls=["zoom"], mechanisms=["none"], seeds=[0, 1], progress=False)
    assert set(first["runs"]) == {"zoom/none/0", "zoom/none/1"} == set(json.loads(path.read_text())["runs"])
    trained = []
    monkeypatch.setattr(table, "measured", lambda control, name, seed, scale: trained.append(seed) or {"accuracy": 0.5})
    table.control_table(path, controls=["zoom"], mechanisms=["none"], seeds=[0, 1, 2], progress=False)
    assert trained == [2]
    table.control_table(path, controls=["zoom"], mechanisms=["se"], minutes=0, progress=False)
    assert trained == [2]


@pytest.mark.usefixtures("small")
def test_the_page_says_what_was_not_run(tmp_path: Path) -> None:
    record = table.control_table(tmp_path / "r.json", controls=["zoom"], mechanisms=["none"], seeds=[0], progress=False)
    text = page.page_of(record)
    assert page.NOT_RUN in text and "| zoom |" in text and all(name in text for name in CONTROLS)


def test_mistakes_are_answered_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no control called"):
        controls.train_control("nothing")
    with pytest.raises(UserError, match="no attention mechanism is called 'see'"):
        controls.train_control("zoom", "see")
    with pytest.raises(UserError, match="'zoom' has no 'late'"):
        controls.train_control("zoom", "late")
    with pytest.raises(UserError, match="not defined in 2-D"):
        controls.train_control("zoom", "iam")
    with pytest.raises(UserError, match="scale='huge': choose from smoke"):
        controls.train_control("zoom", scale="huge")
    with pytest.raises(UserError, match="written by 'se': use one of seq2seq"):
        controls.train_control("reading-order", "se")
    other = tmp_path / "other.json"
    other.write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="not a record of positive controls"):
        table.control_table(other)


@pytest.mark.usefixtures("small")
def test_maps_are_edited_only_where_there_are_maps() -> None:
    run = controls.train_control("zoom", "plain", seed=0)
    with pytest.raises(UserError, match="no attention maps to edit"):
        controls.edited_accuracy(run, "mean")
    control = controls.train_control("zoom", seed=0)
    with pytest.raises(UserError, match="edit='flat': choose from mean, other"):
        controls.edited_accuracy(control, "flat")


def test_the_readmes_table_is_that_of_the_record(tmp_path: Path) -> None:
    record = json.loads(Path("figures/positive_controls.json").read_text(encoding="utf-8"))
    assert readme.readme_table(record) in Path("README.md").read_text(encoding="utf-8"), (
        "run medattn controls --page --readme README.md"
    )
    page = tmp_path / "page.md"
    page.write_text(f"before\n{readme.BEGIN}\nold\n{readme.END}\nafter\n", encoding="utf-8")
    readme.write_readme(page, record)
    assert page.read_text(encoding="utf-8").startswith("before\n") and "old" not in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").endswith("after\n") and "| SE | " in page.read_text(encoding="utf-8")
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(UserError, match="no place for the table"):
        readme.write_readme(page, record)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "one bit"])  # a record of text has no checksum
def test_a_damaged_record_is_named_in_one_line_and_not_replaced(kind, tmp_path):
    path = tmp_path / "controls.json"
    record = {**read_record(path, "smoke"), "runs": {"mirror/rsa/0": {"accuracy": 0.75}}}
    path.write_text(json.dumps(record))
    assert read_record(path, "smoke") == record
    damaged = KINDS[kind](path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"controls.json (is not a record|holds scale)"):
        read_record(path, "smoke")
    assert path.read_bytes() == damaged
