"""Getting a data set: the licence first, then its files, each checked; or the steps for doing it by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from tqdm.auto import tqdm

from medattn_lite.data.fetching.archives import unpack
from medattn_lite.data.fetching.catalogue import GitFolder, Mirror, RemoteFile, Source, source
from medattn_lite.data.fetching.download import download, matches, read_json
from medattn_lite.errors import UserError

LONGEST_LISTING = 200_000  # files of a repository


@dataclass(frozen=True)
class Fetched:
    """What `fetch` did.

    Attributes:
        path: the data set's folder; None where it has to be got by hand.
        downloaded: files downloaded now.
        present: files that were there already, with the right checksum.
        steps: what to do by hand.
    """

    path: Path | None
    downloaded: int = 0
    present: int = 0
    steps: tuple[str, ...] = ()


def fetch(
    name: str,
    dest: str | Path = "data",
    *,
    accept_licence: bool = False,
    layout: str | None = None,
    mirrors: Iterable[str] | None = None,
    overwrite: bool = False,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Fetched:
    """Downloads a data set that is free to download, or says how to get one that is not.

    Args:
        name: "open-ms", "msd" or "medmnist3d", or "resnest50" for ImageNet weights; for "brats", "lgg" and "ucsf-pdgm"
            there are steps instead.
        dest: the data folder; the set goes to a folder of its own in it.
        accept_licence: you have read the licence, which is always shown first.
        layout: for open-ms "MNI" (default), "coregistered" or "raw"; for medmnist3d "nodule" (default), "vessel",
            "adrenal", "fracture" or "organ", with 64 voxels per side "nodule-64", …
        mirrors: names or addresses of mirrors to use, in this order; None takes all.
        overwrite: replace files whose checksum differs. What is right is never fetched again.
        progress: show bars.
        say: gets the lines meant for the user.

    Returns:
        Where it is and what was done.

    Raises:
        UserError: unknown name, licence not accepted, no mirror, wrong checksum, full disk, hostile
            archive, or other data where the set would go.
    """
    return fetch_source(source(name), dest, accept_licence=accept_licence, layout=layout, mirrors=mirrors,
                        overwrite=overwrite, progress=progress, say=say)


def fetch_source(
    what: Source,
    dest: str | Path,
    *,
    accept_licence: bool = False,
    layout: str | None = None,
    mirrors: Iterable[str] | None = None,
    overwrite: bool = False,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Fetched:
    """`fetch` for a `Source` of your own."""
    data = Path(dest).expanduser()
    if data.exists() and not data.is_dir():
        raise UserError(f"{data} is a file: name a folder for the data")
    layout = _layout(what, layout)
    say(what.describe())
    if what.steps:
        say(f"{what.name} has to be got by hand:")
        for number, step in enumerate(what.steps, start=1):
            say(f"  {number}. {step}")
        say(f"  then: medattn check-data {what.reads_as} --root {Path(dest) / what.folder}")
        return Fetched(None, steps=what.steps)
    if not accept_licence:
        raise UserError(f"{what.name} is under {what.licence} ({what.licence_url}): read it, then run the same command "
                        "with --accept-licence (in Python: accept_licence=True)")
    home = data / what.folder
    if what.git is not None:
        files = list_git(what.git, layout, home=what.folder)
    else:
        files = list(what.files if layout is None else what.layouts[layout])
    unpacked = [file for file in files if file.unpack]
    if unpacked and home.exists() and any(home.iterdir()):
        say(f"{home} is there already: nothing was downloaded (move it away to fetch it again)")
        return Fetched(home, present=len(files))
    downloaded = present = 0
    for file in tqdm(files, desc=f"fetching {what.name}", unit="file", disable=not progress or len(files) < 2):
        path = data / PurePosixPath(file.path)
        if path.exists() and matches(path, file.checksum):
            present += 1
        elif path.exists() and not overwrite:
            raise UserError(f"{path} exists with another content: move it away, or pass overwrite=True")
        else:
            download(_choose(file, mirrors), path, progress=progress)
            downloaded += 1
        if file.unpack:
            unpack(path, data, progress=progress)
            path.unlink()
    say(f"{what.name}: {downloaded} files downloaded and checked, {present} there already, in {home}")
    if what.use:
        say(f"  now: {what.use.format(folder=home)}")
    return Fetched(home, downloaded, present)


def list_git(folder: GitFolder, layout: str | None, *, home: str) -> list[RemoteFile]:
    """The files of a layout, with the checksums that Git gives them.

    Raises:
        UserError: unknown layout, no listing, a listing cut short, or nothing in it.
    """
    layout = _known_layout(layout, folder.folders)
    listing = _first_listing(folder)
    entries = listing.get("tree") if isinstance(listing, dict) else None
    if not isinstance(entries, list) or listing.get("truncated") or len(entries) > LONGEST_LISTING:
        raise UserError(f"the list of files from {folder.listing[0].url} is incomplete: try again later")
    wanted = folder.folders[layout]
    files, seen = [], set()
    for entry in entries:
        if not isinstance(entry, dict):
            raise UserError(f"the list of files from {folder.listing[0].url} is none ({str(entry)[:40]!r}): try later")
        path = str(entry.get("path", ""))
        if entry.get("type") != "blob" or not (path.startswith(wanted) or path in folder.always):
            continue
        if ".." in PurePosixPath(path).parts or "\\" in path or path.startswith("/"):
            raise UserError(f"the list of files names {path!r}, which would leave the folder: refused")
        sha, size = entry.get("sha"), entry.get("size")
        known = isinstance(sha, str) and re.fullmatch(r"[0-9a-fA-F]{40}", sha)
        if not known or not (size is None or isinstance(size, int) and size >= 0):
            raise UserError(f"the list of files names {path!r} without a checksum or with no size: refused")
        if path.casefold() in seen:  # one file on a disk that takes capitals and small letters for the same
            raise UserError(f"the list of files names {path!r} twice: refused")
        seen.add(path.casefold())
        places = tuple(Mirror(mirror.name, mirror.url.replace("{path}", quote(path))) for mirror in folder.mirrors)
        files.append(RemoteFile(f"{home}/{path}", places, f"git:{sha}", size))
    if not any(wanted in file.path for file in files):
        raise UserError(f"the source holds nothing in {wanted} at commit {folder.commit[:12]}: choose another layout")
    return files


def _layout(what: Source, layout: str | None) -> str | None:
    """The layout to take, None where there is one only; looked at before anything is shown or asked for."""
    if what.git is not None or what.layouts:
        return _known_layout(layout, what.layouts if what.git is None else what.git.folders)
    if layout is not None:
        raise UserError(f"{what.name} has one layout only: leave layout out")
    return None


def _known_layout(layout: str | None, known: Collection[str]) -> str:
    if layout is not None and layout not in known:
        raise UserError(f"unknown layout {layout!r}: choose one of {', '.join(known)}")
    return layout or next(iter(known))


def _first_listing(folder: GitFolder) -> Any:
    failures = []
    for mirror in folder.listing:
        try:
            return read_json(mirror.url)
        except UserError as error:
            failures.append(str(error))
    raise UserError("; ".join(failures))


def _choose(file: RemoteFile, mirrors: Iterable[str] | None) -> RemoteFile:
    if mirrors is None:
        return file
    chosen = []
    for wanted in mirrors:
        if wanted.startswith(("http://", "https://")):
            # for the files of a repository the address holds {path}
            chosen.append(Mirror(wanted, wanted.replace("{path}", quote(file.path.partition("/")[2]))))
        else:
            chosen += [mirror for mirror in file.mirrors if mirror.name == wanted]
    if not chosen:
        known = ", ".join(repr(mirror.name) for mirror in file.mirrors)
        raise UserError(f"no mirror of that name: choose from {known}, or give an address")
    return replace(file, mirrors=tuple(chosen))
