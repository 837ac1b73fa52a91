"""The positive controls in the page of a comparison."""

from __future__ import annotations

import json

import pytest

from medattn_lite.cli import main
from medattn_lite.mechanism_comparison import with_controls
from medattn_lite.mechanism_comparison.page_controls import control_lines, control_table
from medattn_lite.mechanism_comparison.with_controls import columns, controls_record, run_controls

NONE, SE = (0.50, 0.52, 0.48, 0.51, 0.49), (0.97, 0.99, 0.98, 0.96, 0.99)


def record():
    runs = {f"sequence/none/{seed}": {"accuracy": value} for seed, value in enumerate(NONE)}
    runs |= {f"sequence/se/{seed}": {"accuracy": value} for seed, value in enumerate(SE)}
    runs |= {f"sequence/cbam/{seed}": {"accuracy": value + (-1) ** seed * 0.01} for seed, value in enumerate(NONE)}
    return {"runs": {**runs, "mirror/rsa/0": {"accuracy": 0.9}, "sequence/global-mean/0": {"accuracy": 0.9}}}


def test_a_mechanism_that_wins_and_one_that_does_not_are_told_apart():
    rows = control_table(record())["sequence"]
    se, cbam = rows["se"]["difference"], rows["cbam"]["difference"]
    assert se.value == pytest.approx(0.478) and se.low > 0.4 and se.units == 5
    assert cbam.low < 0 < cbam.high


def test_what_was_not_run_is_a_dash_that_is_explained():
    lines = control_lines(record())
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("| `")}
    assert "**+0.478" in rows["`se`"] and rows["`se`"].rstrip().endswith("| – |")
    assert "no other to compare with" in rows["`rsa`"] and rows["`rsa`"].startswith("| `rsa` | – ")
    assert any("A dash: this network does not belong to the task" in line for line in lines)
    assert "1 seed, 3 are needed" in rows["`global-mean`"]
    assert "empty" in control_lines({"runs": {}})[0]


def test_a_control_is_trained_with_what_exists_in_its_dimensions():
    assert columns("mirror", ["none", "rsa", "iam"]) == ("none", "plain", "rsa")
    assert columns("slice-above", ["none", "rsa", "iam"]) == ("none", "plain", "rsa", "iam")
    assert columns("reading-order", ["none", "se"]) == ("seq2seq", "last", "mean")


def stand_in(path, *, controls, mechanisms, seeds, minutes, progress):
    """Writes a record as the controls do, without training."""
    kept = json.loads(path.read_text())["runs"] if path.is_file() else {}
    runs = {f"{control}/{name}/{seed}": {"accuracy": 0.5} for control in controls for name in mechanisms
            for seed in seeds}  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"scale": "smoke", "version": 1, "runs": {**runs, **kept}}))


def test_controls_are_tasks_of_the_command_and_go_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # whatever the project's own record holds
    monkeypatch.setattr(with_controls, "control_table", stand_in)
    words = ["compare", "--tasks", "mirror", "--mechanisms", "rsa", "--seeds", "2", "--out", str(tmp_path / "out")]
    assert main(words) == 0 and "6 trained, 0 found" in capsys.readouterr().out
    assert main([*words, "--page", str(tmp_path / "page.md")]) == 0
    assert "0 trained, 6 found" in capsys.readouterr().out
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| mechanism | mirror |" in text and "| `rsa` | 0.500" in text
    assert not (tmp_path / "page.png").exists()
    assert main([*words, "--set", "steps=3"]) == 2 and "--set is not for" in capsys.readouterr().err


def test_what_the_time_did_not_suffice_for_is_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(with_controls, "control_table", lambda path, **options: stand_in(
        path, **{**options, "seeds": options["seeds"][:1]}))  # fmt: skip
    assert run_controls(["mirror"], ["rsa"], seeds=[0, 1], out=tmp_path) == (3, 0, 3)


def test_the_records_of_both_folders_stand_in_one_table_unless_they_differ_in_kind(tmp_path):
    new, kept = tmp_path / "out" / "positive_controls.json", tmp_path / "figures.json"
    new.parent.mkdir()
    new.write_text(json.dumps({"scale": "smoke", "version": 1, "runs": {"mirror/se/0": {"accuracy": 0.6}}}))
    assert controls_record(new.parent, kept)["runs"].keys() == {"mirror/se/0"}
    kept.write_text(json.dumps({"scale": "smoke", "version": 1, "runs": {"mirror/rsa/0": {"accuracy": 0.9}}}))
    assert controls_record(new.parent, kept)["runs"].keys() == {"mirror/se/0", "mirror/rsa/0"}
    kept.write_text(json.dumps({"scale": "smoke", "version": 2, "runs": {"mirror/rsa/0": {"accuracy": 0.9}}}))
    assert controls_record(new.parent, kept)["runs"].keys() == {"mirror/se/0"}
    assert controls_record(tmp_path / "none", tmp_path / "none.json") is None
