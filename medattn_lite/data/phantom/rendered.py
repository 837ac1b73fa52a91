"""Rendered phantoms on disk: a head that was rendered once is read the next time, bit for bit the same.

The file's name is a hash of everything that its content depends on: the subject, how it is scanned, the code of this
package and the version of torch. A change of any of them is another file; the old one is deleted when room is needed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import zlib
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from medattn_lite.data.cache import rendered_folder, store_rendered
from medattn_lite.data.dataset import Sample
from medattn_lite.data.phantom.subject import Subject

_CODE = ("*.py", "../threads.py")


def rendered(subject: Subject, **scan: Any) -> Sample:
    """`subject.render(**scan)`, read from the cache where it was rendered before.

    Args:
        subject: whom to scan.
        scan: the arguments of `Subject.render`. On another device than the CPU nothing is kept.
    """
    folder = rendered_folder()
    if folder is None or torch.device(scan.get("device", "cpu")).type != "cpu":
        return subject.render(**scan)
    path = _place(folder, subject, scan)
    sample = _read(path)
    if sample is None:
        sample = subject.render(**scan)
        _keep(path, sample)
    return sample


def _place(folder: Path, subject: Subject, scan: dict[str, Any]) -> Path:
    facts = {name: value for name, value in scan.items() if name != "device"}
    words = repr((subject, sorted(facts.items()), _code(), torch.__version__))
    digest = hashlib.sha256(words.encode()).hexdigest()[:32]
    return folder / digest[:2] / f"{digest}.safetensors"


@cache
def _code() -> str:
    """A hash of the code that renders."""
    digest = hashlib.sha256()
    for pattern in _CODE:
        for path in sorted(Path(__file__).parent.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(path: Path, sample: Sample) -> None:
    """Writes a sample if it can be read back as it is."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    arrays = {name: value for name, value in sample.items() if isinstance(value, torch.Tensor)}
    arrays |= {f"numpy:{name}": torch.from_numpy(value) for name, value in sample.items()
               if isinstance(value, np.ndarray)}  # fmt: skip
    plain = {name: value for name, value in sample.items() if not isinstance(value, (torch.Tensor, np.ndarray))}
    try:
        text = json.dumps(_packed(plain))
    except TypeError:  # something that JSON does not hold
        return
    if repr(_unpacked(json.loads(text))) != repr(plain):
        return
    content = {name: value.contiguous() for name, value in arrays.items()}
    facts = {"plain": text, "order": json.dumps(list(sample)), "crc32": _checksum(content)}

    def write(part: Path) -> None:
        try:
            save_file(content, part, metadata=facts)
        except SafetensorError as error:  # a full disk
            raise OSError(str(error)) from error

    store_rendered(path, write)


def _read(path: Path) -> Sample | None:
    """A kept sample; None where there is none, or what lies there cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = file.metadata()
            sample = _unpacked(json.loads(facts["plain"]))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is not a mapping)
            if _checksum(tensors) != facts["crc32"]:
                return None
            for name, tensor in tensors.items():
                kind, _, bare = name.rpartition(":")
                sample[bare] = tensor.numpy() if kind == "numpy" else tensor
            ordered = {name: sample[name] for name in json.loads(facts["order"])}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # the most recently used are deleted last
    return cast(Sample, ordered)


def _checksum(tensors: dict[str, torch.Tensor]) -> str:
    """Of names and bytes: a disk that lost its power may keep a file of the right length with other content."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(name.encode(), total)
        total = zlib.crc32(np.ascontiguousarray(tensors[name].numpy()).data, total)
    return str(total)


def _packed(value: Any) -> Any:
    """Values for JSON that `_unpacked` gives back with their types."""
    if isinstance(value, tuple):
        return {"()": [_packed(item) for item in value]}
    if isinstance(value, list):
        return [_packed(item) for item in value]
    if isinstance(value, dict):
        return {"{}": {name: _packed(item) for name, item in value.items()}}
    return value


def _unpacked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(item) for item in value]
    if isinstance(value, dict):
        if "()" in value:
            return tuple(_unpacked(item) for item in value["()"])
        return {name: _unpacked(item) for name, item in value["{}"].items()}
    return value
