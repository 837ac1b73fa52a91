"""`faithfulness.md` from `faithfulness.json`: tables to read, made anew without a network."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medattn_lite.evaluation.intervals import NO_SPREAD, Interval, without_interval
from medattn_lite.explain.faithfulness.localisation import LOCALISATION, PLANES
from medattn_lite.explain.faithfulness.stage_scores import GAINS
from medattn_lite.explain.faithfulness.subject_scores import LIKENESS
from medattn_lite.networks.trained import trained_facts, trained_names

INTRODUCTION = """# Are the maps true?

Made by `medattn study faithfulness --subjects 40`; do not edit by hand. Phantoms (synthetic heads) that
the networks were neither trained nor chosen on, whose deciding voxels are known: the tested ones, and where these are
fewer, further ones of the same cohort. Each figure is a mean over subjects with its 95 %
interval, where n subjects are enough for one ([measured](interval_coverage.md)): Wilson's of a pointing game, Student's
of the others. One training per network: another start could move a value by more.

- **pointing game**: how often the map's highest voxel is one that decides. **relevance mass**: the share of the map's
  positive values on such voxels. **AUC**: how well the map's order tells them from the rest of the head; 0.5 knows
  nothing.
- **deletion**, **insertion**: area under the network's score while the most relevant blocks are blurred first, or put
  back first. Lower, and higher, is better.
- **like the re-initialised network's**: rank correlation with its map. Near 1, the map shows the picture
  and not what was learned.
- What takes many passes (integrated gradients, occlusion, deletion, insertion) is scored on the first subjects alone:
  see each n.
- *In italics*: maps that are made without a network. A method has shown something where it beats them.
"""
COLUMNS = {**{name: name for name in LOCALISATION}, "deletion area": "deletion", "insertion area": "insertion",
           LIKENESS: LIKENESS}  # fmt: skip
IGNORANT = ("chance", "noise", "middle", "edges", "brightness")
TITLES = {"mechanisms": "grade of a whole head; deciding: what only a high grade has", "presence": "tumour in a slice",
          "lesions": "MS lesions", "fusion": "whole tumour"}  # fmt: skip


def write_page(folder: Path) -> Path:
    """Reads the record in a folder and writes the page beside it."""
    record = json.loads((folder / "faithfulness.json").read_text(encoding="utf-8"))
    page = folder / "faithfulness.md"
    page.write_text(page_of(record), encoding="utf-8")
    return page


def page_of(record: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    parts: list[str | None] = [INTRODUCTION]
    for name, measured in record["networks"].items():
        parts += [_section(name, measured), ""]
    parts += [*_stages(record["networks"]), _planes(record["networks"]), "", _marks(record["networks"])]
    return "\n".join(part for part in parts if part is not None).rstrip() + "\n"


def _earlier(name: str, facts: Mapping[str, Any], score: str) -> str:
    """A sentence where the network that ships under this name today is another one than the one that was measured."""
    if name not in trained_names():
        return ""
    today = trained_facts(name)["scores"].get(score, {}).get("value")
    if today == facts["scores"][score]["value"]:
        return ""
    return " **Measured on an earlier network of this name and an earlier phantom; to be made anew.**"


def _section(name: str, facts: Mapping[str, Any]) -> str:
    score, result = next(iter(facts["scores"].items()))
    lines = [f"## {facts['variant']} · {TITLES.get(facts['recipe'], facts['recipe'])}", "",
             f"{facts['subjects']} subjects. On all its tested subjects: {score} {_text(result)}."
             + _earlier(name, facts, score), ""]  # fmt: skip
    methods = facts["methods"]
    names = [name for name in COLUMNS if any(name in scores for scores in methods.values())]
    rows = [["", *(COLUMNS[name] for name in names)]]
    ordered = [name for name in methods if name not in IGNORANT] + [name for name in IGNORANT if name in methods]
    for method in ordered:
        title = f"*{method}*" if method in IGNORANT else method
        rows.append([title, *(_text(methods[method].get(name)) for name in names)])
    lines += _table(rows)
    if "Grad-CAM" in methods and "deletion area" not in methods["Grad-CAM"]:
        lines += ["", "Not measured on this network yet: integrated gradients, occlusion, deletion, insertion."]
    notes = {method: scores["notes"] for method, scores in methods.items() if scores.get("notes")}
    lines_of_notes = [f"- {method}: in some subjects, {'; '.join(texts)}" for method, texts in notes.items()]
    lines += ["", *lines_of_notes] if lines_of_notes else []
    return "\n".join(lines)


FINER = """## Finer maps, and the border

