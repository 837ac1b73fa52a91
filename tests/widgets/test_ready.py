"""Explorers that need nothing given, and the page that `medattn explore` makes of them."""

from __future__ import annotations

import json
import sys

import nbformat
import pytest

from medattn_lite import cli
from medattn_lite.cli_explore import EXPLORERS
from medattn_lite.course.explore import chosen, voila_command, write_page
from medattn_lite.errors import UserError
from medattn_lite.widgets import Explorer
from medattn_lite.widgets.ready import READY, ready
from tests.test_cli import assert_one_line


@pytest.mark.parametrize("name", ["slices", "playground", "counterfactual"])
def test_an_explorer_is_made_from_its_name_alone(name):
    explorer = ready(name)
    assert isinstance(explorer, Explorer) and explorer.error is None and explorer.picture.value


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in READY if name not in ("slices", "playground", "counterfactual")])
def test_the_others_are_made_too(name):
    shown = ready(name)._repr_mimebundle_()
    data = shown[0] if isinstance(shown, tuple) else shown
    assert "image/png" in data or "iframe" in data["text/html"]


def test_the_page_holds_what_was_asked_for_in_its_own_order(tmp_path):
    page = write_page(tmp_path, chosen(["playground", "counterfactual"]))
    cells = nbformat.read(page, as_version=4).cells
    assert [cell.source.splitlines()[-1] for cell in cells if cell.cell_type == "code"] == [
        "ready('counterfactual')", "ready('playground')"]  # fmt: skip
    kernel = json.loads((tmp_path / "kernels" / "medattn-explore" / "kernel.json").read_text())
    assert kernel["argv"][0] == sys.executable
    assert chosen([]) == list(READY)


def test_the_help_names_every_explorer(capsys):
    with pytest.raises(SystemExit):
        cli.main(["explore", "--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert all(name in printed for name in READY) and EXPLORERS == tuple(READY)


def test_the_list_names_them_and_opens_nothing(capsys):
    assert cli.main(["explore", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(READY)
    assert cli.main(["explore", "slices", "--list"]) == 0 and "windows" in capsys.readouterr().out


def test_the_page_is_served_on_this_computer_only(tmp_path):
    command, environment = voila_command(tmp_path / "explore.ipynb", port=8866, browser=False, dark=True)
    assert {"--Voila.ip=127.0.0.1", "--no-browser", "--theme=dark", "--template=medattn"} <= set(command)
    assert str(tmp_path) in environment["JUPYTER_PATH"]


def test_without_voila_and_with_a_wrong_name_it_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.main(["explore"]) == 2
    assert_one_line(capsys.readouterr().err, "needs Voil\u00e0", "medattn-lite[explore]")
    assert cli.main(["explore", "slicse"]) == 2
    assert_one_line(capsys.readouterr().err, "no explorer 'slicse'", "slices")
    with pytest.raises(UserError, match="no explorer"):
        ready("slicse")
