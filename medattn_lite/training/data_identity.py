"""Which patients a run was begun on, so that it is not gone on with on others: cases, files, and what tables say.

Of an image its size and checksums of its beginning and end and of pieces in between are kept, of a folder of pictures
those of each; images are not read whole. A mask, of which a few voxels may have been drawn anew, is read whole. The end
of a gzip file is a checksum of all of it, and enough. Of what tables say (label, follow-up, age, …) a checksum is kept.
Nothing but checksums and the cases' own names goes into the record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from medattn_lite.data.dataset import Samples
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    from medattn_lite.data.readers.cases import Case

ENDS = 16 * 1024  # bytes at each end of a file
BLOCK = 1 << 20  # bytes of a mask read at a time
PIECES, PIECE = 16, 4096  # looked at between the ends, evenly: those of an uncompressed volume are its background
_SHOWN = 3  # cases named in a message


def identify(dataset: Samples) -> dict[str, dict[str, str]] | None:
    """What identifies each case of a data set: its patient, its files, and what tables say of it.

    Args:
        dataset: from `open_dataset`.

    Returns:
        case → `subject`, `files`, `within` and `facts`, all but the first as checksums; None for phantoms, which follow
        from the seed.
    """
    cases: Sequence[Case] | None = getattr(dataset, "cases", None)
    if cases is None:
        return None
    return {case.case: {"subject": case.subject, "files": _files(case), "within": _within(case), "facts": _facts(case)}
            for case in cases}


def require_same_data(folder: Path, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> None:
    """Compares the data of a run with those of the command.

    Args:
        folder: of the run.
        before: of `identify`, as the run's record has it; None where it has none. What an older record lacks is not
            compared.
        now: of `identify`.

    Raises:
        UserError: cases were added, are gone or have changed; it says which.
    """
    if before is None or now is None or before == now:
        return
    changes = [f"{len(changed)} {words} ({_few(changed)})" for words, changed in (
        ("more", [name for name in now if name not in before]),
        ("gone", [name for name in before if name not in now]),
        ("with other files", sorted({*_other(before, now, "files"), *_other(before, now, "within")})),
        ("with another label, follow-up or other fact", _other(before, now, "facts")),
        ("of another patient", _other(before, now, "subject")),
    ) if changed]  # fmt: skip
    if not changes:
        return
    raise UserError(f"{folder} was begun on other data ({len(before)} cases, now {len(now)}): {', '.join(changes)}; "
                    "choose another --out, or name the data as they were with --root")


def _other(before: Mapping[str, Any], now: Mapping[str, Any], what: str) -> list[str]:
    return [name for name in now if name in before and what in before[name]
            and before[name][what] != now[name].get(what)]


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")


def _files(case: Case) -> str:
    hasher = hashlib.sha256()
    named = {**case.images, **({"mask": case.mask} if case.mask is not None else {})}
    seen: set[Path] = set()
    for name, path in named.items():
        for file in () if Path(path) in seen else _whole(Path(path)):  # slices hold several channels
            hasher.update(f"{name}\0{file.name}\0".encode("utf-8", "surrogateescape") + _ends(file))
        seen.add(Path(path))
    return hasher.hexdigest()[:24]


def _within(case: Case) -> str:
    """Checksum of what lies between the ends of each image, in pieces, and of the whole mask; see above for gzip."""
    hasher = hashlib.sha256()
    for path in dict.fromkeys(map(Path, case.images.values())):
        for file in _whole(path):
            size = file.stat().st_size
            with file.open("rb") as stream:
                for number in range(0 if _is_gzip(stream) else PIECES):
                    stream.seek(size * (number + 1) // (PIECES + 1))
                    hasher.update(stream.read(PIECE))
    for file in () if case.mask is None else _whole(Path(case.mask)):
        with file.open("rb") as stream:
            while not _is_gzip(stream) and (block := stream.read(BLOCK)):
                hasher.update(block)
    return hasher.hexdigest()[:24]


def _is_gzip(stream: BinaryIO) -> bool:
    """Looks at a file's first bytes, and goes back to where it was."""
    place = stream.tell()
    stream.seek(0)
    first = stream.read(2)
    stream.seek(place)
    return first == b"\x1f\x8b"


def _whole(path: Path) -> Iterator[Path]:
    """A file, or what lies in a folder of slices."""
    if path.is_dir():
        yield from sorted(file for file in path.iterdir() if file.is_file())
    elif path.is_file():
        yield path


def _ends(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as stream:
        first = stream.read(ENDS)
        stream.seek(max(size - ENDS, 0))
        return f"{size}\0".encode() + first + b"\0" + stream.read(ENDS)


def _facts(case: Case) -> str:
    facts = {"label": case.label, "time": case.time, "event": case.event, "meta": case.meta}
    text = json.dumps(facts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _plain(value: Any) -> str:
    """A path without its folder, so that data may be moved."""
    return value.name if isinstance(value, Path) else str(value)