Grad-CAM of the last stage has a coarse grid. Without training anew, the same method can be taken at an earlier stage;
LayerCAM and HiResCAM weigh each place by itself, which an early stage needs; fused, the stages are put together.
*mass ÷ chance*: relevance mass over the one of a constant map; 1 knows nothing. *in the air*: the share of the map's
positive values outside the head, and how often its highest value lies there. Convolutions pad with zeros, and beside a
head's dark surroundings zeros are a bright rim; *replicate* pads with the value at the border instead (the weights stay
those that were trained with zeros). Within the head (`head_only`) the air is left out altogether, as it is in the first
three scores of every row.
"""
STAGE_SCORES = {"pointing game": "pointing game", "mass ÷ chance": "mass ÷ chance", "AUC": "AUC",
                "mass in the air": "mass in the air", "peak in the air": "peak in the air"}  # fmt: skip


def _stages(networks: Mapping[str, Any]) -> list[str]:
    """Scores by stage, fusion and padding."""
    measured = {name: facts for name, facts in networks.items() if facts.get("stages")}
    if not measured:
        return []
    parts = [FINER, *_gains(measured)]
    for facts in measured.values():
        rows = [[facts["variant"], *STAGE_SCORES.values()]]
        for method, scores in facts["stages"].items():
            rows.append([method, *(_text(scores.get(score)) for score in STAGE_SCORES)])
        parts += ["\n".join(_table(rows)), ""]
    return parts


def _gains(measured: Mapping[str, Any]) -> list[str]:
    """What finer maps win over Grad-CAM, network by network."""
    rows = [["minus Grad-CAM at its default layer, subject by subject", "network", *GAINS]]
    for facts in measured.values():
        rows += [[method, facts["variant"], *(_text(scores.get(score)) for score in GAINS)]
                 for method, scores in facts.get("gains", {}).items()]  # fmt: skip
    return ["\n".join(_table(rows)), ""] if len(rows) > 1 else []


def _planes(networks: Mapping[str, Any]) -> str | None:
    """Does a map localise better in one plane than in another?"""
    rows = [["Grad-CAM, slice by slice", *(f"{score}, {plane}" for score in ("AUC", "relevance mass")
                                           for plane in PLANES)]]  # fmt: skip
    for facts in networks.values():
        scores = facts["methods"].get("Grad-CAM", {})
        names = [f"{score} in {plane} slices" for score in ("AUC", "relevance mass") for plane in PLANES]
        if names[0] in scores:
            rows.append([facts["variant"], *(_text(scores.get(name)) for name in names)])
    if len(rows) == 1:
        return None
    return "\n".join(["## By plane", "", "Each slice that shows deciding voxels is scored alone, as a reader of slices "
                      "meets it.", "", *_table(rows)])  # fmt: skip


def _marks(networks: Mapping[str, Any]) -> str | None:
    """Is a network that learned the scanner mark caught?"""
    marked = [facts for facts in networks.values()
              if any(f"{LOCALISATION[0]} of the mark" in scores for scores in facts["methods"].values())]  # fmt: skip
    if not marked:
        return None
    lines = ["## The scanner mark", "", "A network that was trained with a mark beside every high grade, shown heads "
             "with the mark. Its maps should give it away: on the mark, not on the tumour.", ""]  # fmt: skip
    for facts in marked:
        rows = [[facts["variant"], *(f"{name}, {where}" for where in ("mark", "tumour") for name in LOCALISATION)]]
        for method, scores in facts["methods"].items():
            if method not in IGNORANT:
                cells = [scores.get(f"{name} of the mark") for name in LOCALISATION]
                rows.append([method, *(map(_text, cells)), *(_text(scores.get(name)) for name in LOCALISATION)])
        lines += _table(rows)
    return "\n".join(lines)


def _text(result: Mapping[str, Any] | None) -> str:
    if not result or result["value"] is None or not math.isfinite(result["value"]):
        return "—"
    interval = Interval.from_dict(result)
    if interval.low == interval.high:  # a record of before: no spread is not certainty
        interval = without_interval(interval.value, interval.units, NO_SPREAD)
    return interval.text(digits=2)


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in (rows[0], ["---"] * len(rows[0]), *rows[1:])]
