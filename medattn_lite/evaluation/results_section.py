"""One run on the page of results: what it was, its scores over patients, folds and seeds, its differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medattn_lite.evaluation.results_text import (
    changed_settings,
    folds_text,
    interval_text,
    is_finite,
    mean_text,
    outdated,
    plain,
    table,
    where,
)

SAME = 0.0005  # a mean over folds closer than this to the pooled score is not printed again


def section(record: Mapping[str, Any], *, with_guesses: bool = True) -> str:
    """One run as Markdown."""
    changed = " · changed settings" if changed_settings(record) else ""
    title = f"## {record['recipe'].capitalize()} · {where(record)} · `{record['scale']}`{changed}"
    lines = [title, "", _facts(record), ""]
    if record.get("variants"):
        lines += [*_scores(record), "", *over_folds(record), *_validation(record), *_over_seeds(record)]
        lines += _columns(record)
    if record.get("comparisons"):
        lines += [*_differences(record["comparisons"]), ""]
    if record.get("published"):
        lines += [*_published(record), ""]
    for transfer in record.get("transfers", ()):
        lines += [*_transfer(transfer), ""]
    if with_guesses and record.get("guesses"):
        lines += ["What the paper leaves open, and how it is read here:", ""]
        lines += [f"- {guess}" for guess in record["guesses"]] + [""]
    return "\n".join(lines)


def fold_difference(record: Mapping[str, Any], pair: Mapping[str, Any], score: str) -> dict[str, float] | None:
    """Mean and standard deviation over the folds of a difference between two variants; None with fewer than 2 folds."""
    first, second = (record["variants"].get(pair[place], {}).get("folds", []) for place in ("first", "second"))
    values = [left[score] - right[score] for left, right in zip(first, second, strict=False)
              if is_finite(left.get(score)) and is_finite(right.get(score))]  # fmt: skip
    if len(values) < 2:
        return None
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)), "folds": len(values)}


def over_folds(record: Mapping[str, Any]) -> list[str]:
    """Means over folds of the scores that differ from the pooled ones, for the variants and for their differences."""
    variants = record["variants"]
    names = [name for name in _score_names(variants) if any(_differs(variant, name) for variant in variants.values())]
    if not names:
        return []
    rows = [["mean over folds (sd of the folds)", *names]]
    for name, variant in variants.items():
        rows.append([name, *(mean_text(variant["mean_over_folds"].get(score)) for score in names)])
    for pair in record.get("comparisons", ()):
        cells = [mean_text(fold_difference(record, pair, score)) for score in names]
        rows.append([f"{pair['first']} − {pair['second']}", *cells])
    return ["The table above pools the patients of all folds, whose scores come from different networks. Where the "
            "mean of the folds' own scores, as papers often print it, is another value:", "", *table(rows),
            ""]  # fmt: skip


def _differs(variant: Mapping[str, Any], score: str) -> bool:
    mean, pooled = variant.get("mean_over_folds", {}).get(score), variant["pooled"].get(score)
    if mean is None or pooled is None or mean["folds"] < 2 or not is_finite(pooled["value"]):
        return False
    return abs(mean["mean"] - pooled["value"]) >= SAME


def _facts(record: Mapping[str, Any]) -> str:
    facts = record.get("data_facts", {})
    texts = [record.get("summary", "")]
    changed = changed_settings(record)
    if changed:
        words = ", ".join(f"{name} {plain(value)}" for name, value in changed.items())
        texts.append(f"**not the recipe's settings at this scale:** {words}")
    if outdated(record):
        texts.append(f"**made with an older version of the data and to be made anew:** {outdated(record)}")
    if "patients" in facts:
        rows = f", {facts['rows']} rows" if facts.get("rows", 0) != facts["patients"] else ""
        texts.append(f"{facts['patients']} patients{rows}")
    for name, value in facts.items():
        if name not in ("patients", "rows", "channels") and value not in ([], {}):
            texts.append(f"{name.replace('_', ' ')}: {plain(value)}")
    if "folds" in record:
        starts = record.get("training_seeds", [record.get("seed", 0)])
        trainings = "one training per fold" if len(starts) == 1 else f"trained from {len(starts)} seeds per fold"
        texts.append(f"{folds_text(record)}, seed {record.get('seed', 0)}, {trainings}")
    environment = record.get("environment")
    if environment and "device_name" in environment:
        texts.append(f"on {environment['device_name']} ({environment['device']}, {environment['precision']}), "
                     f"torch {environment['torch']}")  # fmt: skip
    return "; ".join(part for part in texts if part) + "."


def _scores(record: Mapping[str, Any]) -> list[str]:
    variants = record["variants"]
    names = _score_names(variants)
    rows = [["pooled over folds", "parameters", *names, "training, s per fold"]]
    for name, variant in variants.items():
        seconds = variant.get("training_seconds") or [0.0]
        cells = [interval_text(variant["pooled"].get(score)) for score in names]
        parameters = f"{variant['parameters']:,}" if variant.get("parameters") else "—"
        rows.append([name, parameters, *cells, f"{sum(seconds) / len(seconds):.0f}"])
    return table(rows)


def _validation(record: Mapping[str, Any]) -> list[str]:
    """Scores on the patients that chose the state, where the run kept them."""
    known = {name: variant["validation_mean_over_folds"] for name, variant in record["variants"].items()
             if variant.get("validation_mean_over_folds")}  # fmt: skip
    if not known:
        return []
    scores = list(dict.fromkeys(score for means in known.values() for score in means))
    rows = [["validation patients, mean over folds (sd)", *scores]]
    rows += [[name, *(mean_text(means.get(score)) for score in scores)] for name, means in known.items()]
    return ["On the patients by whom the state was chosen, and so too good:", "", *table(rows), ""]


def _columns(record: Mapping[str, Any]) -> list[str]:
    """The same predictions on other columns of the paper's table: fewer patients, or shorter follow-up."""
    known = {name: variant["columns"] for name, variant in record["variants"].items() if variant.get("columns")}
    if not known:
        return []
    first = next(iter(known.values()))
    who = "; ".join(f"{column}: {count} patients, {first['deaths'][column]} deaths"
                    for column, count in first["patients"].items())  # fmt: skip
    names = list(dict.fromkeys(score for columns in known.values() for score in columns["scores"]))
    rows = [["the same trainings, by column", *names]]
    rows += [
        [name, *(interval_text(columns["scores"].get(score)) for score in names)] for name, columns in known.items()
    ]
    return [f"The same predictions scored again as the paper's other columns ({who}):", "", *table(rows), ""]


