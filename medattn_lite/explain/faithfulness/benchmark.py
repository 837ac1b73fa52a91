"""Are the maps true? Every mechanism × every method × every score, on phantoms the networks never saw.

    medattn study faithfulness --subjects 40 --rows runs/faithfulness --minutes 6      # again until done

writes figures/faithfulness.json and .md. Rows of subjects are kept in --rows, so that the command can be stopped and
given again; a network's figures are written when the quick part of all its subjects is there.

For each network that comes trained and each method: localisation against the voxels that decide, deletion and
insertion curves, and how much the map changes when the network forgets all it learned. Beside them what maps get that
know nothing of any network, what a network gets that learned shuffled labels, and what becomes of one that learned a
scanner mark. Scores are means over subjects, with 95 % intervals where there are enough. What takes many passes
(integrated gradients, occlusion, deletion and insertion) is scored on the first --costly subjects alone; n stands
beside every number. `stage_scores` adds maps of other stages, fused ones, and the border.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from medattn_lite.errors import UserError, ends_in_one_line
from medattn_lite.evaluation.intervals import Interval
from medattn_lite.evaluation.mean_intervals import UNIT, mean_interval, share_interval
from medattn_lite.explain.faithfulness.phantom_cases import held_out
from medattn_lite.explain.faithfulness.sanity import reinitialised_copy
from medattn_lite.explain.faithfulness.stage_scores import gains
from medattn_lite.explain.faithfulness.subject_scores import Row, score_subject
from medattn_lite.explain.methods import METHODS
from medattn_lite.networks.trained import Trained, load_trained, trained_facts, trained_names
from medattn_lite.training.tasks import recall_trained

PARTS = ("quick", "costly")
FACTS = ("subject", "method", "note", "stage")  # of a row, no scores


def score_network(
    trained: Trained, *, subjects: int, methods: Sequence[str] = tuple(METHODS), curves: bool = True,
    costly: int = 12, keep: Path | None = None, until: float = math.inf, progress: bool = True,
) -> tuple[list[Row], bool]:  # fmt: skip
    """Rows for each held-out subject, method and stage: first what is quick for all subjects, then what is costly.

    Args:
        trained: of `load_trained`.
        subjects: at most so many; where the network was tested on fewer, further phantoms of its cohort.
        methods: names in `METHODS`; one that this network cannot be asked by is left out.
        curves: also deletion and insertion, of the first `costly` subjects.
        costly: of so many subjects also the methods in `COSTLY`, and the curves.
        keep: a file of rows, one line for a subject and part; what is in it is not scored again.
        until: stop before the next subject at this time of `time.monotonic()`.
        progress: show a bar.

    Returns:
        rows with `subject`, `method`, the scores by name, and `note`; for volumes also the AUC by plane; and whether
        the quick part of all subjects is there. The methods "noise", "middle", "edges" and "brightness" know nothing
        of the network; "chance" is a constant map. Rows with `stage` true are of `stage_scores`.

    Raises:
        UserError: no subject has anything to find.
    """
    marked = bool(trained.facts["settings"]["options"].get("marked"))
    lines = [] if keep is None or not keep.is_file() else _whole_lines(keep)
    known: dict[str, list[list[Row]]] = {part: [] for part in PARTS}
    for line in map(json.loads, lines):
        known[line["part"]].append(line["rows"])
    wanted = {"quick": subjects, "costly": min(costly, subjects)}
    reinitialised = None
    for part, count in wanted.items():
        if len(known[part]) >= count:
            continue
        done = [part_rows[0]["subject"] for part_rows in known[part]]
        cases = held_out(trained, limit=count, marked=marked, more=True, known=done)
        for case in tqdm(cases, desc=trained.name, total=count - len(done), disable=not progress, leave=False):
            if time.monotonic() > until:
                break
            reinitialised = reinitialised or _reinitialised(trained, marked)
            known[part].append(score_subject(trained.network, reinitialised, case, methods, part=part, curves=curves))
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"part": part, "rows": known[part][-1]}) + "\n")
    rows = [row for part in PARTS for part_rows in known[part][: wanted[part]] for row in part_rows]
    if not rows and until == math.inf:
        raise UserError(f"no tested subject of {trained.name} has anything to find: train on more phantoms")
    return rows, len(known["quick"]) >= subjects


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file; one that was cut off where the command was stopped is taken out of it."""
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return whole.splitlines()


def _reinitialised(trained: Trained, marked: bool) -> nn.Module:
    first = [case.image for case in held_out(trained, limit=4, marked=marked, more=True)]
    return reinitialised_copy(trained.network, images=torch.cat(first))


