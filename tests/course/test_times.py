"""The table of times: one column a scale, renewed by its own report, and none of a course that failed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medattn_lite.course import measured
from medattn_lite.course.teacher import teacher_pack
from medattn_lite.course.times import add_report, main, page_of
from medattn_lite.errors import UserError
from tests.hostile.damage import KINDS, NUMBERS


def report(folder: Path, scale: str, seconds: dict[str, float], *, ok: bool = True, planned: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    runs = [{"name": name, "ok": ok, "seconds": value, "peak_memory_mb": 900.4} for name, value in seconds.items()]
    facts = {"environment": f"two cores, {scale}", "seconds": 17.0, "parameters": {"SCALE": scale}, "notebooks": runs,
             "planned": planned or len(runs), "only": []}
    (folder / "report.json").write_text(json.dumps(facts))
    return folder


def test_each_scale_has_its_column_and_a_new_report_replaces_only_its_own(tmp_path: Path) -> None:
    smoke = report(tmp_path / "a", "smoke", {"00_start": 10.2, "01_scores": 20.0})
    laptop = report(tmp_path / "b", "laptop", {"01_scores": 300.0})
    assert main([str(smoke), str(laptop), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "course_times.md").read_text()
    assert "| 00_start | 10 | 900 | — | — |" in page and "| 01_scores | 20 | 900 | 300 | 900 |" in page
    assert "| sum | 30 |  | 300 |  |" in page
    assert "`laptop`, 17 s from the first notebook's start to the last one's end: two cores, laptop" in page
    report(tmp_path / "b", "laptop", {"00_start": 99.0})
    again = page_of(add_report(laptop, tmp_path / "course_times.json"))
    assert "| 00_start | 10 | 900 | 99 | 900 |" in again and "| 01_scores | 20 | 900 | 300 | 900 |" in again


def test_a_course_that_failed_or_was_not_run_says_so(tmp_path: Path) -> None:
    bad = report(tmp_path / "bad", "smoke", {"00_start": 1.0}, ok=False)
    with pytest.raises(UserError, match="00_start failed"):
        add_report(bad, tmp_path / "record.json")
    with pytest.raises(UserError, match="not of the whole course"):
        add_report(report(tmp_path / "stopped", "smoke", {"00_start": 1.0}, planned=2), tmp_path / "record.json")
    assert not (tmp_path / "record.json").exists()
    busy = report(tmp_path / "busy", "paper", {"00_start": 1.0})
    assert main([str(busy), "--note", "busy", "--out", str(tmp_path)]) == 0
    assert "two cores, paper · busy" in (tmp_path / "course_times.md").read_text()
    assert main([str(tmp_path / "none"), "--out", str(tmp_path)]) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NUMBERS])
@pytest.mark.parametrize("read", ["times", "figures", "teacher"])
def test_a_damaged_report_is_named_in_one_line(kind: str, read: str, tmp_path: Path) -> None:
    folder = report(tmp_path / "a", "laptop", {"00_start": 10.5, "01_scores": 20.25})
    path = folder / "report.json"
    before = path.read_bytes()
    path.write_bytes(KINDS[kind](before))
    try:
        json.loads(path.read_text())["notebooks"][0]["name"], json.loads(path.read_text())["environment"]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        pass
    else:
        raise AssertionError("still a report")
    reads = {"times": lambda: add_report(folder, tmp_path / "record.json"),
             "figures": lambda: measured.add_report(folder, tmp_path / "record.json"),
             "teacher": lambda: teacher_pack(path, tmp_path / "pack.zip")}  # fmt: skip
    with pytest.raises(UserError, match="report.json (is damaged|was changed)"):
        reads[read]()
    assert not (tmp_path / "record.json").exists() and not (tmp_path / "pack.zip").exists()