def _over_seeds(record: Mapping[str, Any]) -> list[str]:
    """Means over seeds, and each seed's figure, for the variants and for their differences."""
    variants = {name: variant for name, variant in record["variants"].items() if variant.get("over_seeds")}
    if not variants:
        return []
    names, seeds = _score_names(variants), len(record["training_seeds"])
    rows = [[f"mean over {seeds} seeds (sd of the seeds): each", *names]]
    for name, variant in variants.items():
        each = [of_seed["pooled"] for of_seed in variant["by_seed"].values()]
        rows.append([name, *(_seeds_text(variant["over_seeds"].get(score), each, score) for score in names)])
    for pair in record.get("comparisons", ()):
        each = list(pair.get("by_seed", {}).values())
        cells = [_seeds_text(pair.get("over_seeds", {}).get(score), each, score) for score in names]
        rows.append([f"{pair['first']} − {pair['second']}", *cells])
    return ["Trained again from other seeds on the same patients and folds; the other tables are of the first seed, "
            "and their intervals about patients:", "", *table(rows), ""]  # fmt: skip


def _seeds_text(spread: Mapping[str, Any] | None, each: Sequence[Mapping[str, Any]], score: str) -> str:
    values = [pooled[score]["value"] for pooled in each if score in pooled]
    return f"{mean_text(spread)}: " + ", ".join(f"{value:.3f}" if is_finite(value) else "—" for value in values)


def _differences(comparisons: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(score for pair in comparisons for score in pair["difference"]))
    rows = [["difference", *names]]
    for pair in comparisons:
        cells = [interval_text(pair["difference"].get(name), mark=True) for name in names]
        rows.append([f"{pair['first']} − {pair['second']}", *cells])
    return [*table(rows), "", "Bold: the interval does not hold 0. ‡: that survives the correction for all differences "
            "on this page."]  # fmt: skip


