"""JSON files that the package writes and reads again: whole or not at all, sealed, and one line where one is damaged.

A seal is a checksum of a file's content, kept inside it: a file that was cut, edited or put together from two is
known at once. Files without one, from before there were seals, are taken as they are.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medattn_lite.data.files import replaced
from medattn_lite.errors import UserError

SEAL = "sha256"


def read_object(path: Path, *, remedy: str, missing: str | None = None) -> dict[str, Any]:
    """The JSON object in a file.

    Args:
        path: the file.
        remedy: what to do where it is damaged.
        missing: the whole message where there is no such file.

    Raises:
        UserError: there is no such file, it is not JSON object, or it is not as it was sealed.
    """
    if not path.is_file():
        raise UserError(missing or f"there is no file {path}: {remedy}")
    try:
        content = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = "it is empty" if path.stat().st_size == 0 else f"it is not JSON ({type(error).__name__})"
        raise UserError(f"{path} is damaged, {reason}: {remedy}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} is damaged, it holds no JSON object: {remedy}")
    if SEAL in content and content.pop(SEAL) != _digest(content):
        raise UserError(f"{path} was changed since it was written: {remedy}")
    return content


def write_json(path: Path, content: Mapping[str, Any], *, sealed: bool = False) -> None:
    """Writes a JSON object beside its place and moves it there.

    Args:
        path: the file; replaced if it is there.
        content: JSON values, and NaN, which becomes null.
        sealed: keep a checksum of the content in it.
    """
    plain = finite(content)
    if sealed:
        plain = {**plain, SEAL: _digest(json.loads(json.dumps(plain)))}
    with replaced(path) as part:
        part.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def finite(value: Any) -> Any:
    """JSON has no NaN: what could not be scored is null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
