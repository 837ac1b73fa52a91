"""One file over HTTP: resumed where it broke off, tried at every mirror, and checked when it is complete.

pooch, which scientific packages use for this, starts a broken download again from its first byte;
with 7 GB on a poor line that never ends. So the few lines that resume are written here.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tqdm.auto import tqdm

from medattn_lite.data.fetching.catalogue import RemoteFile
from medattn_lite.errors import UserError

CHUNK = 1 << 18
ATTEMPTS = 5  # in a row with next to nothing
LITTLE = 1 << 15  # bytes: what an attempt must bring, unless it ends the file, to count as one that got on
TIMEOUT = 30.0  # seconds without an answer
WINDOW = 30.0  # seconds over which a sender's pace is taken
SLOWEST = 1000.0  # bytes per second; a telephone line brings seven times as many
WAIT = 1.0  # seconds before the second attempt; doubles
LONGEST_LIST = 1 << 25  # bytes of a listing
LEAST_DIGITS = 8  # of a checksum that is known by its beginning


class _Cut(Exception):
    """The connection ended early; what came is kept."""


class _Refused(Exception):
    """The mirror does not have the file, or cannot be reached."""


def download(file: RemoteFile, path: Path, *, progress: bool = True, wait: float = WAIT) -> Path:
    """Downloads a file to `path`, which appears whole and checked, or not at all.

    What came before a break stays beside it as `NAME.part`, also after the program was stopped, and
    the next call goes on from there.

    Args:
        file: what and from where.
        path: where to; its folder is made if need be.
        progress: show a bar.
        wait: seconds before a second attempt.

    Raises:
        UserError: no mirror has it, every mirror's file has the wrong checksum, or the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    for existing in (part, _note(part)):  # a link would lead to a file of the user's
        if existing.is_symlink() or existing.exists() and not existing.is_file():
            raise UserError(f"{existing} is a link or no file: move it away, the download would write through it")
    failures = []
    for mirror in file.mirrors:
        try:
            _complete(mirror.url, part, size=file.size, progress=progress, wait=wait)
        except _Refused as error:
            failures.append(f"{mirror.name}: {error}")
            continue
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise UserError(f"the disk is full while writing {part}: free some space and run the same command again; "
                            "it goes on where it stopped") from error
        if matches(part, file.checksum):
            os.replace(part, path)
            _note(part).unlink(missing_ok=True)
            return path
        # a resumed or altered file must not be built upon
        part.unlink()
        _note(part).unlink(missing_ok=True)
        failures.append(f"{mirror.name}: wrong checksum, so the file was deleted")
    raise UserError(f"could not download {path.name} ({'; '.join(failures)}): check the connection and try again, "
                    "or get the file by hand (notebooks/data.md)")


def matches(path: Path, checksum: str) -> bool:
    """Whether a file has the checksum "algorithm:hex"; "git" is SHA-1 over Git's header and the content.

    "sha256-begins:hex" asks for the first digits only, eight or more: what a file's public name carries.
    """
    algorithm, _, wanted = checksum.partition(":")
    algorithm, begins, _ = algorithm.partition("-begins")
    digest = hashlib.sha1() if algorithm == "git" else hashlib.new(algorithm)
    if algorithm == "git":
        digest.update(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    computed, wanted = digest.hexdigest(), wanted.lower()
    return computed == wanted or bool(begins) and len(wanted) >= LEAST_DIGITS and computed.startswith(wanted)


def read_json(file_url: str) -> object:
    """A small JSON document.

    Raises:
        UserError: it cannot be fetched or is not JSON.
    """
    try:
        request = urllib.request.Request(file_url, headers={"User-Agent": "medattn-lite", "Accept": "application/json"})
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            content = b"".join(_paced(answer, most=LONGEST_LIST))
            return json.loads(content.decode("utf-8"))
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, OSError, ValueError, RecursionError, _Cut,
            _Refused) as error:
        raise UserError(f"could not get the list of files from {file_url} ({error}): check the connection "
                        "and try again later") from error


def _complete(url: str, part: Path, *, size: int | None, progress: bool, wait: float) -> None:
    """Goes on with `part` until it is complete; gives up on a sender that brings next to nothing, again and again."""
    fruitless = 0
    while True:
        before = _size(part)
        try:
            _transfer(url, part, size=size, progress=progress)
            return
        except _Cut as error:
            fruitless = 0 if _size(part) >= before + LITTLE else fruitless + 1
            if fruitless >= ATTEMPTS:
                raise _Refused(f"{error}, {fruitless} times in a row") from error
            time.sleep(wait * 2**fruitless if fruitless else 0)


