"""JSON of the package's own: whole or not at all, sealed, one line where it is damaged."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from medattn_lite.data.files import replaced
from medattn_lite.data.json_files import read_object, write_json
from medattn_lite.errors import UserError

CONTENT = {"a": [1, 2.5, None], "b": {"é": "x"}, "c": math.nan}


def test_what_is_written_is_read_and_nan_is_null(tmp_path: Path) -> None:
    for sealed in (False, True):
        write_json(tmp_path / "new" / "a.json", CONTENT, sealed=sealed)
        assert read_object(tmp_path / "new" / "a.json", remedy="") == {**CONTENT, "c": None}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "[" * 100_000, '{"a": 1}x'])
def test_what_is_no_object_is_one_line_with_the_remedy(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"{path} is damaged, .*: copy it again"):
        read_object(path, remedy="copy it again")
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(UserError, match="is damaged"):
        read_object(path, remedy="copy it again")


def test_a_sealed_file_that_was_changed_is_known_and_one_without_a_seal_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1, "b": [1.25]}, sealed=True)
    path.write_text(path.read_text().replace("1.25", "1.26"))
    with pytest.raises(UserError, match="was changed since it was written: copy it again"):
        read_object(path, remedy="copy it again")
    path.write_text(json.dumps({"a": 1}))
    assert read_object(path, remedy="") == {"a": 1}
    with pytest.raises(UserError, match="^nothing here$"):
        read_object(tmp_path / "b.json", remedy="", missing="nothing here")


def test_a_file_is_as_it_was_after_an_error_and_a_folder_in_its_place_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(RuntimeError), replaced(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="is a folder where a file belongs"), replaced(tmp_path / "folder"):
        pass
