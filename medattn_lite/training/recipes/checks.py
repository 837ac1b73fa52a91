"""What the numbers of a recipe may be: kind and range of every setting and option, checked wherever settings are made.

A wrong value is one line before anything is read, trained or written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medattn_lite.errors import UserError

OPTIMISERS = ("adam", "adamw", "adamp", "sgd")
SCHEDULES = ("constant", "steps", "cosine", "one-cycle")


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; `above` and `below` leave the end itself out.

    Attributes:
        low: least value.
        high: largest value.
        whole: whole numbers alone.
        above: more than `low`.
        below: less than `high`.
        many: a sequence of such numbers, not one.
        axes: one number for all axes, or three.
        none: None is allowed, too.
    """

    low: float
    high: float
    whole: bool = True
    above: bool = False
    below: bool = False
    many: bool = False
    axes: bool = False
    none: bool = False

    def words(self) -> str:
        """The range as a person reads it."""
        noun = "a whole number" if self.whole else "a number"
        first = f"above {self.low:g}" if self.above else f"from {self.low:.10g}"
        last = f"below {self.high:g}" if self.below else f"to {self.high:.10g}"
        many = noun.replace("a ", "") + "s" if self.many else noun
        three = ", one or three of them" if self.axes else ""
        return f"{many} {first} {last}{three}" + (", or none" if self.none else "")

    def holds(self, value: Any) -> bool:
        """Whether a value is in it."""
        if self.axes and isinstance(value, (list, tuple)):
            return len(value) == 3 and all(map(self._one, value))
        if self.many:
            return isinstance(value, (list, tuple)) and all(map(self._one, value))
        return value is None if value is None else self._one(value)

    def _one(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        if not math.isfinite(value) or not self.low <= value <= self.high:
            return False
        return not (self.above and value == self.low or self.below and value == self.high)


SETTINGS: Mapping[str, Range] = {
    "size": Range(4, 1024, many=True),  # windows of a few slices; below 4 nothing is left after two halvings
    "batch_size": Range(1, 4096),
    "epochs": Range(1, 100_000, none=True),
    "iterations": Range(1, 10_000_000, none=True),
    "learning_rate": Range(0, 1e38, whole=False, above=True),
    "weight_decay": Range(0, 100, whole=False),
    "momentum": Range(0, 1, whole=False, below=True),
    "sharpness": Range(0, 100, whole=False),
    "milestones": Range(1, 100_000, many=True),
    "cosine_epochs": Range(1, 100_000, none=True),
    "final_rate": Range(0, 100, whole=False),
    "warm_up": Range(0, 1, whole=False, below=True),
    "patience": Range(1, 100_000, none=True),
    "valid_every": Range(1, 100_000),
    "folds": Range(1, 1000),
    "subjects": Range(1, 100_000),
}
WORDS: Mapping[str, Sequence[str]] = {"optimiser": OPTIMISERS, "schedule": SCHEDULES}
SWITCHES = ("channels_last",)

_SHARE, _MM = Range(0, 1, whole=False), Range(0, 1000, whole=False, above=True, axes=True, none=True)
OPTIONS: Mapping[str, Range] = {  # of tasks; what is not here is held to the kind of the recipe's own value
    "overlap": Range(0, 1, whole=False, below=True),
    "train_share": Range(0, 1, whole=False, above=True, below=True),
    "lesion_share": _SHARE,
    "noise_probability": _SHARE,
    "noise_sd": Range(0, 100, whole=False),
    "spacing_mm": _MM,
    "field_mm": Range(0, 10_000, whole=False, above=True, many=True),
    "slice_pixels": Range(8, 4096, none=True),
    "per_subject": Range(1, 100_000, none=True),
    "draws": Range(0, 1_000_000),
    "whole": Range(8, 1024, many=True),
    "flip_classes": Range(0, 255, many=True),
    "mirror_axes": Range(0, 2, many=True),
    "turn_degrees": Range(0, 180, whole=False),
    "zoom": Range(0, 1, whole=False, below=True),
    "intensity_change": Range(0, 10, whole=False),
    "blur": Range(0, 10, whole=False),
    "lesion_fade": Range(0, 1, whole=False),
    "dice_weight": Range(0, 100, whole=False),
    "coarse_pixels": Range(1, 64),
    "window_slices": Range(1, 1024, none=True),
}

OPTION_SWITCHES = ("mirror_test", "cross_validation", "weighted", "with_features", "batch_dice")


def check_settings(values: Mapping[str, Any]) -> None:
    """Looks at the fields of `Settings`.

    Raises:
        UserError: one is of another kind, or out of its range.
    """
    for name, allowed in SETTINGS.items():
        _require(name, values[name], allowed)
    for name, known in WORDS.items():
        if values[name] not in known:
            raise UserError(f"unknown {name} {values[name]!r}: use {', '.join(known)}")
    for name in SWITCHES:
        if not isinstance(values[name], bool):
            raise UserError(f"{name}={_shown(values[name])}: write true or false")
    if not 2 <= len(values["size"]) <= 3:
        raise UserError(f"size={_shown(values['size'])}: give two or three sizes, (H, W) or (D, H, W)")
    if values["milestones"] != type(values["milestones"])(sorted(set(values["milestones"]))):
        raise UserError(f"milestones={_shown(values['milestones'])}: give epochs that rise")


def check_changes(before: Mapping[str, Any], after: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Looks at values that replace those of a recipe: a size of as many axes, options of the same kind.

    Args:
        before: fields of the recipe's settings.
        after: the fields that replace some of them.
        options: options that replace or add to the recipe's.

    Raises:
        UserError: one does not fit.
    """
    if "size" in after and len(after["size"]) != len(before["size"]):
        raise UserError(f"size={_shown(after['size'])}: this recipe needs {len(before['size'])} sizes, such as "
                        f"{_shown(before['size'])}")
    for name, value in options.items():
        default = before["options"].get(name)
        if name in OPTIONS:
            _require(name, value, OPTIONS[name])
            if isinstance(default, (list, tuple)) and name == "whole" and len(value) != len(default):
                raise UserError(
                    f"{name}={_shown(value)}: this recipe needs {len(default)} numbers, such as {_shown(default)}"
                )
        elif name in OPTION_SWITCHES and not isinstance(value, bool):
            raise UserError(f"{name}={_shown(value)}: write true or false")
        elif default is not None and not _same_kind(default, value):
            raise UserError(f"{name}={_shown(value)}: write {_kind(default)}, such as {_shown(default)}")


def _require(name: str, value: Any, allowed: Range) -> None:
    if value is None and allowed.none:
        return
    if value is None or not allowed.holds(value):
        raise UserError(f"{name}={_shown(value)}: give {allowed.words()}")


def _same_kind(default: Any, value: Any) -> bool:
    if isinstance(default, str) and value is None:
        return True  # a file of weights that is not read again
    if isinstance(default, (list, tuple)):
        return isinstance(value, (list, tuple))
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, (int, float) if isinstance(default, float) else type(default))


def _kind(default: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return kinds.get(type(default), "numbers with commas between them")


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
