"""The command `medattn`: one line for a mistake, exit code 2, never a traceback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from medattn_lite import __version__, cli
from medattn_lite.cli_values import options_of
from medattn_lite.errors import UserError
from tests.course.notebook_maker import make_notebook

CHECKOUT = Path(__file__).resolve().parents[1]
COMMANDS = {"doctor", "course", "notebooks", "check-data", "fetch", "phantom", "networks", "train", "results", "cache",
            "explain", "explore", "audit", "compare", "controls", "gpu-check", "start", "study", "import", "export",
            "hub"}


def medattn(*words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "medattn_lite.cli", *words], capture_output=True, text=True, cwd=cwd,
                          timeout=300, env={**os.environ, "PYTHONPATH": str(CHECKOUT), **environment})


def assert_one_line(stderr: str, *words: str) -> None:
    assert stderr.count("\n") == 1 and stderr.startswith("medattn: "), stderr
    assert "Traceback" not in stderr
    assert all(word in stderr for word in words), stderr


def test_help_names_the_commands_that_exist_and_version_says_which() -> None:
    done = medattn("--help")
    assert done.returncode == 0
    assert set(re.findall(r"^    ([a-z-]+)(?: |$)", done.stdout, re.MULTILINE)) >= COMMANDS
    assert medattn("--version").stdout.strip() == f"medattn_lite {__version__}"


def test_the_readme_promises_no_command_that_does_not_exist() -> None:
    text = (CHECKOUT / "README.md").read_text()
    assert set(re.findall(r"^medattn ([a-z-]+)|`medattn ([a-z-]+)", text, re.MULTILINE)) <= \
        {(name, "") for name in COMMANDS} | {("", name) for name in COMMANDS}
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)) <= targets
    for link in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (CHECKOUT / link).exists(), link


def test_the_command_starts_without_what_it_does_not_need() -> None:
    code = "import sys, medattn_lite.cli as c; c._parser(); print(sorted({'torch', 'papermill'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_page_of_results_is_written_without_torch(tmp_path: Path) -> None:
    words = ["results", "--keep", str(CHECKOUT / "figures" / "results"), "--out", str(tmp_path / "page.md")]
    code = f"import sys, medattn_lite.cli as c; print(c.main({words!r}), {{'torch', 'monai'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.stdout.splitlines()[-1] == "0 set()", done.stdout + done.stderr
    assert (tmp_path / "page.md").read_text(encoding="utf-8").startswith("# Results")


@pytest.mark.parametrize(("words", "says"), [
    (("course", "--scale", "huge"), ("SCALE is 'huge'",)),
    (("course", "--only", "99"), ("no notebook '99'",)),
    (("course", "--data", "lgg"), ("--root",)),
    (("course", "--data", "lgg", "--root", "nowhere"), ("nowhere is not a folder",)),
    (("course", "--data", "cats", "--root", "."), ("unknown data 'cats'",)),
    (("course", "--root", "."), ("phantoms are made, not read",)),
    (("course", "--data", "brats", "--root", "."), ("is empty", "BraTS")),
    (("check-data", "cats", "--root", "."), ("cannot check 'cats'", "lgg")),
    (("check-data", "lgg", "--root", "nowhere"), ("no folder nowhere", "check the path")),
    (("check-data", "nifti", "--root", ".", "--option", "label_map=1"), ("is not a label map", "1:4,2:1")),
    (("check-data", "lgg", "--root", ".", "--option", "colour=1"), ("no option 'colour'",)),
    (("fetch", "phantom"), ("nothing to fetch",)),
    (("fetch", "msd"), ("--accept-licence",)),
    (("fetch", "open-ms", "--accept-licence", "--layout", "cats"), ("unknown layout 'cats'",)),
    (("course", "--notebooks", "nowhere"), ("nowhere has no NN_name.ipynb",)),
    (("course", "--device", "toaster"), ("unknown device 'toaster'",)),
    (("check-data", "nifti", "--root", ".", "--option", "csv"), ("NAME=VALUE",)),
    (("fetch", "cats"), ("cats",)),
    (("phantom",), ("--out DIR",)),
    (("phantom", "--out", "new", "--task", "cats"), ("cats",)),
    (("phantom", "--patients", "nowhere"), ("nowhere is not a folder",)),
    (("audit", "cats"), ("unknown data set 'cats'",)),
    (("audit", "lgg"), ("needs its folder", "--root DIR")),
    (("audit", "lgg", "--root", "nowhere"), ("no folder nowhere",)),
    (("audit", "phantom", "--root", "."), ("phantoms are made, not read",)),
    (("audit", "phantom", "--label", "idh"), ("--task idh",)),
    (("audit", "phantom", "--task", "cats"), ("task='cats'",)),
    (("audit", "phantom", "--n", "4"), ("at least 12",)),
    (("audit", "phantom", "--shape", "3,3,3"), ("--shape 3,3,3",)),
    (("audit", "phantom", "--n", "12", "--repeats", "1"), ("take at least 3",)),
    (("audit", "lgg", "--root", ".", "--all"), ("--all is for the phantom's tasks",)),
    (("audit", "phantom", "--all", "--out", "page.txt"), ("ends in .md",)),
])
def test_a_mistake_is_one_line_and_exit_code_2(words: tuple, says: tuple, capsys: pytest.CaptureFixture, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    assert_one_line(capsys.readouterr().err, *says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [(), ("teach",), ("course", "--seed", "x"), ("phantom", "--shape", "9"),
                                   ("phantom", "--n", "0"),
                                   ("check-data", "lgg"), ("phantom", "--controls", "--timings")])
def test_a_word_that_is_not_understood_is_one_line_too(words: tuple, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert_one_line(capsys.readouterr().err, "--help")


def test_debug_shows_where_a_mistake_was_noticed() -> None:
    with pytest.raises(UserError):
        cli.main(["--debug", "course", "--scale", "huge"])


def test_an_interrupt_ends_with_130_and_one_line(monkeypatch: pytest.MonkeyPatch,
                                                     capsys: pytest.CaptureFixture) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medattn_lite.course.doctor.doctor", interrupted)
    assert cli.main(["doctor"]) == 130
    assert_one_line(capsys.readouterr().err, "interrupted")


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(f"{sys.executable} -m medattn_lite.cli doctor | head -1", shell=True, capture_output=True,
                          text=True, cwd=CHECKOUT, timeout=120)
    assert done.returncode == 0 and "Python" in done.stdout and "Traceback" not in done.stderr, done.stderr


def test_check_data_says_what_is_there_case_by_case_and_its_code(real_data: Path,
                                                                 capsys: pytest.CaptureFixture) -> None:
    code = cli.main(["check-data", "open-ms", "--root", str(real_data / "open_ms_data")])
    output = capsys.readouterr().out
    assert code in (0, 1) and "patient07" in output and "patient19" in output


def test_check_data_of_a_folder_that_cannot_be_read_ends_with_2_on_stderr(tmp_path: Path,
                                                                        capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["check-data", "brats", "--root", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and str(tmp_path) in shown.err and "Traceback" not in shown.err


def test_phantoms_are_written_as_files_that_check_data_finds_usable(tmp_path: Path,
                                                                    capsys: pytest.CaptureFixture) -> None:
    words = ["phantom", "--n", "2", "--shape", "32,36,32", "--out", str(tmp_path / "cohort"), "--device", "cpu"]
    assert cli.main(words) == 0
    assert cli.main(["check-data", "brats", "--root", str(tmp_path / "cohort")]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()
    assert cli.main(words) == 2
    assert "is there already" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_timings_are_one_line_a_size(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setattr("medattn_lite.data.phantom.export.timings", lambda **options: {"64×64×64": float(options["n"])})
    assert cli.main(["phantom", "--timings", "--n", "5"]) == 0
    assert capsys.readouterr().out.split() == ["64×64×64", "5.000", "s", "per", "subject"]


def test_controls_are_printed_with_their_intervals_and_kept_in_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    figures = {"auc_volume_alone": {"value": 0.5, "low": 0.4, "high": 0.6, "level": 0.95}, "scale": "laptop"}
    monkeypatch.setattr("medattn_lite.training.phantom_controls.phantom_controls", lambda *_, **__: figures)
    words = ["phantom", "--controls", "--scale", "laptop", "--out", str(tmp_path / "new" / "controls.json")]
    assert cli.main(words) == 0
    assert capsys.readouterr().out.splitlines() == ["auc_volume_alone         0.500 [0.400, 0.600]",
                                                    "scale                    laptop"]
    kept = json.loads((tmp_path / "new" / "controls.json").read_text())
    assert kept.items() >= figures.items() and kept["synthetic"] is True
    assert kept["command"].startswith("medattn phantom --controls --task grade --realism matched --scale laptop")
    assert cli.main(words) == 2


def test_options_of_a_data_set_keep_their_kind() -> None:
    words = ["csv=a b.csv", "contrast=true", "channels=t1,flair", "label_map=1:4,2:1"]
    assert options_of(words, "--option", "csv=table.csv") == {
        "csv": "a b.csv", "contrast": True, "channels": ("t1", "flair"), "label_map": {1: 4, 2: 1}}


def test_fetch_alone_lists_what_there_is_with_its_licence(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["fetch"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("open-ms", "msd", "lgg", "brats", "ucsf-pdgm", "CC BY-SA 4.0"))


def test_a_path_that_may_not_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture) -> None:
    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(Path, "iterdir", closed)
    assert cli.main(["check-data", "lgg", "--root", str(tmp_path)]) == 2
    assert_one_line(capsys.readouterr().err, str(tmp_path), "Permission denied", "check the path")


def test_course_runs_the_chosen_notebooks_and_names_the_one_that_failed(tmp_path: Path) -> None:
    make_notebook(tmp_path / "nb" / "00_good.ipynb", "SCALE, SEED")
    make_notebook(tmp_path / "nb" / "01_bad.ipynb", "{}['gate']")
    make_notebook(tmp_path / "nb" / "02_not_chosen.ipynb", "1 / 0")
    done = medattn("course", "--notebooks", "nb", "--only", "00,01", "--device", "cpu", "--out", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "medattn: 01_bad: cell 3: KeyError: 'gate'"
    assert "Traceback" not in done.stderr
    assert "00_good: ran in" in done.stdout and "01_bad: FAILED" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "00_good.ipynb", "01_bad.ipynb", "report.html", "report.json"]


def test_notebooks_check_says_what_is_stale_or_that_nothing_is(capsys: pytest.CaptureFixture) -> None:
    code = cli.main(["notebooks", "--check"])
    output = capsys.readouterr().out
    assert output == "every notebook is as its source makes it\n" if code == 0 else "differs" in output


def test_quiet_leaves_the_progress_bars_of_a_training_out(monkeypatch, capsys):
    shown = []

    def run(plan, *, accelerator, save_every, progress):
        shown.append(progress)
        raise UserError("that is enough")

    monkeypatch.setattr("medattn_lite.training.experiment.run_experiment", run)
    for words in ([], ["--quiet"]):
        assert cli.main(["train", "grading", "--device", "cpu", *words]) == 2
    assert shown == [True, False] and "that is enough" in capsys.readouterr().err


@pytest.mark.parametrize("shape", ["3,3,3", "96,112", "96,0,96", "large"])
def test_a_phantom_of_no_use_is_refused_before_anything_is_written(shape: str, tmp_path: Path, capsys) -> None:
    words = ["phantom", "--n", "1", "--shape", shape, "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2 and shape in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_controls_are_listed_and_wrong_words_are_answered_in_one_line(capsys, tmp_path):
    assert cli.main(["controls", "--list"]) == 0
    assert "two-scans" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main(["controls", "--seeds=0"])
    assert ended.value.code == 2 and "is not a whole number from 1" in capsys.readouterr().err
    wrong = {"--tasks=nothing": "no control called 'nothing'", "--page": "no record",
             "--attention=see": "no attention mechanism is called", "--scale=huge": "choose from smoke"}  # fmt: skip
    for word, message in wrong.items():
        assert cli.main(["controls", "--out", str(tmp_path / "r.json"), word]) == 2
        assert message in capsys.readouterr().err
    assert cli.main(["controls", "--out", str(tmp_path / "r.md")]) == 2
    assert not list(tmp_path.iterdir())
