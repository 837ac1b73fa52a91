"""What a recipe is: the networks to compare, and every number of their training, by scale.

A recipe is data. `paper` holds the published values; `smoke` and `laptop` change numbers only, never the class of
a network. What a paper leaves open stands in `guesses`, in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.training.recipes.checks import check_changes, check_settings

SCALES = ("smoke", "laptop", "paper")


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Settings:
    """The numbers of one recipe at one scale.

    Attributes:
        size: spatial shape that the network trains on, (D, H, W) or (H, W).
        batch_size: images per step, over all processes.
        epochs: passes through the training images; None where `iterations` is given.
        iterations: optimiser steps; None where `epochs` is given.
        learning_rate: at the start.
        optimiser: "adam", "adamw", "adamp" or "sgd".
        weight_decay: of the optimiser.
        momentum: of SGD.
        sharpness: ρ of sharpness-aware minimisation; 0 leaves it out.
        schedule: "constant"; "steps": ×0.1 at `milestones`; "cosine": to `final_rate` after `cosine_epochs`;
            "one-cycle": up within the share `warm_up` of all steps, then down to almost 0.
        milestones: epochs.
        cosine_epochs: half a period of the cosine in epochs; None is the whole run.
        final_rate: lowest learning rate of the cosine.
        warm_up: share of the steps in which the rate of "one-cycle" rises.
        channels_last: train with the channels of a voxel side by side in memory, which is faster on most processors
            and changes the last digits alone.
        patience: stop after this many validations without a better one; None trains to the end.
        valid_every: epochs from one validation to the next.
        folds: parts of the cross-validation, or random splits.
        subjects: phantoms made; real data sets have their own number.
        phantom: options of the phantom cohort: `spacing_mm`, `shape`, `difficulty`.
        network: options that make every network of the recipe smaller than published; or of one of them, by its name.
        options: the task's own numbers.
    """

    size: tuple[int, ...]
    batch_size: int
    learning_rate: float
    epochs: int | None = None
    iterations: int | None = None
    optimiser: str = "adam"
    weight_decay: float = 0.0
    momentum: float = 0.0
    sharpness: float = 0.0
    schedule: str = "constant"
    milestones: tuple[int, ...] = ()
    cosine_epochs: int | None = None
    final_rate: float = 0.0
    warm_up: float = 0.3
    channels_last: bool = False
    patience: int | None = None
    valid_every: int = 1
    folds: int = 5
    subjects: int = 100
    phantom: Mapping[str, Any] = field(default_factory=_nothing)
    network: Mapping[str, Any] = field(default_factory=_nothing)
    options: Mapping[str, Any] = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        check_settings(vars(self))
        if (self.epochs is None) == (self.iterations is None):
            raise UserError("a recipe is budgeted in epochs or in iterations: give one of the two")

    def network_options(self, name: str) -> dict[str, Any]:
        """The options of one network: those under its name, or those that are for all."""
        common = {option: value for option, value in self.network.items() if not isinstance(value, Mapping)}
        return dict(self.network.get(name, common))


@dataclass(frozen=True)
class Variant:
    """One row of the paper's table.

    Attributes:
        name: as in the table, and as the folder of its runs.
        network: name in `medattn networks`; "" for a method without one.
        options: for the network's factory.
        settings: what differs from the recipe's settings.
        needs: role → name of a variant that is trained before, in the same fold.
        trained: False for what is only composed of others.
    """

    name: str
    network: str
    options: Mapping[str, Any] = field(default_factory=_nothing)
    settings: Mapping[str, Any] = field(default_factory=_nothing)
    needs: Mapping[str, str] = field(default_factory=_nothing)
    trained: bool = True


@dataclass(frozen=True)
class Recipe:
    """One paper's protocol.

    Attributes:
        name: what the command calls it.
        paper: where it is from.
        summary: what is compared, in a few words.
        task: "module:Class" within `medattn_lite.training.tasks`.
        phantom_task: task of the phantom cohort.
        variants: rows of the table, in the order in which they are trained.
        comparisons: pairs of variants whose difference is reported, first minus second.
        scales: scale → settings.
        guesses: what the paper does not say, and how it is read here.
        published: variant → score → the paper's figure, as printed.
        by_data: data set → scale → what differs from the scale's settings there, as for `with_changes`.
    """

    name: str
    paper: str
    summary: str
    task: str
    phantom_task: str
    variants: tuple[Variant, ...]
    comparisons: tuple[tuple[str, str], ...]
    scales: Mapping[str, Settings]
    guesses: tuple[str, ...] = ()
    published: Mapping[str, Mapping[str, str]] = field(default_factory=_nothing)
    by_data: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=_nothing)

    def at(self, scale: str, data: str = "phantom") -> Settings:
        """The settings of a scale, as a data set takes them.

        Raises:
            UserError: there is no such scale.
        """
        if scale not in self.scales:
            raise UserError(f"recipe {self.name} has no scale {scale!r}: use {', '.join(self.scales)}")
        return with_changes(self.scales[scale], self.by_data.get(data, {}).get(scale, {}))

    def variant(self, name: str) -> Variant:
        """The variant of a name.

        Raises:
            UserError: there is none.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        names = ", ".join(variant.name for variant in self.variants)
        raise UserError(f"recipe {self.name} has no variant {name!r}: use {names}")


def with_changes(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """Replaces some values of settings; `options` are merged.

    Raises:
        UserError: a value is of another kind than the one it replaces, or out of its range.
    """
    merged = dict(changes)
    options = merged.get("options", {})
    changed = replace(settings, **{**merged, "options": {**settings.options, **options}})
    check_changes(vars(settings), merged, options)
    return changed


def as_json(value: Any) -> Any:
    """A recipe, settings or variant as plain JSON values."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: as_json(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    return value


def settings_from(record: Mapping[str, Any]) -> Settings:
    """Settings as `as_json` wrote them; what this version does not know is left out."""
    return Settings(**_known(Settings, record))


def recipe_from(record: Mapping[str, Any]) -> Recipe:
    """A recipe as `as_json` wrote it: as it was when a run began, whatever it has become since."""
    values = _known(Recipe, record)
    values["variants"] = tuple(Variant(**_known(Variant, variant)) for variant in record["variants"])
    values["scales"] = {scale: settings_from(settings) for scale, settings in record["scales"].items()}
    return Recipe(**values)


def _known(kind: type, record: Mapping[str, Any]) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {name: _with_tuples(value) for name, value in record.items() if name in names}


def _with_tuples(value: Any) -> Any:
    """JSON knows lists alone; a recipe's sequences are tuples."""
    if isinstance(value, Mapping):
        return {name: _with_tuples(item) for name, item in value.items()}
    return tuple(map(_with_tuples, value)) if isinstance(value, (list, tuple)) else value