def summarise(rows: Iterable[Row]) -> dict[str, dict[str, Any]]:
    """Method → score → mean over subjects with its interval; a score without a number in it is left out."""
    rows = list(rows)
    table: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        of_method = [row for row in rows if row["method"] == method]
        scores = dict.fromkeys(name for row in of_method for name in row if name not in FACTS)
        for score in scores:
            values = np.array([row[score] for row in of_method if row.get(score) is not None], dtype=float)
            values = values[np.isfinite(values)]
            if len(values):
                table.setdefault(method, {})[score] = _mean(score, values).as_dict()
        notes = {note for row in of_method if (note := row["note"])}
        if notes:
            table.setdefault(method, {})["notes"] = sorted(notes)
    return table


def run(
    names: Sequence[str], *, subjects: int, curves: bool = True, progress: bool = True, costly: int = 12,
    rows: Path | None = None, until: float = math.inf,
) -> Row:  # fmt: skip
    """All networks; returns what is written as JSON. A network that is not done is left out."""
    networks = {}
    for name in names:
        trained = load_trained(name)
        keep = None if rows is None else rows / f"{name}.jsonl"
        scored, done = score_network(trained, subjects=subjects, curves=curves, progress=progress, costly=costly,
                                     keep=keep, until=until)  # fmt: skip
        if not done:
            print(f"{name}: {len({row['subject'] for row in scored})} of {subjects} subjects; give the command again")
            continue
        facts = trained.facts
        networks[name] = {
            "network": facts["network"], "variant": facts["variant"], "recipe": facts["recipe"],
            "subjects": len({row["subject"] for row in scored}), "scores": facts["scores"],
            "methods": summarise(row for row in scored if not row.get("stage")),
            "stages": summarise(row for row in scored if row.get("stage")),
            "gains": {method: {score: gain.as_dict() for score, gain in by_score.items()}
                      for method, by_score in gains(scored).items()},
        }  # fmt: skip
    return {"data": "phantom (synthetic)", "reinitialised": "all weights re-initialised, seed 0", "networks": networks}


def known_networks() -> list[str]:
    """The trained networks whose signal is a set of voxels of their own input."""
    return [name for name in trained_names() if recall_trained(trained_facts(name)).signal_in_input]


def _mean(score: str, values: np.ndarray) -> Interval:
    """The mean of a score, with the interval of what it lies between: hits, shares, correlations, areas of any size."""
    if score.startswith(("pointing game", "peak in")):
        return share_interval(values)
    if score.startswith(("relevance mass", "AUC", "mass in")):
        return mean_interval(values, bounds=UNIT)
    return mean_interval(values, bounds=(-1.0, 1.0) if score.startswith("like the") else None)


def _add(record: Row, path: Path, *, fresh: bool) -> None:
    """Puts networks into the file, among those that are there unless it is to begin anew; by name."""
    known = json.loads(path.read_text(encoding="utf-8"))["networks"] if path.is_file() and not fresh else {}
    known |= record["networks"]
    record["networks"] = {name: known[name] for name in sorted(known)}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


@ends_in_one_line
def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    from medattn_lite.explain.faithfulness.benchmark_page import write_page

    parser = argparse.ArgumentParser(prog="medattn study faithfulness",
                                     description=__doc__.splitlines()[0])  # fmt: skip
    parser.add_argument("--networks", help="names, by commas; the figures of the others stay. All that know their "
                        "signal if left out")  # fmt: skip
    parser.add_argument("--subjects", type=int, default=24, help="at most so many for each network")
    parser.add_argument("--costly", type=int, default=12, help="subjects on which methods of hundreds of passes are "
                        "scored too")  # fmt: skip
    parser.add_argument("--rows", type=Path, metavar="DIR", help="keep each subject's rows here, to go on from them")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after about so long")
    parser.add_argument("--no-curves", action="store_true", help="leave deletion and insertion out")
    parser.add_argument("--out", type=Path, default=Path("figures"), metavar="DIR")
    options = parser.parse_args(arguments)
    names = options.networks.split(",") if options.networks else known_networks()
    if options.subjects < 2:
        raise UserError(f"--subjects {options.subjects}: an interval needs at least 2")
    unknown = [name for name in names if name not in trained_names()]
    if unknown:
        raise UserError(f"no trained network is called {unknown[0]!r}: use one of {', '.join(known_networks())}")
    until = time.monotonic() + 60 * options.minutes
    for folder in [options.out, *([options.rows] if options.rows else [])]:
        folder.mkdir(parents=True, exist_ok=True)
    fresh = not options.networks and options.rows is None
    for name in names:  # written after each: hours of work are not lost with the last
        record = run([name], subjects=options.subjects, curves=not options.no_curves, costly=options.costly,
                     rows=options.rows, until=until)  # fmt: skip
        _add(record, options.out / "faithfulness.json", fresh=fresh and name == names[0])
    print(write_page(options.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())


