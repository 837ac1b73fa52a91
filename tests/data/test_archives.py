"""Archives from outside: what would leave the folder is refused before anything is written."""

from __future__ import annotations

import io
import random
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from medattn_lite.data.fetching.archives import unpack
from medattn_lite.errors import UserError


def member(
    name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = len(content) if kind == tarfile.REGTYPE else 0
    return info, content


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as opened:
        for info, content in members:
            opened.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


HOSTILE = {
    "parent": member("../evil.txt"),
    "parent inside": member("set/../../evil.txt"),
    "absolute": member("/tmp/evil.txt"),
    "backslash": member("..\\evil.txt"),
    "drive": member("C:evil.txt"),
    "symlink": member("set/link", kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "symlink inside": member("set/link", kind=tarfile.SYMTYPE, link="a.txt"),
    "hardlink": member("set/link", kind=tarfile.LNKTYPE, link="../../etc/passwd"),
    "device": member("set/null", kind=tarfile.CHRTYPE),
    "block device": member("set/disk", kind=tarfile.BLKTYPE),
    "pipe": member("set/pipe", kind=tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_tar_members_are_refused_and_nothing_is_written(tmp_path, kind):
    path = tar(tmp_path / "a.tar", member("set/a.txt"), HOSTILE[kind])
    with pytest.raises(UserError, match="a.tar was refused: its member"):
        unpack(path, tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == [] and not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "set\\..\\..\\evil.txt", "C:/evil.txt"])
def test_hostile_zip_members_are_refused(tmp_path, name):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("set/a.txt", "x")
        opened.writestr(info, "x")
    with pytest.raises(UserError, match="leave the folder"):
        unpack(tmp_path / "a.zip", tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("set/a", "set/a"), ("set/a", "set/a/b"), ("set/a/b", "set/a"), (".",)])
def test_members_that_would_overwrite_each_other_are_refused(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        for name in names:
            opened.writestr(name, "x")
    with pytest.raises(UserError, match="comes twice, or is a file and a folder"):
        unpack(tmp_path / "a.zip", tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_member_that_the_disk_cannot_name_is_one_line_and_leaves_nothing(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("set/" + "a" * 300, "x")
    with pytest.raises(UserError, match="cannot unpack .*a.zip"):
        unpack(tmp_path / "a.zip", tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_symlink_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("set/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "data", progress=False)


@pytest.mark.parametrize(("name", "mode"), [("a.tar", "w"), ("a.tar.gz", "w:gz"), ("a.tgz", "w:gz")])
def test_an_honest_archive_is_unpacked(tmp_path, name, mode):
    path = tar(tmp_path / name, member("set", kind=tarfile.DIRTYPE), member("set/b/c.txt", b"content"), mode=mode)
    assert unpack(path, tmp_path / "data", progress=False) == [tmp_path / "data" / "set"]
    assert (tmp_path / "data" / "set" / "b" / "c.txt").read_bytes() == b"content"
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["set"]


def test_an_honest_zip_is_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as opened:
        opened.writestr("set/a.txt", "content")
    unpack(tmp_path / "a.zip", tmp_path / "data", progress=False)
    assert (tmp_path / "data" / "set" / "a.txt").read_text() == "content"


def test_an_existing_entry_is_not_overwritten(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        unpack(tar(tmp_path / "a.tar", member("set/a.txt")), tmp_path, progress=False)
    assert (tmp_path / "set" / "a.txt").read_text() == "mine"


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_damaged_archive_says_so_and_leaves_nothing(tmp_path, keep):
    path = tar(tmp_path / "a.tar.gz", member("set/a.txt", random.Random(0).randbytes(5000)), mode="w:gz")
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(UserError, match="damaged.*fetch again"):
        unpack(path, tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_an_archive_larger_than_the_disk_is_refused_first(tmp_path, monkeypatch):
    path = tar(tmp_path / "a.tar", member("set/a.txt", b"x" * 5000))
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1, 1, 100))
    with pytest.raises(UserError, match="disk is full"):
        unpack(path, tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_disk_that_fills_while_unpacking_leaves_nothing(tmp_path, monkeypatch):
    path = tar(tmp_path / "a.tar", member("set/a.txt"), member("set/b.txt"))
    calls = []

    def full(source, stream, length):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(UserError, match="disk is full while unpacking"):
        unpack(path, tmp_path / "data", progress=False)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_sparse_member_that_writes_more_than_it_holds_is_refused(tmp_path):
    info = tarfile.TarInfo("set/holes.bin")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(3 * 10**9),
                        "GNU.sparse.numblocks": "1", "GNU.sparse.map": "0,1"}
    info.size = 1
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as opened:
        opened.addfile(info, io.BytesIO(b"x"))
    assert (tmp_path / "a.tar").stat().st_size < 20_000
    with pytest.raises(UserError, match="sparse"):
        unpack(tmp_path / "a.tar", tmp_path / "out", progress=False)
    assert not (tmp_path / "out" / "set").exists()
