"""What the notebooks measured is kept by notebook: of runs on phantoms at laptop scale that came to their end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from medattn_lite.course.measured import add_report, main
from medattn_lite.errors import UserError


def report(
    folder: Path, values: dict[str, float], *, scale: str = "laptop", data: str = "phantom", ok: bool = True
) -> Path:
    folder.mkdir()
    runs = [{"name": name, "ok": ok, "metrics": [{"name": "AUC", "value": value, "low": 0.5, "high": 1.0, "unit": ""}]}
            for name, value in values.items()]  # fmt: skip
    facts = {"environment": f"here, {scale}", "parameters": {"SCALE": scale, "DATA": data}, "notebooks": runs}
    (folder / "report.json").write_text(json.dumps(facts))
    return folder


def test_a_report_of_some_notebooks_renews_those_and_keeps_the_others(tmp_path: Path) -> None:
    both = report(tmp_path / "a", {"02_one": 0.81, "03_two": 0.82})
    assert main([str(both), str(report(tmp_path / "b", {"03_two": 0.93})), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "course_laptop.md").read_text()
    assert "- AUC: 0.81 [0.5, 1]" in page and "- AUC: 0.93 [0.5, 1]" in page and "0.82" not in page


@pytest.mark.parametrize(("options", "says"), [
    ({"scale": "smoke"}, "another scale or of patients"),
    ({"data": "lgg"}, "another scale or of patients"),
    ({"ok": False}, "02_one failed: run medattn course --only 02 again"),
])  # fmt: skip
def test_another_scale_patients_and_failures_are_refused(tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        add_report(report(tmp_path / "a", {"02_one": 0.8}, **options), tmp_path / "record.json")
    assert not (tmp_path / "record.json").exists()
    assert main([str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
