"""What the machine does not allow is one line; names from outside cannot repaint a terminal or run in a page."""

from __future__ import annotations

import argparse
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medattn_lite import cli
from medattn_lite.cli_faults import in_options, outside_fault
from medattn_lite.data import new_file
from medattn_lite.errors import UserError
from medattn_lite.escaping import printable, without_tags
from tests.data.makers import brain, save
from tests.test_cli import CHECKOUT, assert_one_line

FAULTS = [
    OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EDQUOT, "Disk quota exceeded"),
    OSError(errno.EROFS, "Read-only file system", "/there"), OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), OSError(errno.EIO, "Input/output error"),
    PermissionError(errno.EACCES, "Permission denied", "/root/x"), RuntimeError("Could not determine home directory."),
    MemoryError(), IsADirectoryError(errno.EISDIR, "Is a directory", "d"),
    type("SafetensorError", (Exception,), {})("Error while serializing: I/O error: No space left (os error 28)"),
]


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: f"{type(error).__name__}-{getattr(error, 'errno', '')}")
@pytest.mark.parametrize("command", [["networks"], ["doctor"], ["fetch"], ["train", "--list"]])
def test_a_fault_of_the_machine_is_one_line_and_exit_code_2(error, command, monkeypatch, capsys) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli, "_networks", fails)
    for name in ("medattn_lite.course.doctor.doctor", "medattn_lite.cli_train.list_recipes"):
        monkeypatch.setattr(name, fails)
    monkeypatch.setattr(cli, "_fetch", fails)
    assert cli.main(command) == 2
    assert_one_line(capsys.readouterr().err)


def test_a_link_to_a_missing_folder_says_where_it_points(tmp_path) -> None:
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(FileExistsError) as caught:
        link.mkdir(exist_ok=True)
    message = outside_fault(caught.value)
    assert message is not None and f"{link} is a link to {tmp_path / 'gone'}, which does not exist" in message
    with pytest.raises(FileExistsError) as caught:
        tmp_path.mkdir()
    assert "is a link" not in (outside_fault(caught.value) or "")


@pytest.mark.parametrize("error", [ValueError("ours"), RuntimeError("ours"), KeyError("ours"), OSError("ours")])
def test_a_bug_of_ours_stays_a_bug(error) -> None:
    assert outside_fault(error) is None


@pytest.mark.parametrize(("has", "message", "expected"), [
    ({"overwrite": False}, "a exists: choose another name, or pass overwrite=True",
     "a exists: choose another name, or add --overwrite"),
    ({"force": True}, "a exists: choose another name, or pass overwrite=True",
     "a exists: choose another name, or add --force"),
    ({}, "a exists: choose another name, or pass overwrite=True", "a exists: choose another name"),
    ({"layer": None}, "no layer gives a map of this image: name one with layer=",
     "no layer gives a map of this image: name one with --layer"),
    ({"target": None}, "say what to explain with target=", "say what to explain with --target"),
    ({"label": None}, "cut with label=grade, as in label='idh'", "cut with label=grade, as in label='idh'"),
    ({"overwrite": False}, "run the same command with --accept-licence (in Python: accept_licence=True)",
     "run the same command with --accept-licence (in Python: accept_licence=True)"),
])
def test_a_message_on_the_command_line_names_options_and_not_arguments(has, message, expected) -> None:
    assert in_options(message, argparse.Namespace(**has)) == expected


def test_a_file_that_appeared_meanwhile_is_said_with_the_commands_option(tmp_path, monkeypatch, capsys) -> None:
    (tmp_path / "map.nii").write_bytes(b"mine")

    def writes(options: argparse.Namespace) -> int:
        with new_file(tmp_path / "map.nii"):
            return 0

    monkeypatch.setattr("medattn_lite.cli_explain._explain", writes)
    assert cli.main(["explain", "r", "--image", "i.nii", "--out", "map.nii"]) == 2
    assert_one_line(capsys.readouterr().err, "exists already: choose another name, or add --force")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("words", [("networks",), ("fetch",), ("train", "--list")])
def test_a_full_disk_behind_the_output_is_one_line(words) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "medattn_lite.cli", *words], stdout=full, stderr=subprocess.PIPE,
                              text=True, cwd=CHECKOUT, timeout=120)
    assert done.returncode == 2
    assert_one_line(done.stderr, "free some space")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "koi8-r"])
def test_output_in_any_encoding(encoding, tmp_path) -> None:
    save(brain(), tmp_path / "Müller 頭部" / "t1.nii.gz")
    for words in (("check-data", "nifti", "--root", str(tmp_path)), ("fetch", "lgg")):
        done = subprocess.run([sys.executable, "-m", "medattn_lite.cli", *words], capture_output=True, cwd=CHECKOUT,
                              env={**os.environ, "PYTHONIOENCODING": encoding}, timeout=120)
        assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr


HOSTILE = [b"p\x1b[2J1", b"p\xff\xfe2", "p\u202egnp.3".encode(), b"p\r4", b"p\x07\x085", b"two\nlines", b"p\x9b6"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_folder_s_name_cannot_move_the_cursor_or_end_a_line(name, tmp_path, capsys) -> None:
    folder = os.path.join(os.fsencode(tmp_path), name)
    os.mkdir(folder)
    made = save(brain(), tmp_path / "made.nii.gz")
    os.rename(made, os.path.join(folder, b"t1.nii.gz"))
    assert cli.main(["check-data", "nifti", "--root", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert not set(printed) & {"\x1b", "\r", "\x07", "\x08", "\u202e", "\x9b"} and printed.isprintable() is False
    assert all(line.startswith(("nifti", "  ", "note")) for line in printed.splitlines())
    printed.encode("utf-8")


def test_errors_and_words_are_escaped_too(capsys) -> None:
    assert "\x1b" not in str(UserError("no folder a\x1b[31mb\udcff")) and "\\x1b" in str(UserError("a\x1bb"))
    assert cli.main(["check-data", "nifti", "--root", "no\x1b[2Jwhere"]) == 2
    assert "\x1b" not in capsys.readouterr().err
    with pytest.raises(SystemExit):
        cli.main(["no\x1b[2Jcommand"])
    assert "\x1b" not in capsys.readouterr().err
    assert printable("Müller 頭部 é ✓ a\tb\n") == "Müller 頭部 é ✓ a\tb\n"


@pytest.mark.parametrize("words", [["check-data", "nifti", "--root", ""], ["course", "--root", ""],
                                   ["check-data", "nifti", "--root= "]])
def test_an_unset_variable_is_not_the_present_folder(words, capsys) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert_one_line(capsys.readouterr().err, "names no folder")


def test_without_a_home_the_atlas_is_made_anew_and_kept_nowhere(monkeypatch) -> None:
    from medattn_lite.data.phantom import templates

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("MEDATTN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(templates.Path, "home", no_home)
    assert templates._cache_file() is None
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(templates._cache_file()).startswith("/somewhere")


# results


def finished(folder: Path, **changes: object) -> Path:
    folder.mkdir(parents=True)
    record = {"recipe": "grading", "data": "phantom", "scale": "smoke", "seed": 0, "folds": 2, "summary": "", **changes}
    (folder / "metrics.json").write_text(json.dumps(record))
    return folder


def test_results_replace_their_own_page_and_records_and_nothing_else(tmp_path, capsys) -> None:
    run, keep, out = finished(tmp_path / "a" / "run"), tmp_path / "keep", tmp_path / "results.md"
    words = ["results", str(run), "--keep", str(keep), "--out", str(out)]
    assert cli.main(words) == 0 and cli.main(words) == 0
    assert "replaces" not in capsys.readouterr().out
    (run / "metrics.json").write_text((run / "metrics.json").read_text().replace('"summary": ""', '"summary": "new"'))
    assert cli.main(words) == 0
    assert "run.json: replaces the older record" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["page", "record", "other run", "two of one name", "keep is a file", "out is a folder",
                                  "capitals"])
def test_results_refuse_before_anything_is_written(tmp_path, kind, capsys) -> None:
    run, keep, out = finished(tmp_path / "a" / "run"), tmp_path / "keep", tmp_path / "mine.md"
    runs = [run]
    if kind == "page":
        out.write_text("# My own notes\n")
    elif kind == "record":
        keep.mkdir()
        (keep / "run.json").write_text("mine")
    elif kind == "other run":
        keep.mkdir()
        (keep / "run.json").write_text(json.dumps({"recipe": "survival", "data": "lgg", "scale": "paper", "seed": 3}))
    elif kind == "two of one name":
        runs.append(finished(tmp_path / "b" / "run", seed=1))
    elif kind == "capitals":
        runs.append(finished(tmp_path / "b" / "RUN", seed=1))
    elif kind == "keep is a file":
        keep.write_text("mine")
    else:
        out.mkdir()
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert cli.main(["results", *map(str, runs), "--keep", str(keep), "--out", str(out)]) == 2
    assert_one_line(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_record_cannot_put_a_tag_on_the_page(tmp_path) -> None:
    run = finished(tmp_path / "run", summary="<script>alert(1)</script><img src=x onerror=y> p < 0.05")
    assert cli.main(["results", str(run), "--keep", str(tmp_path / "keep"), "--out", str(tmp_path / "r.md")]) == 0
    text = (tmp_path / "r.md").read_text()
    assert "<script" not in text and "<img" not in text and "</script" not in text and "p < 0.05" in text
    assert without_tags("a < b <!-- x --> <?php") == "a < b &lt;!-- x --> &lt;?php"