def _transfer(url: str, part: Path, *, size: int | None, progress: bool) -> None:
    """One request. Raises `_Cut` if less came than was announced, `_Refused` if more came than the file is long."""
    have = _size(part)
    headers = {"User-Agent": "medattn-lite", "Accept-Encoding": "identity"}
    tag = _known_tag(part, url)
    if have and tag is not None:
        headers["Range"] = f"bytes={have}-"
        if tag:
            headers["If-Range"] = tag  # a file that changed meanwhile comes whole again
    else:
        have = 0
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            resumed = answer.status == 206 and _starts_at(answer) == have
            have = have if resumed else 0
            total = _total(answer, have)
            if size is not None and total is not None and total > size:
                raise _Refused(f"it has {total} bytes where the file has {size}")
            _require_space(part, total, have)
            _note(part).write_text(json.dumps({"url": url, "tag": _strong_tag(answer)}), encoding="utf-8")
            with part.open("ab" if resumed else "wb") as stream, tqdm(
                total=total, initial=have, unit="B", unit_scale=True, desc=part.name.removesuffix(".part"),
                disable=not progress, leave=False,
            ) as bar:
                most = size if size is not None else total
                room = shutil.disk_usage(part.parent).free if most is None else None
                for chunk in _paced(answer, most=None if most is None else most - have):
                    stream.write(chunk)
                    bar.update(len(chunk))
                    if room is not None and (room := room - len(chunk)) <= 0:  # no length was told
                        raise OSError(errno.ENOSPC, "not enough space", str(part))
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing left to send, or the part is longer than the file
            if error.headers.get("Content-Range", "").rpartition("/")[2] == str(have):
                return
            part.unlink(missing_ok=True)
            raise _Cut("the part on the disk did not fit") from error
        if error.code in (408, 429, 500, 502, 503, 504):
            raise _Cut(f"HTTP {error.code}") from error
        raise _Refused(f"HTTP {error.code} {error.reason}") from error
    except (http.client.InvalidURL, UnicodeError) as error:  # before the wider ones: no second attempt helps
        raise _Refused(f"no usable address ({error})") from error
    except ValueError as error:
        raise _Refused(f"no usable address ({error})") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Cut(str(getattr(error, "reason", error)) or type(error).__name__) from error
    if total is not None and _size(part) < total:
        raise _Cut(f"connection cut after {_size(part)} of {total} bytes")


def _paced(answer: http.client.HTTPResponse, *, most: int | None) -> Iterator[bytes]:
    """What a server sends, as it comes.

    Args:
        answer: of the server.
        most: bytes after which there is nothing more to come; None for no limit.

    Raises:
        _Cut: less than `SLOWEST` over `WINDOW` seconds.
        _Refused: more than `most`.
    """
    begun, came, whole = time.monotonic(), 0, 0
    while chunk := answer.read1(CHUNK):
        came, whole = came + len(chunk), whole + len(chunk)
        if most is not None and whole > most:
            raise _Refused(f"it sends more than the {most} bytes that there are")
        yield chunk
        passed = time.monotonic() - begun
        if passed >= WINDOW:
            if came < SLOWEST * passed:
                raise _Cut(f"only {came / passed:.0f} bytes per second came")
            begun, came = time.monotonic(), 0


def _require_space(part: Path, total: int | None, have: int) -> None:
    if total is not None and shutil.disk_usage(part.parent).free < total - have:
        raise OSError(errno.ENOSPC, "not enough space", str(part))


def _starts_at(answer: http.client.HTTPResponse) -> int:
    """First byte of a partial answer, "bytes 100-199/200"."""
    span = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(span) if re.fullmatch("[0-9]{1,18}", span) else -1


def _total(answer: http.client.HTTPResponse, have: int) -> int | None:
    length = answer.headers.get("Content-Length", "")
    return int(length) + have if re.fullmatch("[0-9]{1,18}", length) else None


def _strong_tag(answer: http.client.HTTPResponse) -> str:
    tag = answer.headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _known_tag(part: Path, url: str) -> str | None:
    """The ETag of what the part is of; "" if the server gave none; None if it is from elsewhere."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        return note["tag"] if note["url"] == url else ""  # another mirror of the same checksum: go on without a tag
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
