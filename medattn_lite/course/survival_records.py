"""C-indices that notebook 08 shows beside its own: of the networks that come trained, and of the recipe's records.

Both are read from files in the package and the repository; nothing is trained, and nobody picks rows.
"""

from __future__ import annotations

import json
from pathlib import Path

import medattn_lite
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.networks.trained import trained_facts, trained_names
from medattn_lite.training.tasks import task_kind

C_INDEX = "C-index"
RECORDS = Path(medattn_lite.__file__).parents[1] / "figures" / "results"


def trained_c_indices() -> dict[str, Interval]:
    """Reads the C-index of each survival network that comes trained, per seed, then of what was run beside them.

    All are of the same phantoms, which none was trained or chosen on.
    """
    facts = [network for network in map(trained_facts, trained_names()) if task_kind(network).asks == "risk"]
    intervals = {}
    for network in facts:
        for seed, record in network["scores_by_seed"].items():
            intervals[f"{network['variant']}, seed {seed}"] = Interval.from_dict(record["scores"][C_INDEX])
    for network in facts:
        for variant, scores in network.get("other_variants", {}).items():
            intervals[variant] = Interval.from_dict(scores[C_INDEX])
    return intervals


def recorded_c_indices(folder: Path = RECORDS) -> dict[str, dict[str, Interval]]:
    """Reads recorded C-indices: name of a run at `laptop` → variant → its C-index, folds pooled.

    Args:
        folder: of the records; without one there are none, as in a package without its repository.
    """
    intervals = {}
    for path in sorted(folder.glob("survival-*-laptop*.json")):
        variants = json.loads(path.read_text(encoding="utf-8"))["variants"]
        intervals[f"run {path.stem}"] = {name: Interval.from_dict(variant["pooled"][C_INDEX])
                                         for name, variant in variants.items()}  # fmt: skip
    return intervals
