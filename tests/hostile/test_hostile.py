"""The short version of `medattn study reliability`: a share of the bad words and damages, a few kills."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from medattn_lite.cli_study import STUDIES
from tests.hostile import damage, kills, words
from tests.hostile.attack import attack
from tests.hostile.commands import BASES, parsers
from tests.hostile.toy_run import TRAIN, lasting, toy_recipe

WORDS_STEP, DAMAGE_STEP = 17, 23  # every so many; another start in each test session would hide what failed
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="uses signals and pipes")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    damage.make_runs(folder)
    return folder


def test_every_command_is_attacked_and_its_right_words_are_let_through() -> None:
    assert set(BASES) == set(parsers())
    with words.work_stopped(), words.fresh_folder() as folder:
        for name in ("train", "explain", "results", "check-data", "phantom", "course"):
            outcome = attack(BASES[name].words, folder, allowed=lambda name: True)
            assert (outcome.code, outcome.failure) == (0, ""), outcome


def test_bad_words_are_one_line_and_leave_nothing_behind() -> None:
    cases = words.every_case()
    assert len(cases) > 1500 and {case.words[0] for case in cases if case.words} >= set(parsers())
    failed = []
    with words.work_stopped(), words.fresh_folder() as folder:
        for case in cases[::WORDS_STEP]:
            outcome = words.try_case(case, folder)
            failed += [(case.words, outcome.failure, outcome.said[-400:])] if outcome.failure else []
    assert failed == []


def test_every_study_refuses_bad_words_in_one_line() -> None:
    cases = [case for case in words.every_case() if case.words[:1] == ("study",) and len(case.words) > 2]
    assert {case.words[1] for case in cases} == set(STUDIES) and len(cases) > 100
    failed = []
    with words.work_stopped(), words.fresh_folder() as folder:
        for case in cases:
            outcome = words.try_case(case, folder)
            failed += [(case.words, outcome.failure, outcome.said[-300:])] if outcome.failure else []
    assert failed == []


def test_damaged_files_are_named_and_the_remedy_helps(runs: Path) -> None:
    whole, failed, tried = lasting(runs / "finished"), [], 0
    for one in list(damage.every_damage(runs))[::DAMAGE_STEP]:
        outcome = damage.try_damage(one, runs, whole)
        tried += outcome is not None
        failed += [(one, outcome.failure, outcome.said[-400:])] if outcome is not None and outcome.failure else []
    assert failed == [] and tried >= 10


@pytest.mark.parametrize(("number", "before"), [(2, True), (9, False), (13, False)])
def test_a_training_killed_at_one_of_its_files_ends_the_same(
    runs: Path, tmp_path: Path, number: int, before: bool
) -> None:
    whole = lasting(runs / "finished")
    assert kills.same_after_death_at(tmp_path, TRAIN, whole, number, before=before)


def test_a_training_killed_at_random_or_without_room_ends_the_same(runs: Path, tmp_path: Path) -> None:
    whole = lasting(runs / "finished")
    assert kills.same_after_kills(tmp_path, TRAIN, whole, [0.3, 0.2]) is not None
    assert kills.same_after_full_disk(tmp_path, TRAIN, whole, 2_000)


def test_a_folder_in_which_another_process_trains_is_refused(runs: Path, tmp_path: Path) -> None:
    from medattn_lite.training.lock import locked

    with toy_recipe(), locked(tmp_path / "run"):
        outcome = attack(TRAIN, tmp_path)
    assert outcome.code == 2 and "another process is at work in run" in outcome.line and outcome.made == ()


def test_the_harness_sees_a_traceback_a_silent_word_and_a_changed_file(monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    def broken(_: object) -> int:
        (tmp_path / "mine.txt").write_text("yours")
        raise ValueError

    monkeypatch.setattr("medattn_lite.cli._networks", broken)
    assert attack(["networks"], tmp_path).failure == "traceback"
    monkeypatch.setattr("medattn_lite.cli._networks", lambda _: (tmp_path / "mine.txt").write_text("again") * 0)
    assert attack(["networks"], tmp_path).failure == "changed a file"
    case = words.Case(("networks",), True, "")
    monkeypatch.setattr("medattn_lite.cli._networks", lambda _: 0)
    assert words.try_case(case, tmp_path).failure == "accepted in silence"
