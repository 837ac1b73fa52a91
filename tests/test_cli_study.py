"""`medattn study`: everything that makes a figure can be found, and answers --help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medattn_lite.cli import main
from medattn_lite.cli_study import STUDIES

CHECKOUT = Path(__file__).resolve().parents[1]
NOT_STUDIES = {"medattn_lite.cli", "medattn_lite.course.generate"}  # `medattn`, and `medattn notebooks`


def source(module: str) -> str:
    place = CHECKOUT / Path(*module.split("."))
    return (place / "__main__.py" if place.is_dir() else place.with_suffix(".py")).read_text(encoding="utf-8")


def test_every_program_of_the_package_is_a_study_or_a_command_of_the_makefile():
    programs = set()
    for path in (CHECKOUT / "medattn_lite").rglob("*.py"):
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8"):
            programs.add(".".join(path.relative_to(CHECKOUT).with_suffix("").parts))
    assert programs - NOT_STUDIES == {s.module for s in STUDIES.values() if s.module.startswith("medattn_lite.")}


def test_the_list_names_each_with_what_it_writes(capsys):
    assert main(["study"]) == 0
    printed = capsys.readouterr().out
    for name, study in STUDIES.items():
        assert re.search(rf"^{name}\s+\S", printed, re.MULTILINE) and study.writes in printed


@pytest.mark.parametrize("name", STUDIES)
def test_each_study_answers_help_and_refuses_an_unknown_option_before_it_does_anything(name, capsys):
    kept = CHECKOUT / STUDIES[name].writes
    before = kept.stat().st_mtime_ns if kept.is_file() else None
    assert main(["study", name, "--help"]) == 0
    assert "usage" in capsys.readouterr().out.lower()
    assert main(["study", name, "--no-such-option"]) == 2
    error = capsys.readouterr().err
    assert "--no-such-option" in error or "required" in error  # a word that is missing is named first
    assert error.startswith("medattn: ") and error.count("\n") == 1
    assert (kept.stat().st_mtime_ns if kept.is_file() else None) == before


def test_an_unknown_study_is_one_line(capsys):
    assert main(["study", "faithfullness"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "use one of faithfulness" in error


def test_a_study_of_the_tests_needs_a_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["study", "parity"]) == 2 and "runs in a checkout" in capsys.readouterr().err


def test_studies_point_at_programs():
    for study in STUDIES.values():
        assert 'if __name__ == "__main__"' in source(study.module), study.module
