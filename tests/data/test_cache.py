"""Rendered phantoms are kept on disk: the same bits, made again whenever in doubt, bounded, and never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medattn_lite.cli import main
from medattn_lite.data import PhantomCohort, cache
from medattn_lite.data.phantom import rendered as kept
from medattn_lite.data.phantom.subject import Subject
from medattn_lite.data.phantom.templates import load_atlas
from medattn_lite.errors import UserError

SHAPE = (12, 14, 12)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    load_atlas()  # from where it lies, before the folder is another
    monkeypatch.setenv("MEDATTN_CACHE", str(tmp_path))
    monkeypatch.delenv("MEDATTN_CACHE_MB", raising=False)
    return tmp_path / "rendered"


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the subjects that were rendered, in order."""
    seen: list[str] = []
    render = Subject.render

    def counted(self: Subject, **scan: object) -> dict:
        seen.append(self.subject_id)
        return render(self, **scan)

    monkeypatch.setattr(Subject, "render", counted)
    return seen


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*"))


def assert_same(one: dict, two: dict) -> None:
    assert list(one) == list(two)
    for name, value in one.items():
        assert type(value) is type(two[name]), name
        if isinstance(value, torch.Tensor):
            assert value.dtype == two[name].dtype and torch.equal(value, two[name]), name
        elif isinstance(value, np.ndarray):
            assert value.dtype == two[name].dtype and np.array_equal(value, two[name]), name
        else:
            assert repr(value) == repr(two[name]), name


@pytest.mark.parametrize("task", ["grade", "ms", "survival", "type"])
@pytest.mark.parametrize("shape", [SHAPE, (16, 16)])
def test_a_head_is_rendered_once_and_read_bit_for_bit(folder, renders, task: str, shape: tuple[int, ...]) -> None:
    first = PhantomCohort(2, task=task, shape=shape, shortcut=0.5, spacing_mm=8.0)
    samples = [first[0], first[1]]
    assert len(renders) == 2 and len(files(folder)) == 2
    again = PhantomCohort(5, task=task, shape=shape, shortcut=0.5, spacing_mm=8.0)
    for sample, other in zip(samples, [again[0], again[1]], strict=True):
        assert_same(sample, other)
    assert len(renders) == 2


@pytest.mark.parametrize("changes", [
    {"seed": 1}, {"task": "presence"}, {"shape": (12, 14, 13)}, {"spacing_mm": 9.0}, {"contrasts": ("t1", "flair")},
    {"difficulty": 0.4}, {"realism": "clinical"}, {"shortcut": 1.0},
])  # fmt: skip
def test_whatever_changes_a_head_renders_it_anew(folder, renders, changes: dict) -> None:
    usual = {"task": "grade", "shape": SHAPE, "spacing_mm": 8.0}
    before = PhantomCohort(8, **usual)
    after = PhantomCohort(8, **{**usual, **changes})
    index = next(i for i in range(8) if repr(before.subject(i)) != repr(after.subject(i)) or "seed" not in changes
                 and not {"task", "realism", "shortcut"} & set(changes))  # fmt: skip
    _ = before[index], after[index]
    assert len(renders) == 2 and len(files(folder)) == 2


def test_a_counterfactual_is_not_taken_for_its_person(folder, renders) -> None:
    cohort = PhantomCohort(1, shape=SHAPE)
    subject = cohort.subject(0)
    larger = replace(subject, pathology=replace(subject.pathology, diameter_mm=61.0))
    assert not torch.equal(cohort[0]["mask"], cohort.render(larger)["mask"])
    assert not torch.equal(cohort.render(subject, soften=0.7)["image"], cohort[0]["image"])


def test_other_code_or_another_torch_renders_anew(folder, renders, monkeypatch) -> None:
    cohort = PhantomCohort(1, shape=SHAPE)
    _ = cohort[0]
    monkeypatch.setattr(kept, "_code", lambda: "edited")
    _ = cohort[0]
    monkeypatch.setattr(torch, "__version__", "9.9.9")
    _ = cohort[0]
    assert len(renders) == 3


@pytest.mark.parametrize("damage", [
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: path.write_bytes(path.read_bytes()[:100]),
    lambda path: path.write_bytes(b"\xff" * 5000),
    lambda path: path.write_bytes(path.read_bytes()[:-200] + bytes(255 - byte for byte in path.read_bytes()[-200:])),
    lambda path: path.write_bytes(path.read_bytes()[:4000] + bytes(path.stat().st_size - 4000)),
    lambda path: (path.unlink(), path.mkdir()),
])  # fmt: skip
def test_a_damaged_file_is_made_again(folder, renders, damage) -> None:
    cohort = PhantomCohort(1, shape=SHAPE)
    sample = cohort[0]
    damage(files(folder)[0])
    assert_same(sample, cohort[0])
    assert len(renders) == 2


def test_where_the_folder_cannot_be_written_heads_are_rendered_all_the_same(tmp_path, monkeypatch, renders) -> None:
    load_atlas()
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("MEDATTN_CACHE", str(blocked / "inside"))
    cohort = PhantomCohort(1, shape=SHAPE)
    assert_same(cohort[0], cohort[0])
    assert len(renders) == 2 and blocked.read_text() == "not a folder"


def test_a_file_in_the_folders_place_is_one_line(tmp_path, monkeypatch, capsys) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    monkeypatch.setenv("MEDATTN_CACHE", str(file))
    for words in (["cache"], ["cache", "--clear"], ["phantom", "--n", "1", "--out", str(tmp_path / "out")]):
        assert main(words) == 2
        lines = capsys.readouterr().err.splitlines()
        assert lines[-1].startswith(f"medattn: MEDATTN_CACHE={file} is a file: name a folder")
        assert not [line for line in lines[:-1] if line and not line.startswith("phantoms")]  # a bar
    assert file.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("variable", ["MEDATTN_CACHE", "MEDATTN_CACHE_MB"])
