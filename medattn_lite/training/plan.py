"""What a run is: recipe, scale, data, folds and seeds; and where its parts lie.

    runs/NAME/recipe.json  environment.json  metrics.json
    runs/NAME/VARIANT/fold-K/            log.csv  last.safetensors  best.safetensors  predictions.json
    runs/NAME/VARIANT/start-S/fold-K/    the same from further seeds, S = 1, 2, …
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.training.recipes.recipe import as_json

APART = 1000  # from the seed of one start to that of the next; a fold adds its number


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
        UserError: fewer than one seed.
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
        if self.seeds < 1:
            raise UserError(f"--seeds {self.seeds}: give how many times each network is trained, 1 or more")

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


def fold_folder(folder: Path, variant: str, fold: int, *, start: int = 0) -> Path:
    """Where a fold of a variant lies.

    Args:
        folder: of the run.
        variant: its name.
        fold: from 0.
        start: number of the seed, from 0; see `Plan.training_seeds`.
    """
    own = folder / variant
    return (own / f"start-{start}" if start else own) / f"fold-{fold}"


def best_weights(folder: Path) -> Path:
    """The weights a fold is used with: the best by validation, or the last."""
    best = folder / "best.safetensors"
    return best if best.is_file() else folder / "last.safetensors"
