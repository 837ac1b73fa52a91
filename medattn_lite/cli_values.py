"""One grammar for `--set` and `--option`: `NAME=VALUE`, whatever the command.

    true, false, none          as Python's, in any case
    3, 0.5, 1e-3               a number
    a,b,c   1,2,3   (1, 2, 3)  several values
    1:4,2:1                    old label:new label
    anything else              text

Where it is known what a name takes, its value is read as that: text with a comma in it stays text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from medattn_lite.errors import UserError

_WORDS = {"true": True, "false": False, "none": None}
_WHOLE, _NUMBER = re.compile(r"[+-]?[0-9]{1,30}"), re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
TEXT = ("csv", "label", "patient", "patients", "weights", "part", "layout", "copies")  # values that stay as written
_MANY = ("channels",)  # several words, or one
TAKEN = ("name", "root", "progress")  # of a data set: what the command says itself
_PAIR = re.compile(r"\s*([0-9]{1,9})\s*:\s*([0-9]{1,9})\s*")


def split_words(words: Sequence[str], option: str, example: str) -> dict[str, str]:
    """`NAME=VALUE` words by name, the values as written.

    Args:
        words: as given on the command line.
        option: its name, for the message.
        example: of a word, for the message.

    Raises:
        UserError: a word is no `NAME=VALUE`, or a name is given twice with different values.
    """
    by_name: dict[str, str] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"{option} {word!r} is not NAME=VALUE: write for example {option} {example}")
        if by_name.get(name, text) != text:
            raise UserError(f"{option} {name} is given twice, as {by_name[name]} and as {text}: give it once")
        by_name[name] = text
    return by_name


def value_of(text: str) -> Any:
    """A value by what it looks like."""
    plain = text.strip()
    if plain[:1] + plain[-1:] in ("()", "[]"):
        plain, many = plain[1:-1], True
    else:
        many = "," in plain
    if many:
        return tuple(value_of(part) for part in plain.split(",") if part.strip())
    if plain.lower() in _WORDS:
        return _WORDS[plain.lower()]
    if _WHOLE.fullmatch(plain):
        return int(plain)
    if _NUMBER.fullmatch(plain):
        return float(plain)
    return text


def value_like(text: str, default: Any) -> Any:
    """A value of the kind of the one that it replaces; where it does not fit, what it looks like.

    Args:
        text: as written.
        default: what is there; None if that says nothing.
    """
    if isinstance(default, str):
        return text
    value = value_of(text)
    if isinstance(default, (list, tuple)) and not isinstance(value, tuple):
        return (value,)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def label_map(text: str) -> dict[int, int]:
    """`1:4,2:1` as label in the file → label in a sample.

    Raises:
        UserError: it is not written so.
    """
    pairs = [_PAIR.fullmatch(pair) for pair in text.split(",")]
    if not all(pair and int(pair[1]) < 256 and int(pair[2]) < 256 for pair in pairs):
        raise UserError(f"label_map={text} is not a label map: write file label:sample label, as in label_map=1:4,2:1")
    return {int(pair[1]): int(pair[2]) for pair in pairs if pair}


def options_of(words: Sequence[str], option: str, example: str, *, taken: Sequence[str] = ()) -> dict[str, Any]:
    """Every `NAME=VALUE` as a keyword argument.

    Args:
        words: as given on the command line.
        option: its name, for the message.
        example: of a word, for the message.
        taken: names that are not options, because the command has a word of its own for them.
    """
    by_name = split_words(words, option, example)
    wrong = next((name for name in by_name if name in taken), None)
    if wrong is not None:
        raise UserError(f"{option} {wrong}={by_name[wrong]}: {wrong} is not set here; use --{wrong} if there is one")
    return {name: _option(name, word) for name, word in by_name.items()}


def _option(name: str, text: str) -> Any:
    if name == "label_map":
        return label_map(text)
    if name in _MANY:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text if name in TEXT else value_of(text)


def settings_of(words: Sequence[str], settings: Mapping[str, Any], options: Mapping[str, Any],
                more: Sequence[str] = ()) -> dict[str, Any]:
    """`NAME=VALUE` words of `medattn train` as changes of a recipe's settings.

    Args:
        words: as given on the command line.
        settings: fields that may be changed, with the recipe's values.
        options: the recipe's own options, with its values.
        more: options that it may be given besides.

    Raises:
        UserError: there is no such setting.
    """
    known = [*settings, *(name for name in options if name not in settings)]
    changes: dict[str, Any] = {}
    for name, text in split_words(words, "--set", "learning_rate=0.3").items():
        if name not in (*known, *more):
            raise UserError(f"--set {name}={text}: there is no {name}; use one of {', '.join(known)}")
        if name in settings:
            changes[name] = value_like(text, settings[name])
        else:
            value = _option(name, text) if name == "label_map" or name in TEXT else value_like(text, options.get(name))
            changes.setdefault("options", {})[name] = value
    return changes