def test_nothing_is_kept_where_nothing_is_wanted(folder, renders, monkeypatch, variable: str) -> None:
    monkeypatch.setenv(variable, "" if variable == "MEDATTN_CACHE" else "0")
    cohort = PhantomCohort(1, shape=SHAPE)
    _ = cohort[0], cohort[0]
    assert len(renders) == 2 and files(folder) == []


@pytest.mark.parametrize("text", ["two", "-1", "inf", "nan"])
def test_a_limit_that_is_no_number_of_mb_is_refused(folder, monkeypatch, text: str) -> None:
    monkeypatch.setenv("MEDATTN_CACHE_MB", text)
    with pytest.raises(UserError, match="give a number of MB"):
        _ = PhantomCohort(1, shape=SHAPE)[0]


def test_the_least_recently_used_make_room(folder) -> None:
    cohort = PhantomCohort(10, shape=SHAPE)
    for index in range(10):
        _ = cohort[index]
    ours = files(folder)
    for age, path in enumerate(ours):
        os.utime(path, (1e9 + age, 1e9 + age))
    size = sum(path.stat().st_size for path in ours)
    assert cache.make_room(folder, size / 1e6) == 0
    assert cache.make_room(folder, size / 2e6) >= 5
    assert set(files(folder)) == set(ours[-len(files(folder)):])
    assert sum(path.stat().st_size for path in files(folder)) <= 0.45 * size


def test_where_the_disk_is_full_heads_are_rendered_all_the_same_and_nothing_is_left(folder) -> None:
    code = ("import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
            "from medattn_lite.data import PhantomCohort; from medattn_lite.data.phantom.templates import load_atlas; "
            "load_atlas(); resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)); "
            f"print(PhantomCohort(1, shape={SHAPE})[0]['image'].shape)")  # fmt: skip
    pytest.importorskip("resource", reason="limits are those of POSIX")
    np.save(folder.parent / "phantom_atlas_v10.npy", load_atlas().maps.numpy().astype(np.float16))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "12, 14, 12" in done.stdout, done.stderr
    assert files(folder) == []


def test_a_file_that_cannot_be_moved_to_its_place_leaves_nothing(tmp_path, monkeypatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("busy")

    monkeypatch.setattr(os, "replace", refused)
    assert not cache.store(tmp_path / "kept", lambda part: part.write_text("half"))
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_renders_many_stays_within_the_limit(folder, monkeypatch) -> None:
    cohort = PhantomCohort(20, shape=SHAPE)
    _ = cohort[0]
    size = files(folder)[0].stat().st_size
    monkeypatch.setenv("MEDATTN_CACHE_MB", str(6 * size / 1e6))
    monkeypatch.setattr(cache, "_CHECK_EVERY", 2)
    for index in range(20):
        _ = cohort[index]
    assert 3 <= len(files(folder)) <= 8


def test_the_hash_of_the_code_is_that_of_its_files(tmp_path, monkeypatch) -> None:
    place = tmp_path / "data" / "phantom"
    place.mkdir(parents=True)
    (place / "head.py").write_text("one = 1\n")
    (tmp_path / "data" / "threads.py").write_text("")
    monkeypatch.setattr(kept, "__file__", str(place / "rendered.py"))
    seen = set()
    for text in ("one = 1\n", "one = 2\n"):
        (place / "head.py").write_text(text)
        kept._code.cache_clear()
        seen.add(kept._code())
    (tmp_path / "data" / "threads.py").write_text("threads = 1\n")
    kept._code.cache_clear()
    seen.add(kept._code())
    kept._code.cache_clear()
    assert len(seen) == 3


@pytest.mark.skipif(os.name == "nt", reason="permissions are those of POSIX")
def test_other_users_of_a_shared_folder_may_read_what_is_kept(folder, monkeypatch) -> None:
    monkeypatch.setattr(cache, "_UMASK", 0o022)
    _ = PhantomCohort(1, shape=SHAPE)[0]
    assert files(folder)[0].stat().st_mode & 0o777 == 0o644


def test_what_a_user_has_put_beside_them_stays(folder) -> None:
    _ = PhantomCohort(1, shape=SHAPE)[0]
    mine = [folder / "notes" / "mine.txt", folder / files(folder)[0].parent.name / "mine.txt"]
    for path in mine:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    assert cache.clear_rendered() == 1 and all(path.read_text() == "mine" for path in mine)


def test_reading_counts_as_use(folder) -> None:
    cohort = PhantomCohort(1, shape=SHAPE)
    _ = cohort[0]
    os.utime(files(folder)[0], (1e9, 1e9))
    _ = cohort[0]
    assert files(folder)[0].stat().st_mtime > 1e9 + 1


def test_two_processes_may_fill_the_same_folder(folder, tmp_path) -> None:
    code = f"from medattn_lite.data import PhantomCohort; c = PhantomCohort(3, shape={SHAPE}); [c[i] for i in range(3)]"
    atlas = load_atlas().maps.numpy()
    np.save(tmp_path / "phantom_atlas_v10.npy", atlas.astype(np.float16))
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert len(files(folder)) == 3 and all(path.suffix == ".safetensors" for path in files(folder))


def test_the_command_says_what_is_kept_and_deletes_it(folder, capsys) -> None:
    _ = PhantomCohort(1, shape=SHAPE)[0]
    assert main(["cache"]) == 0
    assert "rendered phantoms: 1," in capsys.readouterr().out
    assert main(["cache", "--clear"]) == 0
    assert "deleted 1" in capsys.readouterr().out
    assert files(folder) == []