def _published(record: Mapping[str, Any]) -> list[str]:
    """The paper's figures for what was run; what it prints beside them is named."""
    published, variants = record["published"], record["variants"]
    run = {*_score_names(variants), *(f"validation {name}" for variant in variants.values()
                                      for name in variant.get("validation_mean_over_folds", ())),
           *(name for variant in variants.values()
             for name in variant.get("columns", {}).get("scores", ()))}  # fmt: skip
    names = list(dict.fromkeys(score for scores_by_name in published.values() for score in scores_by_name))
    shown = [name for name in names if name in run]
    lines = []
    if shown:
        rows = [["as the paper prints it", *shown]]
        rows += [[name, *(values.get(score, "—") for score in shown)] for name, values in published.items()]
        lines = table(rows)
    if len(shown) < len(names):
        left = "; ".join(name for name in names if name not in run)
        lines += [*([""] if lines else []), f"The paper also prints, and this run did not measure: {left}."]
    return lines


def _transfer(transfer: Mapping[str, Any]) -> list[str]:
    """The same networks on patients of another source; of lesions, Dice of every patient beside a threshold."""
    if "lesion_ml" not in transfer:
        return _external(transfer)
    size = transfer["lesion_ml"]
    kind = "phantoms" if transfer["tested_on"] == "phantom" else "real patients"
    lines = [f"The same networks, untouched, on {len(size)} {kind} of {transfer['tested_on']}: Dice by patient. "
             "So few bear no interval.", ""]  # fmt: skip
    rows = [["", *(f"{patient}, {volume:.1f} mL" for patient, volume in size.items())]]
    thresholds = {f"FLAIR threshold, {name.replace('_', ' ')}": result
                  for name, result in transfer.get("flair_threshold", {}).items()}  # fmt: skip
    for name, result in {**transfer["variants"], **thresholds}.items():
        rows.append([name, *(f"{result['dice_by_patient'][patient]:.3f}" for patient in size)])
    return lines + table(rows) + _lesions_by_seed(transfer)


def _lesions_by_seed(transfer: Mapping[str, Any]) -> list[str]:
    """Dice, lesions found and false ones of each network and seed, by patient; nothing where they were not kept."""
    size = transfer["lesion_ml"]
    rows = [["network, seed", *size, "mean Dice"]]
    for name, variant in transfer["variants"].items():
        for one in variant.get("by_seed", ()):
            cells = []
            for patient in size:
                lesions = one["lesions_by_patient"][patient]
                cells.append(f"{one['dice_by_patient'][patient]:.3f}; {lesions['detected']:g} of "
                             f"{lesions['lesions']:g}, {lesions['false_positives']:g} false")  # fmt: skip
            rows.append([f"{name}, {one['seed']}", *cells, f"{one['mean_dice']:.3f}"])
        means = [one["mean_dice"] for one in variant.get("by_seed", ())]
        if len(means) > 1:
            rows.append([f"{name}, mean over {len(means)} seeds (sd {np.std(means, ddof=1):.3f})", *("" for _ in size),
                         f"{np.mean(means):.3f}"])  # fmt: skip
    if len(rows) == 1:
        return []
    return ["", "By seed and patient: Dice; lesions found (those that share a voxel with the prediction) of all; "
            "groups of voxels predicted where no lesion is.", "", *table(rows)]  # fmt: skip


def _external(transfer: Mapping[str, Any]) -> list[str]:
    variants, names = transfer["variants"], _score_names(transfer["variants"])
    scanner = f", scanner {transfer['scanner']}" if "scanner" in transfer else ""
    patients = transfer["data_facts"]["patients"]
    rows = [["external test", *names]]
    rows += [
        [name, *(interval_text(variant["pooled"].get(score)) for score in names)] for name, variant in variants.items()
    ]
    return [f"The same networks, untouched, on {patients} patients of another source "
            f"({transfer['tested_on']}{scanner}), the folds' answers averaged:", "", *table(rows)]  # fmt: skip


def _score_names(variants: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(score for variant in variants.values() for score in variant["pooled"]))
