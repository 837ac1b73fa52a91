"""`map.json` beside the map of `medattn explain`: what the numbers in the file are of.

A NIfTI file holds numbers and no names. Beside it stand the classes or regions of the network by their numbers, which
of them the map is for, the method, and the prediction, so that the file still says what it is when it is passed on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medattn_lite.explain import SampleMap, TrainedRun


def map_facts(result: SampleMap, run: TrainedRun, channels: Sequence[str], out: Path) -> dict[str, Any]:
    """What is known of a map, as plain JSON values.

    Args:
        result: the map.
        run: whose network.
        channels: of the image, in the order in which the network takes them.
        out: file of the map.
    """
    return {
        "map": out.name,
        "target": result.target or None,
        "labels": {str(number): name for number, name in enumerate(run.task.output_names(run.network))},
        "method": result.method,
        "values": "above 0 for the target, below 0 against it" if result.signed else "0 and above",
        "layer": result.layer,
        "layer_grid": list(result.grid),
        "prediction": result.prediction,
        "recipe": run.recipe.name,
        "variant": run.variant.name,
        "fold": run.fold,
        "channels": list(channels),
        "notes": list(result.notes),
    }


def write_facts(facts: dict[str, Any], path: Path, *, force: bool) -> None:
    """Writes the facts of a map; an existing file stays unless `force`."""
    from medattn_lite.data.files import new_file

    with new_file(path, overwrite=force) as part:
        text = json.dumps(facts, indent=2, ensure_ascii=False) + "\n"
        part.write_bytes(text.encode("utf-8", "backslashreplace"))  # a file's name may be no UTF-8
