"""`make paper` and `medattn study paper`: the same runs, in an order that a later one can build on."""

from __future__ import annotations

import shlex
from pathlib import Path

from medattn_lite.cli import _parser
from medattn_lite.cli_paper import commands, main, run_all
from medattn_lite.training.recipes import find_recipe


def test_every_command_is_one_that_medattn_takes_and_no_two_share_a_folder(tmp_path: Path) -> None:
    listed = commands(lgg=tmp_path, ms=tmp_path, weights=tmp_path / "w.pth")
    for words in listed:
        options = _parser().parse_args(words)
        if words[0] == "train":
            assert options.scale == "paper" and find_recipe(words[1])
    folders = [words[words.index("--out") + 1] for words in listed if "--out" in words]
    assert len(set(folders)) == len(folders) and all(folder.endswith("-paper-0") for folder in folders)


def test_what_is_not_given_is_left_out_and_weights_make_another_run(tmp_path: Path) -> None:
    plain = commands()
    assert not any("lgg" in words or "open-ms" in words for words in plain)
    started = commands(weights=tmp_path / "w.pth")
    changed = [new for old, new in zip(plain, started, strict=True) if old != new]
    assert [words[1] for words in changed] == ["presence", "source"]
    assert all("phantom-imagenet" in words[-1] and f"weights={tmp_path / 'w.pth'}" in words for words in changed)


def test_a_transfer_comes_after_the_run_that_it_tests(tmp_path: Path) -> None:
    listed = commands(lgg=tmp_path, ms=tmp_path)
    for place, words in enumerate(listed):
        if words[:2] == ["study", "transfer"]:
            assert any(earlier[-1] == words[2] for earlier in listed[:place])


def test_it_stops_at_the_first_that_fails_and_ends_with_the_page_of_results(tmp_path: Path) -> None:
    (tmp_path / "grading-phantom-paper-0").mkdir()
    (tmp_path / "grading-phantom-paper-0" / "metrics.json").write_text("{}")
    (tmp_path / "presence-phantom-imagenet-paper-0").mkdir()  # stopped before its end
    (tmp_path / "another").mkdir()
    ran: list[list[str]] = []

    def run(words, code=0):
        ran.append(list(words))
        return code if words[1:2] == ["b"] else 0

    assert run_all([["train", "a"], ["train", "b"]], run, runs=tmp_path) == 0
    assert ran[-1] == ["results", str(tmp_path / "grading-phantom-paper-0")] and len(ran) == 3
    ran.clear()
    assert run_all([["train", "b"], ["train", "a"]], lambda words: run(words, 2), runs=tmp_path) == 2 and len(ran) == 1


def test_a_file_or_folder_that_is_missing_is_said_before_anything_runs(tmp_path: Path, capsys) -> None:
    tmp_path = tmp_path / "my scans"
    tmp_path.mkdir()
    assert main(["--weights", str(tmp_path / "no.pth")]) == 2
    assert "medattn fetch resnest50 gets it" in capsys.readouterr().err
    assert main(["--lgg", str(tmp_path / "no")]) == 2
    assert "is not a folder: check --lgg" in capsys.readouterr().err
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["--list", "--lgg", str(tmp_path)]) == 0
    copied = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert copied == [["medattn", *words] for words in commands(lgg=tmp_path)]
    assert len(lines) == len(commands()) and all(line.startswith("medattn ") for line in lines)
