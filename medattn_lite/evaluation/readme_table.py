"""The README's table of results: every run that is kept, every comparison of its recipe, in one order.

The rule is printed above the table, so that nobody has to trust whoever chose the rows: nobody chose them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.errors import UserError
from medattn_lite.evaluation.results import read_records
from medattn_lite.evaluation.results_section import SAME, fold_difference
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

BEGIN, END = "<!-- made by `medattn results --readme`: begin -->", "<!-- end -->"

# What a recipe is about, in the words of the README; a recipe that is not here bears its name.
SYSTEMS: Mapping[str, str] = {
    "grading": "P3D + IAM: grade from a crop around the tumour",
    "presence": "ResNeSAt: tumour in a slice",
    "presence-leak": "presence with a leak on purpose: folds by slice",
    "presence-cnns": "ResNeSAt beside common CNNs, one split 80 to 20",
    "source": "ResNeSAt: primary tumour or metastasis in a slice",
    "source-leak": "source with a leak on purpose: folds by slice",
    "lesions": "RSANet: lesions voxel by voxel",
    "fusion": "dual fusion: tumour regions voxel by voxel",
    "survival": "survival from the whole head",
    "mechanisms": "each mechanism on whole heads, with two negative controls",
}

# What a system is scored by here, if not by the AUC.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "lesions": ("Dice, sample average",),
    "fusion": ("WT Dice", "TC Dice", "ET Dice"),
    "survival": ("C-index",),
}

RULE = """**The rule of this table.** Every run of a recipe in `figures/results` has a row, and in it every comparison
that the recipe names, whatever came out, by one measure per system (the three regions for fusion); the other measures,
and models without images, are on the [page of results](figures/results.md). Of each system the recipe's own task stands
first (phantoms, then real patients), then other labels, then runs with changed settings; a recipe without a run says
so. A line gives both scores, their difference, its 95 % interval by patient (none where a class has too few patients
for one that would hold), and n. **Bold**: the interval leaves out 0. ‡: it survives Holm's correction for all {count}
differences of that page ({surviving} do). Where the mean over folds differs from the pooled value, it is printed next
to it. Networks are trained from one seed unless a row says more;
another seed could change a number by more than its interval shows.{old}"""

OLD = """ †: made with an older version of the phantom or of the intensity scale
(`medattn_lite/data/versions.py`), and still to be made anew: {count} of {runs} runs."""


def readme_table(
    folder: Path, *, recipes: Sequence[str] = (), new: Mapping[Path, dict[str, Any]] | None = None
) -> str:
    """The rule and the table as Markdown.

    Args:
        folder: of records.
        recipes: names in the order in which they are shown; those without a record are said not to have been run.
        new: records that are not written yet, or replace those that are.

    Raises:
        UserError: no record is there, or one cannot be read.
    """
    records, family = read_records(folder, new)
    runs = [record for record in records if "tables" not in record]
    names = list(dict.fromkeys([*recipes, *sorted(record["recipe"] for record in runs)]))
    rows = [["system", "on", "by", "first − second = difference [95 % interval] (n)"]]
    for name in names:
        label = SYSTEMS.get(name, name)
        of_recipe = sorted((record for record in runs if record["recipe"] == name), key=_place)
        rows += [[label if place == 0 else "", _on(record), " / ".join(_measures(record)),
                  "<br>".join(_lines(record)) or _alone(record)] for place, record in enumerate(of_recipe)]  # fmt: skip
        rows += [] if of_recipe else [[label, "not run yet", "", ""]]
    count = sum(bool(outdated(record)) for record in runs)
    old = OLD.format(count=count, runs=len(runs)) if count else ""
    return "\n".join([RULE.format(**vars(family), old=old), "", *table(rows)])


def with_table(readme: Path, text: str) -> str:
    """A file's text with the table between its two marks; the rest stays.

    Args:
        readme: the file.
        text: of `readme_table`.

    Raises:
        UserError: the file or the marks are missing.
    """
    try:
        before = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    except UnicodeDecodeError:
        raise UserError(f"{readme} is not text in UTF-8: name another file with --readme") from None
    if before.count(BEGIN) != 1 or END not in before.split(BEGIN)[1]:
        raise UserError(f"{readme} has no place for the table: write the lines {BEGIN} and {END} where it belongs")
    head, rest = before.split(BEGIN)
    tail = rest.split(END, 1)[1]
    return f"{head}{BEGIN}\n\n{text}\n\n{END}{tail}"


def _place(record: Mapping[str, Any]) -> tuple[bool, bool, bool, str]:
    """The recipe's own label before others, its own settings before changed ones, phantoms before patients."""
    label = record.get("settings", {}).get("options", {}).get("label") not in (None, "grade")
    return bool(changed_settings(record)), label, record["data"] != "phantom", record["data"]


def _on(record: Mapping[str, Any]) -> str:
    changed = ", ".join(f"{name} {plain(value)}" for name, value in changed_settings(record).items())
    seeds = len(record.get("training_seeds", ()))
    parts = [where(record), f"`{record['scale']}`", folds_text(record) if "folds" in record else ""]
    parts += [f"{seeds} seeds"] if seeds > 1 else []
    parts += [f"changed settings: {changed}"] if changed else []
    parts += ["†"] if outdated(record) else []
    return "; ".join(part for part in parts if part)


def _lines(record: Mapping[str, Any]) -> list[str]:
    lines = [_line(record, pair) for pair in record.get("comparisons", ())]
    return [line for line in lines if line]


def _line(record: Mapping[str, Any], pair: Mapping[str, Any]) -> str:
    """One comparison; "" where the run does not score its measures."""
    measures = [name for name in _measures(record) if name in pair["difference"]]
    first, second = (f"{pair[place]} {_values(record, pair[place], measures)}" for place in ("first", "second"))
    texts = [_difference(record, pair, name) for name in measures]
    return f"{first} − {second} = {' / '.join(texts)}" if texts else ""


def _difference(record: Mapping[str, Any], pair: Mapping[str, Any], measure: str) -> str:
    difference, mean = pair["difference"][measure], fold_difference(record, pair, measure)
    text = interval_text(difference, mark=True)
    if mean and is_finite(difference["value"]) and abs(mean["mean"] - difference["value"]) >= SAME:
        text += f", mean over folds {mean['mean']:.3f}"
    spread = pair.get("over_seeds", {}).get(measure)
    return text + (f", over {spread['seeds']} seeds {mean_text(spread)}" if spread else "")


def _alone(record: Mapping[str, Any]) -> str:
    """The scores themselves, where a run holds nothing to compare."""
    variants = record.get("variants", {})
    return "<br>".join(f"{name}: {interval_text(variant['pooled'][measure])}" for name, variant in variants.items()
                       for measure in _measures(record) if measure in variant["pooled"])  # fmt: skip


def _measures(record: Mapping[str, Any]) -> tuple[str, ...]:
    return MEASURES.get(record["recipe"].split("-")[0], ("AUC",))


def _values(record: Mapping[str, Any], variant: str, measures: Sequence[str]) -> str:
    pooled = record.get("variants", {}).get(variant, {}).get("pooled", {})
    values = [pooled.get(measure, {}).get("value") for measure in measures]
    return "/".join(f"{value:.3f}" if is_finite(value) else "—" for value in values)
