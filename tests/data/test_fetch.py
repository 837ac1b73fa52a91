"""Downloads against a server on this computer: cut lines, wrong files, full disks, second mirrors."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import json
import shutil
import tarfile
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from medattn_lite.data.fetching import download as downloading
from medattn_lite.data.fetching.catalogue import SOURCES, GitFolder, Mirror, RemoteFile, Source
from medattn_lite.data.fetching.download import download, matches
from medattn_lite.data.fetching.fetch_data_set import fetch, fetch_source, list_git
from medattn_lite.errors import UserError
from tests.data.server import Site, serve

pytestmark = pytest.mark.network
CONTENT = np.random.default_rng(0).integers(0, 256, 700_000, dtype=np.uint8).tobytes()
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def site():
    with serve(Site(files={"/file": CONTENT, "/wrong": CONTENT[:-1] + b"x", "/short": CONTENT[:1000]})) as running:
        yield running


def remote(site: Site, *paths: str, checksum: str = SHA, **options) -> RemoteFile:
    return RemoteFile("file", tuple(Mirror(path, site.url(path)) for path in paths), checksum, **options)


def get(site: Site, folder: Path, *paths: str, checksum: str = SHA) -> Path:
    return download(remote(site, *paths, checksum=checksum), folder / "file", progress=False, wait=0)


def test_a_file_arrives_whole_and_checked(site, tmp_path):
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_cut_connection_is_resumed_and_no_byte_is_sent_twice(site, tmp_path):
    site.cut_after = [100_000, 1, 300_000]
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT
    assert [span for _, span in site.requests] == [None, "bytes=100000-", "bytes=100001-", "bytes=400001-"]
    assert site.sent == len(CONTENT)


def test_a_download_that_was_stopped_goes_on_in_the_next_call(site, tmp_path):
    site.cut_after = [250_000] + [0] * 20
    with pytest.raises(UserError, match="check the connection"):
        get(site, tmp_path, "/file")
    assert (tmp_path / "file.part").stat().st_size == 250_000 and not (tmp_path / "file").exists()
    site.cut_after = []
    get(site, tmp_path, "/file")
    assert site.requests[-1][1] == "bytes=250000-" and site.sent == len(CONTENT)


def test_a_server_that_cannot_resume_sends_it_all_again(site, tmp_path):
    site.ranges, site.cut_after = False, [100_000]
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_not_glued_to_the_old_part(site, tmp_path):
    site.cut_after = [100_000] + [0] * 20
    site.files["/file"] = b"o" * len(CONTENT)
    with pytest.raises(UserError):
        get(site, tmp_path, "/file")
    site.files["/file"], site.tag, site.cut_after = CONTENT, '"two"', []
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_thrown_away(site, tmp_path):
    site.cut_after = [10]
    (tmp_path / "file.part").write_bytes(b"z" * (len(CONTENT) + 5))
    (tmp_path / "file.part.json").write_text(json.dumps({"url": site.url("/file"), "tag": ""}))
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT


def test_a_complete_part_is_only_checked(site, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.json").write_text(json.dumps({"url": site.url("/file"), "tag": site.tag}))
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT
    assert site.sent == 0


def test_a_wrong_checksum_deletes_the_file_and_says_so(site, tmp_path):
    with pytest.raises(UserError, match="wrong checksum, so the file was deleted"):
        get(site, tmp_path, "/wrong")
    assert list(tmp_path.iterdir()) == []


def test_the_second_mirror_is_used_when_the_first_fails(site, tmp_path):
    for first in ("/absent", "/wrong", "/short"):
        assert get(site, tmp_path / first[1:], first, "/file").read_bytes() == CONTENT
    closed = RemoteFile("file", (Mirror("closed", "http://127.0.0.1:9/file"), Mirror("open", site.url("/file"))), SHA)
    assert download(closed, tmp_path / "closed" / "file", progress=False, wait=0).read_bytes() == CONTENT


def test_the_second_mirror_goes_on_where_the_first_stopped(site, tmp_path):
    site.files["/twin"] = CONTENT
    site.cut_after = [300_000] + [0] * downloading.ATTEMPTS
    assert get(site, tmp_path, "/file", "/twin").read_bytes() == CONTENT
    assert site.requests[-1] == ("/twin", "bytes=300000-")


def test_when_every_mirror_fails_each_is_named(site, tmp_path):
    with pytest.raises(UserError, match="/absent: HTTP 404.*; /wrong: wrong checksum") as caught:
        get(site, tmp_path, "/absent", "/wrong")
    assert "\n" not in str(caught.value)


def test_a_busy_server_is_asked_again(site, tmp_path):
    site.errors["/file"] = [503, 429]
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT


def test_a_disk_that_fills_up_keeps_the_part_for_the_next_time(site, tmp_path, monkeypatch):
    opened = Path.open

    class Full:
        def __init__(self, stream):
            self.stream, self.room = stream, 300_000

        def write(self, chunk):
            if self.stream.tell() + len(chunk) > self.room:
                self.stream.write(chunk[: self.room - self.stream.tell()])
                raise OSError(errno.ENOSPC, "No space left on device")
            self.stream.write(chunk)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.stream.close()

    def full(path, mode="r", *arguments, **options):
        stream = opened(path, mode, *arguments, **options)
        return Full(stream) if path.suffix == ".part" and mode in ("ab", "wb") else stream

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(UserError, match="disk is full.*goes on where it stopped"):
            get(site, tmp_path, "/file")
    assert not (tmp_path / "file").exists() and (tmp_path / "file.part").stat().st_size == 300_000
    assert get(site, tmp_path, "/file").read_bytes() == CONTENT
    assert site.requests[-1][1] == "bytes=300000-"


def test_a_disk_without_room_is_noticed_before_the_first_byte(site, tmp_path, monkeypatch):
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 1000))
    with pytest.raises(UserError, match="disk is full"):
        get(site, tmp_path, "/file")
    assert not (tmp_path / "file").exists()


def test_checksums_are_those_of_the_usual_tools(tmp_path):
    path = tmp_path / "hello"
    path.write_bytes(b"hello\n")
    assert matches(path, "md5:b1946ac92492d2347c6235b4d2611184")
    assert matches(path, "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03")
    assert matches(path, "git:ce013625030ba8dba906f756967f9e9ca394464a")  # git hash-object
    assert not matches(path, "git:ce013625030ba8dba906f756967f9e9ca394464b")


# whole data sets


def archive(names: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as opened:
        for name, content in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def packed(site: Site, names: dict[str, bytes]) -> Source:
    site.files["/set.tar"] = archive(names)
    checksum = "md5:" + hashlib.md5(site.files["/set.tar"]).hexdigest()
    file = RemoteFile("set.tar", (Mirror("here", site.url("/set.tar")),), checksum, unpack=True)
    return Source(
        "set", "A set", "CC BY 4.0", "http://licence", "someone", "Set", "small", files=(file,), reads_as="nifti"
    )


def quiet(what: Source, dest: Path, **options):
    lines: list[str] = []
    return fetch_source(what, dest, accept_licence=True, progress=False, say=lines.append, **options), "\n".join(lines)


def test_an_archive_is_unpacked_and_then_deleted(site, tmp_path):
    result, text = quiet(packed(site, {"Set/a.txt": b"a", "Set/b/c.txt": b"c"}), tmp_path / "data")
    assert result.path == tmp_path / "data" / "Set" and result.downloaded == 1
    assert (result.path / "b" / "c.txt").read_bytes() == b"c"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["Set"]
    assert text.startswith("A set\n  licence: CC BY 4.0, http://licence")


def test_data_that_is_there_is_neither_fetched_nor_overwritten(site, tmp_path):
    (tmp_path / "Set").mkdir()
    (tmp_path / "Set" / "mine.txt").write_text("mine")
    result, text = quiet(packed(site, {"Set/mine.txt": b"theirs"}), tmp_path)
    assert result.downloaded == 0 and "there already" in text and not site.requests
    assert (tmp_path / "Set" / "mine.txt").read_text() == "mine"


def test_a_hostile_archive_writes_nothing(site, tmp_path):
    with pytest.raises(UserError, match="leave the folder"):
        quiet(packed(site, {"Set/a.txt": b"a", "../escaped.txt": b"b"}), tmp_path / "data")
    assert not (tmp_path / "escaped.txt").exists() and not (tmp_path / "data" / "Set").exists()


def test_nothing_is_fetched_before_the_licence_is_accepted(site, tmp_path):
    lines: list[str] = []
    with pytest.raises(UserError, match="CC BY 4.0.*--accept-licence"):
        fetch_source(packed(site, {"Set/a": b""}), tmp_path, say=lines.append)
    assert lines and not site.requests and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "layout", "words"), [
    ("open-ms", "native", "unknown layout 'native': choose one of MNI"), ("medmnist3d", "nose", "choose one of nodule"),
    ("resnest50", "64", "has one layout only"), ("msd", "MNI", "has one layout only"),
])
@pytest.mark.parametrize("accepted", [False, True])
def test_a_layout_that_is_none_is_said_before_the_licence_is_shown(name, layout, words, accepted, tmp_path) -> None:
    lines: list[str] = []
    with pytest.raises(UserError, match=words):
        fetch(name, tmp_path, layout=layout, accept_licence=accepted, say=lines.append)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file: name a folder for the data"):
        fetch(name, tmp_path / "file", accept_licence=accepted, say=lines.append)
    assert lines == []


def in_git(site: Site, files: dict[str, bytes]) -> Source:
    tree = [
        {
            "path": path,
            "type": "blob",
            "size": len(content),
            "sha": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
        }
        for path, content in files.items()
    ]
    site.files["/tree"] = json.dumps(
        {"tree": [*tree, {"path": "x/MNI", "type": "tree", "sha": "0"}], "truncated": False}
    ).encode()
    site.files.update({f"/raw/{path}": content for path, content in files.items()})
    git = GitFolder(
        (Mirror("list", site.url("/tree")),),
        (Mirror("gone", site.url("/gone/{path}")), Mirror("raw", site.url("/raw/{path}"))),
        "c0ffee",
        {"MNI": "x/MNI/", "raw": "x/raw/"},
        ("x/LICENSE.txt",),
    )
    return Source("ms", "MS", "CC BY", "http://licence", "someone", "ms_data", "small", git=git, reads_as="open-ms")


FILES = {
    "x/MNI/p1/T1.nii.gz": b"one",
    "x/MNI/p2/T1.nii.gz": b"two",
    "x/raw/p1/T1.nii.gz": b"three",
    "x/LICENSE.txt": b"CC BY",
}


def test_a_repository_folder_is_fetched_file_by_file_with_gits_own_checksums(site, tmp_path):
    source = in_git(site, FILES)
    result, _ = quiet(source, tmp_path)
    assert (result.downloaded, result.present) == (3, 0)
    assert (tmp_path / "ms_data/x/MNI/p2/T1.nii.gz").read_bytes() == b"two" and not (
        tmp_path / "ms_data/x/raw"
    ).exists()
    result, _ = quiet(source, tmp_path)
    assert (result.downloaded, result.present) == (0, 3)
    result, _ = quiet(source, tmp_path, layout="raw")
    assert (result.downloaded, result.present) == (1, 1)


def test_a_file_of_yours_is_not_replaced_unless_asked(site, tmp_path):
    source = in_git(site, FILES)
    mine = tmp_path / "ms_data/x/MNI/p1/T1.nii.gz"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(UserError, match="another content"):
        quiet(source, tmp_path)
    assert mine.read_bytes() == b"mine"
    quiet(source, tmp_path, overwrite=True)
    assert mine.read_bytes() == b"one"


def test_a_file_that_is_not_what_git_says_is_refused(site, tmp_path):
    source = in_git(site, FILES)
    site.files["/raw/x/MNI/p2/T1.nii.gz"] = b"TWO"
    with pytest.raises(UserError, match="wrong checksum"):
        quiet(source, tmp_path)
    assert not (tmp_path / "ms_data/x/MNI/p2/T1.nii.gz").exists()


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        (b"<html>", "list of files"),
        (b'{"tree": [], "truncated": true}', "incomplete"),
        (b'{"tree": []}', "holds nothing"),
        (b'{"tree": [{"path": "x/MNI/../../evil", "type": "blob", "sha": "0"}]}', "refused"),
    ],
)
def test_a_listing_that_cannot_be_trusted_is_refused(site, tmp_path, listing, words):
    source = in_git(site, FILES)
    site.files["/tree"] = listing
    with pytest.raises(UserError, match=words):
        quiet(source, tmp_path)


def test_mirrors_can_be_chosen_by_name_or_address(site, tmp_path):
    source = packed(site, {"Set/a": b"a"})
    site.files["/elsewhere"] = site.files["/set.tar"]
    quiet(source, tmp_path / "one", mirrors=[site.url("/elsewhere")])
    assert site.requests == [("/elsewhere", None)]
    quiet(source, tmp_path / "two", mirrors=["here"])
    with pytest.raises(UserError, match="no mirror of that name: choose from 'here'"):
        quiet(source, tmp_path / "three", mirrors=["nowhere"])


def test_a_mirror_of_a_repository_is_an_address_with_a_path(site, tmp_path):
    source = in_git(site, FILES)
    result, _ = quiet(source, tmp_path, mirrors=[site.url("/raw/{path}")])
    assert result.downloaded == 3 and not any("/gone/" in path for path, _ in site.requests)


# senders that are slow, endless or lie


def trickling(monkeypatch, *, pace: float = 1.0) -> None:
    """Time goes by `pace` seconds with every look at the clock, and each look brings one byte."""
    clock = itertools.count()
    monkeypatch.setattr(downloading.time, "monotonic", lambda: next(clock) * pace)
    monkeypatch.setattr(downloading, "CHUNK", 1)


def test_a_sender_of_a_byte_a_second_is_given_up(site, tmp_path, monkeypatch):
    trickling(monkeypatch)
    with pytest.raises(UserError, match="bytes per second came, 5 times in a row"):
        get(site, tmp_path, "/file")
    assert site.requests and len(site.requests) <= downloading.ATTEMPTS + 1


def test_the_second_mirror_is_used_when_the_first_is_too_slow(site, tmp_path, monkeypatch):
    site.files["/twin"] = CONTENT
    real, slow = downloading._paced, []

    def paced(answer, *, most):
        if answer.url.endswith("/file"):
            slow.append(1)
            raise downloading._Cut("only 1 bytes per second came")
        return real(answer, most=most)

    monkeypatch.setattr(downloading, "_paced", paced)
    assert get(site, tmp_path, "/file", "/twin").read_bytes() == CONTENT and len(slow) == downloading.ATTEMPTS


def test_a_byte_a_request_is_given_up_too(site, tmp_path):
    site.cut_after = [1] * 3000
    with pytest.raises(UserError, match="5 times in a row"):
        get(site, tmp_path, "/file")
    assert len(site.requests) <= downloading.ATTEMPTS + 1


@pytest.mark.parametrize("length", [True, False])
def test_a_body_longer_than_the_file_is_not_read_to_its_end(site, tmp_path, length):
    site.files["/long"], site.lengths = CONTENT * 20, length
    file = remote(site, "/long", size=len(CONTENT))
    with pytest.raises(UserError, match=f"(where the file has|more than the) {len(CONTENT)}"):
        download(file, tmp_path / "file", progress=False, wait=0)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * len(CONTENT)


def test_a_body_without_a_length_ends_with_the_disk(site, tmp_path, monkeypatch):
    site.lengths = False
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1, 1, 300_000))
    with pytest.raises(UserError, match="disk is full"):
        get(site, tmp_path, "/file")


@pytest.mark.parametrize("url", ["http://[bad", "http://exämple.invalid/ä", "http://a b/", "ftp//x", "http://127.0.0.1:x/"])
def test_an_address_that_is_none_is_one_line(tmp_path, url):
    with pytest.raises(UserError, match="could not download") as caught:
        download(RemoteFile("file", (Mirror("odd", url),), SHA), tmp_path / "file", progress=False, wait=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["file.part", "file.part.json"])
def test_a_part_that_is_a_link_of_yours_is_not_written_through(site, tmp_path, name):
    (tmp_path / "mine.txt").write_bytes(b"mine")
    (tmp_path / name).symlink_to(tmp_path / "mine.txt")
    with pytest.raises(UserError, match="is a link or no file"):
        get(site, tmp_path, "/file")
    assert (tmp_path / "mine.txt").read_bytes() == b"mine" and not site.requests


ENTRY = {"path": "x/MNI/a", "type": "blob", "size": 3, "sha": "0" * 40}


@pytest.mark.parametrize("tree", [
    ["text"], [None], [3], [{**ENTRY, "sha": None}], [{**ENTRY, "sha": 5}], [{**ENTRY, "sha": "short"}],
    [{"path": "x/MNI/a", "type": "blob"}], [{**ENTRY, "size": "big"}], [{**ENTRY, "size": -1}],
    [ENTRY, ENTRY], [ENTRY, {**ENTRY, "path": "x/MNI/A"}], "[" * 5000, {"a": 1}, None,
])
def test_a_listing_of_any_shape_is_one_line(site, tmp_path, tree):
    source = in_git(site, FILES)
    site.files["/tree"] = tree.encode() if isinstance(tree, str) else json.dumps({"tree": tree}).encode()
    with pytest.raises(UserError) as caught:
        quiet(source, tmp_path)
    assert "\n" not in str(caught.value) and len(site.requests) == 1


def test_a_listing_without_end_is_cut(site, tmp_path, monkeypatch):
    monkeypatch.setattr(downloading, "LONGEST_LIST", 1000)
    source = in_git(site, FILES)
    site.files["/tree"] = b" " * 100_000
    with pytest.raises(UserError, match="more than the 1000 bytes"):
        quiet(source, tmp_path)


def test_a_name_with_blanks_and_signs_is_asked_for_as_an_address(site, tmp_path):
    names = {"x/MNI/p 1/T1 #2 ü.nii.gz": b"one"}
    source = in_git(site, names)
    site.files = {quote(path): content for path, content in site.files.items()}
    quiet(source, tmp_path)
    assert (tmp_path / "ms_data/x/MNI/p 1/T1 #2 ü.nii.gz").read_bytes() == b"one"


# the sources that are named in the package


@pytest.mark.parametrize("name", ["brats", "lgg", "ucsf-pdgm"])
def test_sets_behind_a_registration_come_with_steps(tmp_path, name):
    lines: list[str] = []
    result = fetch(name, tmp_path, say=lines.append)
    assert result.path is None and result.steps
    assert lines[0].startswith(SOURCES[name].title) and lines[-1].strip().startswith("then: medattn check-data")


@pytest.mark.parametrize(
    ("name", "words"), [("phantom", "made"), ("images", "your own"), ("mri", "fetch knows open-ms")]
)
def test_names_without_a_source_say_why(name, words):
    with pytest.raises(UserError, match=words):
        fetch(name, say=lambda line: None)


def test_the_decathlon_checksum_is_the_one_that_monai_publishes():
    from monai.apps import DecathlonDataset

    (file,) = SOURCES["msd"].files
    assert file.checksum == "md5:" + DecathlonDataset.md5["Task01_BrainTumour"]
    assert file.mirrors[0].url == DecathlonDataset.resource["Task01_BrainTumour"]


def imagenet(site: Site, content: bytes, digits: str | None = None) -> Source:
    """`resnest50` of the catalogue, on this computer: a public name with the beginning of its own checksum."""
    (file,) = SOURCES["resnest50"].files
    site.files = {"/second": content}
    mirrors = (Mirror("first", site.url("/first")), Mirror("second", site.url("/second")))
    checksum = "sha256-begins:" + (digits or hashlib.sha256(content).hexdigest()[:8])
    return replace(SOURCES["resnest50"], files=(replace(file, mirrors=mirrors, checksum=checksum),))


def test_weights_are_checked_by_the_digits_that_their_public_name_carries(site, tmp_path):
    (file,) = SOURCES["resnest50"].files
    name, digits = file.path.removesuffix(".pth").rsplit("-", 1)
    assert file.checksum == f"sha256-begins:{digits}" and name == "weights/resnest50"
    assert all(mirror.url.startswith("https://") and mirror.url.endswith(f"-{digits}.pth") for mirror in file.mirrors)


def test_imagenet_weights_are_fetched_resumed_and_named_with_the_command_that_takes_them(site, tmp_path):
    site.cut_after = [100_000, None]
    result, text = quiet(imagenet(site, CONTENT), tmp_path)
    path = tmp_path / "weights" / "resnest50-528c19ca.pth"
    assert path.read_bytes() == CONTENT and result.downloaded == 1 and f"--set weights={path}" in text
    assert [span for where, span in site.requests if where == "/second"] == [None, "bytes=100000-"]
    again, _ = quiet(imagenet(site, CONTENT), tmp_path)
    assert (again.downloaded, again.present) == (0, 1)


def test_weights_with_other_digits_are_refused_and_absent_ones_say_where_they_were_looked_for(site, tmp_path):
    with pytest.raises(UserError, match="first: HTTP 404.*second: wrong checksum, so the file was deleted"):
        quiet(imagenet(site, CONTENT, digits="528c19ca"), tmp_path)
    assert not list(tmp_path.rglob("*.pth*"))


def test_a_few_digits_are_no_checksum(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    assert matches(path, "sha256-begins:5891b5b5") and not matches(path, "sha256-begins:5891")
    assert not matches(path, "sha256:5891b5b5")


def test_every_downloadable_source_has_a_checksum_a_licence_and_a_mirror():
    for source in SOURCES.values():
        assert source.licence and source.licence_url and source.cite
        assert bool(source.steps) != bool(source.files or source.git or source.layouts)
        for file in (*source.files, *(file for files in source.layouts.values() for file in files)):
            assert file.checksum.partition(":")[0] in ("md5", "sha256", "sha256-begins") and file.mirrors
        if source.git:
            assert len(source.git.commit) == 40 and all(
                source.git.commit in mirror.url for mirror in source.git.mirrors
            )


def test_an_unknown_layout_is_refused_before_anything_is_asked(site):
    with pytest.raises(UserError, match="choose one of MNI, raw"):
        list_git(in_git(site, FILES).git, "native", home="ms_data")
    assert not site.requests
