"""What a run is: recipe, scale, data, folds and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.training.recipes.recipe import as_json

APART = 1000  # from the seed of one start to that of the next; a fold adds its number
LARGEST_SEED = 2**32 - 1  # that NumPy's and scikit-learn's generators take


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        recipe: its name.
        scale: "smoke", "laptop" or "paper".
        data: name of a data set.
        root: its folder; None for phantoms.
        variants: names; empty for all.
        folds: parts of the cross-validation; None takes the recipe's.
        first_folds: how many of them to run; None runs all.
        seed: of phantoms, folds and training.
        seeds: how many trainings of each variant and fold, each from a seed of its own, on the same patients and folds.
        changes: settings by name, in place of the recipe's.
        out: folder of the run.

    Raises:
        UserError: a number is out of its range, or phantoms are to be read from a folder.
    """

    recipe: str
    scale: str = "smoke"
    data: str = "phantom"
    root: Path | None = None
    variants: tuple[str, ...] = ()
    folds: int | None = None
    first_folds: int | None = None
    seed: int = 0
    seeds: int = 1
    changes: Mapping[str, Any] | None = None
    out: Path | None = None

    def __post_init__(self) -> None:
        if self.data == "phantom" and self.root is not None:
            raise UserError("phantoms are made, not read: leave --root out, or name the data set with --data")
        if not 1 <= self.seeds <= APART:
            raise UserError(f"--seeds {self.seeds}: give how many times each network is trained, 1 to {APART}")
        if not 0 <= self.seed <= LARGEST_SEED - APART * (self.seeds + 1):
            raise UserError(f"--seed {self.seed}: give a whole number from 0 to {LARGEST_SEED - APART * (APART + 1)}")
        if self.folds is not None and not 1 <= self.folds <= APART:
            raise UserError(f"--folds {self.folds}: give how many parts, 1 to {APART}")
        if self.first_folds is not None and self.first_folds < 1:
            raise UserError(f"--first-folds {self.first_folds}: give how many folds to run, 1 or more")

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return self.out or Path("runs") / f"{self.recipe}-{self.data}-{self.scale}-{self.seed}"

    @property
    def training_seeds(self) -> tuple[int, ...]:
        """The seed of each start; a fold adds its number. Phantoms and folds keep `seed`."""
        return tuple(self.seed + APART * start for start in range(self.seeds))

    def as_dict(self) -> dict[str, Any]:
        """What makes this run another one; not where it lies."""
        record = {name: as_json(value) for name, value in vars(self).items() if name not in ("out", "root")}
        return record | {"root": None if self.root is None else Path(self.root).name}
