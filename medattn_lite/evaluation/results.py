"""One page of results from the records of finished runs: each table beside the paper's.

A record is a run's `metrics.json`. Records are kept in a folder of their own (`figures/results`), so that the page can
be written again without the runs; they hold scores, never a patient's image.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.evaluation.results_tables import tables_section

INTRODUCTION = """# Results

Made by `{command}` from the records in `{folder}`; do not edit by hand.

How to read it. Every figure is on patients the network was not trained on (but for the rows called LEAKY, which show
what happens otherwise), all folds pooled, with a 95 % interval from a bootstrap that draws patients. Differences are
paired: the same patients are drawn for both models. **If an interval holds 0, these data do not tell the two apart.**
Intervals and differences are about patients; each network was trained once a fold, and another start could move a
figure by more. "Phantom" is synthetic: a result on it says that the machinery works, not how well it does on people.
The paper's figures come from other patients, and at `paper` scale only are they from the same architecture and
schedule: they stand here for orientation, not for comparison.
"""


def keep(runs: Sequence[Path], folder: Path) -> list[Path]:
    """Copies the `metrics.json` of runs into the folder of records.

    Args:
        runs: folders of finished runs.
        folder: where records are kept.

    Returns:
        the records written.

    Raises:
        UserError: a run has no metrics, because it has not ended.
    """
    written = []
    for run in runs:
        metrics = run / "metrics.json"
        if not metrics.is_file():
            raise UserError(f"{run} has no metrics.json: let it end first (the same medattn train goes on)")
        folder.mkdir(parents=True, exist_ok=True)
        written.append(folder / f"{run.resolve().name}.json")
        record = json.loads(metrics.read_text(encoding="utf-8"))
        environment = run / "environment.json"
        if environment.is_file():
            record["environment"] = json.loads(environment.read_text(encoding="utf-8"))
        transfers = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob("transfer-*.json"))]
        if transfers:
            record["transfers"] = transfers
        written[-1].write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return written


def page(folder: Path, *, command: str) -> str:
    """The page as Markdown.

    Args:
        folder: of records.
        command: that makes the page, to be named on it.

    Raises:
        UserError: no record is there, or one cannot be read.
    """
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    if not files:
        raise UserError(f"no record in {folder}: name finished runs (medattn results runs/…)")
    records = [_read(path) for path in files]
    tables = [record for record in records if "tables" in record]
    records = [record for record in records if "tables" not in record]
    order = {name: place for place, name in enumerate(dict.fromkeys(record["recipe"] for record in records))}
    records.sort(key=lambda record: (order[record["recipe"]], record["data"] == "phantom", record["scale"]))
    parts = [INTRODUCTION.format(command=command, folder=folder.as_posix())]
    told: set[str] = set()
    for record in records:
        guesses = "\n".join(record.get("guesses", ()))
        parts.append(section(record, with_guesses=guesses not in told))
        told.add(guesses)
    parts += [tables_section(record, write=_interval, table=_table) for record in tables]
    return "\n".join(parts)


def section(record: Mapping[str, Any], *, with_guesses: bool = True) -> str:
    """One run: what it was, its scores, its differences."""
    lines = [f"## {record['recipe'].capitalize()} · {_where(record)} · `{record['scale']}`", "", _facts(record), ""]
    if record.get("variants"):
        lines += [*_scores(record), ""]
    if record.get("comparisons"):
        lines += [*_differences(record["comparisons"]), ""]
    if record.get("published"):
        lines += [*_published(record["published"]), ""]
    for transfer in record.get("transfers", ()):
        lines += [*_transfer(transfer), ""]
    if with_guesses and record.get("guesses"):
        lines += ["What the paper leaves open, and how it is read here:", ""]
        lines += [f"- {guess}" for guess in record["guesses"]] + [""]
    return "\n".join(lines)


def _read(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if "tables" not in record:
            record["recipe"], record["data"], record["scale"]
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"{path} is no record of a run ({type(error).__name__} {error}): delete it") from None
    return record


def _where(record: Mapping[str, Any]) -> str:
    label = record.get("settings", {}).get("options", {}).get("label")
    name = "phantom (synthetic)" if record["data"] == "phantom" else f"{record['data']} (real patients)"
    return f"{name}, {label}" if label else name


def _facts(record: Mapping[str, Any]) -> str:
    facts = record.get("data_facts", {})
    said = [record.get("summary", "")]
    if "patients" in facts:
        rows = f", {facts['rows']} rows" if facts.get("rows", 0) != facts["patients"] else ""
        said.append(f"{facts['patients']} patients{rows}")
    for name, value in facts.items():
        if name not in ("patients", "rows", "channels") and value not in ([], {}):
            said.append(f"{name.replace('_', ' ')}: {_plain(value)}")
    if "folds" in record:
        said.append(f"{record['folds']} folds or splits, seed {record.get('seed', 0)}, one training a fold")
    environment = record.get("environment")
    if environment:
        said.append(f"on {environment['device_name']} ({environment['device']}, {environment['precision']}), "
                    f"torch {environment['torch']}")  # fmt: skip
    return "; ".join(part for part in said if part) + "."


def _scores(record: Mapping[str, Any]) -> list[str]:
    variants = record["variants"]
    names = list(dict.fromkeys(score for own in variants.values() for score in own["pooled"]))
    rows = [["", "parameters", *names, "training, s a fold"]]
    for name, own in variants.items():
        seconds = own.get("training_seconds") or [0.0]
        cells = [_interval(own["pooled"].get(score)) for score in names]
        parameters = f"{own['parameters']:,}" if own.get("parameters") else "—"
        rows.append([name, parameters, *cells, f"{sum(seconds) / len(seconds):.0f}"])
    return _table(rows)


def _differences(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(score for pair in comparisons for score in pair["difference"]))
    rows = [["difference", *names]]
    for pair in comparisons:
        cells = [_interval(pair["difference"].get(name), mark=True) for name in names]
        rows.append([f"{pair['first']} − {pair['second']}", *cells])
    return [*_table(rows), "", "Bold: the interval does not hold 0."]


def _published(published: Mapping[str, Mapping[str, str]]) -> list[str]:
    names = list(dict.fromkeys(score for own in published.values() for score in own))
    rows = [["as the paper prints it", *names]]
    rows += [[name, *(own.get(score, "—") for score in names)] for name, own in published.items()]
    return _table(rows)


def _transfer(transfer: Mapping[str, Any]) -> list[str]:
    """Dice of every patient of another data set, for networks that never saw it, beside a threshold."""
    size = transfer["lesion_ml"]
    lines = [f"The same networks, untouched, on {len(size)} real patients of {transfer['tested_on']}: Dice by patient. "
             "So few bear no interval.", ""]  # fmt: skip
    rows = [["", *(f"{patient}, {volume:.1f} mL" for patient, volume in size.items())]]
    thresholds = {f"FLAIR threshold, {name.replace('_', ' ')}": own
                  for name, own in transfer.get("flair_threshold", {}).items()}  # fmt: skip
    for name, own in {**transfer["variants"], **thresholds}.items():
        rows.append([name, *(f"{own['dice_by_patient'][patient]:.3f}" for patient in size)])
    return lines + _table(rows)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return ["| " + " | ".join(row) + " |" for row in (cells[0], ["---"] * len(cells[0]), *cells[1:])]


def _interval(interval: Mapping[str, Any] | None, *, mark: bool = False) -> str:
    if interval is None or not _finite(interval["value"]):
        return "—"
    value = f"{interval['value']:.3f}"
    if not (_finite(interval["low"]) and _finite(interval["high"])):
        return value
    text = f"{value} [{interval['low']:.3f}, {interval['high']:.3f}]"
    return f"**{text}**" if mark and not interval["low"] <= 0 <= interval["high"] else text


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        if {"value", "low", "high"} <= value.keys():
            return _interval(value)
        if any(isinstance(item, Mapping) for item in value.values()):
            return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
        return ", ".join(f"{_plain(item)} {key}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_plain, value))
    return f"{value:.3g}" if isinstance(value, float) else str(value)
