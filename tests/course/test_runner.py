"""The runner lets no mistake through that papermill would, and reports what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import joblib
import nbformat
import pytest

from medattn_lite.course.outcome import cell_errors
from medattn_lite.course.run_course import notebook_paths, run_course
from medattn_lite.course.runner import run_notebook
from medattn_lite.errors import UserError
from tests.course.notebook_maker import VALUES, make_notebook

CAUGHT_IN_A_WIDGET = """
import ipywidgets
box = ipywidgets.Output()
with box:
    raise ValueError("nobody sees me")
"""


def read_outputs(path: Path) -> list[list[dict]]:
    return [[dict(output.get("data", {})) for output in cell.get("outputs", [])]
            for cell in nbformat.read(path, as_version=4).cells]  # fmt: skip


def test_an_unknown_parameter_fails_before_anything_runs(tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "01_small.ipynb", "1 + 1")
    run = run_notebook(path, out=tmp_path / "out", parameters={**VALUES, "SCALLE": "smoke"})
    assert run.errors == ["01_small.ipynb has no parameter SCALLE; it has SCALE, DEVICE, SEED, DATA, DATA_ROOT"]
    assert not run.executed.exists()


def test_a_missing_parameters_tag_fails_before_anything_runs(tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "01_small.ipynb", "1 + 1", parameters=None)
    run = run_notebook(path, out=tmp_path / "out", parameters=VALUES)
    assert run.errors == ["01_small.ipynb: no cells are tagged `parameters`; exactly one must be"]
    assert not run.executed.exists()


def test_a_file_that_is_no_notebook_is_an_error_of_that_notebook_only(tmp_path: Path) -> None:
    path = tmp_path / "01_small.ipynb"
    path.write_text("{")
    run = run_notebook(path, out=tmp_path / "out", parameters=VALUES)
    assert len(run.errors) == 1 and "cannot be read as a notebook" in run.errors[0]


def test_a_course_with_a_broken_file_runs_the_others_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "nb").mkdir()
    (tmp_path / "nb" / "00_broken.ipynb").write_text("{")
    make_notebook(tmp_path / "nb" / "01_small.ipynb", "1 + 1")
    runs = run_course(notebooks=tmp_path / "nb", out=tmp_path / "out", device="cpu", progress=False)
    assert [run.ok for run in runs] == [False, True]
    assert "cannot be read as a notebook" in runs[0].errors[0]


@pytest.mark.parametrize(("module", "says"), [
    ("sksurv", '; scikit-survival is not installed: pip install "medattn-lite[survival]"'), ("nowhere", ""),
])  # fmt: skip
def test_a_cell_that_lacks_an_extra_says_how_to_get_it(module: str, says: str) -> None:
    text = f"No module named '{module}'"
    error = nbformat.v4.new_output("error", ename="ModuleNotFoundError", evalue=text, traceback=[])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[error])])
    assert cell_errors(notebook) == [f"cell 1: ModuleNotFoundError: {text}{says}"]


def test_a_folder_that_holds_no_such_data_set_is_told_before_anything_runs(tmp_path: Path) -> None:
    make_notebook(tmp_path / "nb" / "00_small.ipynb", "1 + 1")
    with pytest.raises(UserError, match="expected CASE/CASE_1.tif"):
        run_course(notebooks=tmp_path / "nb", out=tmp_path / "out", device="cpu", data="lgg", root=tmp_path / "nb")
    assert not (tmp_path / "out").exists()


def test_a_good_notebook_reports_figures_exercises_memory_and_runs_elsewhere_on_this_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A user's own kernel called python3, which does not work, must not be taken.
    broken = tmp_path / "jupyter" / "kernels" / "python3"
    broken.mkdir(parents=True)
    (broken / "kernel.json").write_text(json.dumps({"argv": ["no-such-python"], "display_name": "x", "language": "x"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    path = make_notebook(
        tmp_path / "01_small.ipynb",
        "import os, sys, time\nfrom medattn_lite.course import check, record\n"
        "record('python', sys.executable)\nrecord('folder', os.getcwd())\n"
        "record('SEED', SEED)\nrecord('half', 0.5, 's')",
        "held = bytearray(os.urandom(1)) * 300_000_000\ntime.sleep(0.5)\nlen(held)",
        "check('99-no-such-exercise', 1)",
        "raise RuntimeError('shown on purpose')",
        tags={3: "raises-exception"},
    )
    run = run_notebook(path, out=tmp_path / "out", parameters=VALUES)
    assert run.ok, run.errors
    values = {metric["name"]: metric["value"] for metric in run.metrics}
    assert values["python"] == sys.executable
    assert values["SEED"] == 3 and values["half"] == 0.5
    repository = Path(__file__).resolve().parents[2]
    assert repository not in Path(values["folder"]).parents and not Path(values["folder"]).exists()
    assert 300 < run.peak_memory_mb < 3000
    assert run.exercises == {"99-no-such-exercise": "not yet"}
    assert run.seconds > 0.5 and run.executed.exists()


def test_an_error_caught_by_a_widget_fails_the_notebook(tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "01_small.ipynb", CAUGHT_IN_A_WIDGET)
    run = run_notebook(path, out=tmp_path / "out", parameters=VALUES)
    assert run.errors == ["in a widget: ValueError: nobody sees me"]


def test_an_executed_copy_keeps_widgets_and_leaves_progress_bars_out(tmp_path: Path) -> None:
    code = ("import ipywidgets\nfrom tqdm.auto import tqdm\nfor step in tqdm(range(3), desc='steps', leave=False):\n"
            "    pass\nipywidgets.IntSlider()")  # fmt: skip
    run = run_notebook(make_notebook(tmp_path / "01_small.ipynb", code), out=tmp_path / "out", parameters=VALUES)
    text = run.executed.read_text()
    shown = [data for cell in read_outputs(run.executed) for data in cell]
    assert run.ok and [kind for data in shown for kind in data if "widget-view" in kind]
    assert any(str(data.get("text/plain", "")).startswith("IntSlider(") for data in shown) and "0%|" not in text


def test_the_course_goes_on_after_a_failure_and_after_a_dead_kernel(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    make_notebook(folder / "00_fails.ipynb", "1 / 0", title="00 · Fails")
    make_notebook(folder / "01_dies.ipynb", "import os\nos._exit(1)", title="01 · Dies")
    make_notebook(folder / "02_draws.ipynb", (
        "import base64\nfrom IPython.display import display\n"
        "png = base64.b64encode(b'not really').decode()\n"
        "display({'image/png': png}, metadata={'image/png': {'alt': 'A <brain> drawn'}}, raw=True)"
    ), title="02 · Draws")
    out = tmp_path / "out"
    runs = run_course(notebooks=folder, out=out, device="cpu", progress=False)
    assert [run.name for run in runs] == ["00_fails", "01_dies", "02_draws"]
    assert runs[0].errors == ["cell 3: ZeroDivisionError: division by zero"]
    assert len(runs[1].errors) == 1 and runs[1].errors[0].startswith("the kernel died")
    assert runs[2].ok
    report = json.loads((out / "report.json").read_text())
    assert report["ok"] is False and [entry["ok"] for entry in report["notebooks"]] == [False, False, True]
    assert {"seconds", "peak_memory_mb", "metrics", "errors"} <= set(report["notebooks"][2])
    page = (out / "report.html").read_text()
    assert 'alt="A &lt;brain&gt; drawn" src="data:image/png;base64,' in page
    assert "http" not in page and "<script" not in page and "<link" not in page
    assert "2 of 3 did not run to their end" in page and "ZeroDivisionError" in page


def test_two_notebooks_at_a_time_meet_share_the_cores_and_stay_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    folder = tmp_path / "notebooks"
    meeting = (  # each waits for the other: one after the other, the first would fail
        "import os, time\nfrom pathlib import Path\nfrom medattn_lite.course import record\n"
        "Path({mine!r}).touch()\nend = time.monotonic() + 90\n"
        "while not Path({other!r}).exists():\n    assert time.monotonic() < end, 'alone'\n    time.sleep(0.05)\n"
        "record('threads', int(os.environ['OMP_NUM_THREADS']))"
    )
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    make_notebook(folder / "00_first.ipynb", meeting.format(mine=a, other=b))
    make_notebook(folder / "01_second.ipynb", meeting.format(mine=b, other=a), "1 / 0")
    make_notebook(folder / "02_third.ipynb", "1 + 1")
    runs = run_course(notebooks=folder, out=tmp_path / "out", device="cpu", jobs=2, progress=False)
    assert [run.name for run in runs] == ["00_first", "01_second", "02_third"]
    assert [run.errors for run in runs] == [[], ["cell 4: ZeroDivisionError: division by zero"], []]
    threads = [metric["value"] for run in runs[:2] for metric in run.metrics]
    each = max(1, joblib.cpu_count() // 2)
    assert threads == [each, each]
    environment = json.loads((tmp_path / "out" / "report.json").read_text())["environment"]
    assert f"2 notebooks at a time, {each} thread" in environment


def test_a_killed_process_loses_its_own_notebooks_and_the_rest_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    kill = "import os, time, psutil\ntime.sleep(3)\npsutil.Process(os.getppid()).kill()\ntime.sleep(60)"
    make_notebook(folder / "00_quick.ipynb", "1 + 1")
    make_notebook(folder / "01_kills.ipynb", kill)
    for name in ("02_waits", "03_after", "04_last"):
        make_notebook(folder / f"{name}.ipynb", "import time\ntime.sleep(5)" if name == "02_waits" else "1 + 1")
    runs = run_course(notebooks=folder, out=tmp_path / "out", device="cpu", jobs=2, progress=False)
    assert [run.name for run in runs] == ["00_quick", "01_kills", "02_waits", "03_after", "04_last"]
    assert runs[0].ok and runs[4].ok and "run it alone, with --only 01" in runs[1].errors[0]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["ok"] is False and report["planned"] == 5


def test_a_course_that_is_stopped_keeps_what_has_ended_and_says_that_it_was_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    make_notebook(folder / "00_slow.ipynb", "import time\ntime.sleep(120)")
    make_notebook(folder / "01_quick.ipynb", "1 + 1")
    here = tmp_path / "here"
    make_notebook(folder / "02_slow.ipynb", f"open({str(here)!r}, 'w').close()", "import time\ntime.sleep(120)")
    words = ["course", "--notebooks", str(folder), "--out", str(tmp_path / "out"), "--device", "cpu", "--jobs", "2"]
    with subprocess.Popen([sys.executable, "-m", "medattn_lite.cli", *words], stderr=subprocess.PIPE) as course:
        end = time.monotonic() + 120
        while not here.exists():
            assert course.poll() is None and time.monotonic() < end, "02 never began"
            time.sleep(0.1)
        course.terminate()
        assert course.wait(timeout=60) == 130 and course.stderr.read().endswith(b"medattn: interrupted\n")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [one["name"] for one in report["notebooks"]] == ["01_quick"] and report["ok"] is False
    assert "Stopped after 1 of 3." in (tmp_path / "out" / "report.html").read_text()


def test_more_at_a_time_than_notebooks_is_as_many_as_there_are(tmp_path: Path) -> None:
    make_notebook(tmp_path / "nb" / "00_only.ipynb", "1 + 1")
    assert run_course(notebooks=tmp_path / "nb", out=tmp_path / "out", device="cpu", jobs=8, progress=False)[0].ok
    assert "at a time" not in json.loads((tmp_path / "out" / "report.json").read_text())["environment"]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["03", "01"], ["01_b", "03_d"]),
        (["3"], ["03_d"]),
        (["12_last.ipynb"], ["12_last"]),
        (["2"], None),
        (["99"], None),
    ],
)
def test_notebooks_are_chosen_by_number_or_name(tmp_path: Path, words: list[str], names: list[str] | None) -> None:
    for name in ("00_a", "01_b", "03_d", "12_last"):
        (tmp_path / f"{name}.ipynb").touch()
    if names is None:
        with pytest.raises(UserError, match="there is no notebook"):
            notebook_paths(tmp_path, words)
    else:
        assert [path.stem for path in notebook_paths(tmp_path, words)] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": "huge"}, "SCALE is 'huge'"),
        ({"device": "toaster"}, "unknown device"),
        ({"data": "cats"}, "unknown data 'cats'"),
        ({"data": "lgg"}, "needs a folder"),
        ({"data": "lgg", "root": Path("/no/such/folder")}, "is not a folder"),
        ({"only": ["77"]}, "there is no notebook '77'"),
        ({"jobs": 0}, "--jobs 0: give how many"),
    ],
)
def test_a_wrong_word_is_said_in_one_line_before_anything_runs(tmp_path: Path, options: dict, message: str) -> None:
    make_notebook(tmp_path / "01_small.ipynb", "1 + 1")
    with pytest.raises(UserError, match=message):
        run_course(notebooks=tmp_path, out=tmp_path / "out", progress=False, **options)
    assert not (tmp_path / "out").exists()


def test_executed_copies_never_go_over_the_notebooks(tmp_path: Path) -> None:
    path = make_notebook(tmp_path / "01_small.ipynb", "1 + 1")
    before = path.read_bytes()
    with pytest.raises(UserError, match="choose another folder"):
        run_course(notebooks=tmp_path, out=Path(os.path.relpath(tmp_path)), progress=False)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["01_small.ipynb", "report.json", "report.html"])
def test_a_learners_notebook_and_any_other_file_under_a_name_of_the_course_is_never_replaced(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "course").mkdir()
    (tmp_path / "mine").mkdir()
    make_notebook(tmp_path / "course" / "01_small.ipynb", "1 + 1")
    mine = tmp_path / "mine" / name
    if name.endswith("ipynb"):
        make_notebook(mine, "my_answer = 42")
    else:
        mine.write_text("{}")
    before = mine.read_bytes()
    with pytest.raises(UserError, match=f"{name}.*nothing was replaced"):
        run_course(notebooks=tmp_path / "course", out=tmp_path / "mine", progress=False)
    assert {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()} == {name: before}


def test_what_an_earlier_run_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    make_notebook(tmp_path / "course" / "01_small.ipynb", "1 + 1")
    for _ in range(2):
        assert all(run.ok for run in run_course(notebooks=tmp_path / "course", out=tmp_path / "out", progress=False))
