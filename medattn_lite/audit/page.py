"""The audit as a page (Markdown), as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from medattn_lite.audit.run import Audit
from medattn_lite.audit.verdicts import CHANCE, DECLARED, GIVEN, LEVEL, NOT_SCORED, TELLS, Finding
from medattn_lite.data.files import new_file
from medattn_lite.errors import UserError
from medattn_lite.escaping import inline

FILES = ("audit.md", "audit.json", "audit.png")
HEADINGS = {TELLS: "Tells the label", DECLARED: "Declared signal of the task",
            GIVEN: "Taken as given", CHANCE: "Not better than chance", NOT_SCORED: "Not scored"}  # fmt: skip
READING = """\
How to read it. A factor's AUC (or C-index) is turned so that 0.5 is chance and 1 is certainty; words, and numbers
where there are several classes, are scored by the rates of their category among patients of other folds. A model's
score comes from nested cross-validation by patient; beside it stand mean and standard deviation of the same on
{repeats} shuffles of the labels among the patients. Intervals are 95 %, by the bootstrap over patients (for a model:
over its out-of-fold scores). What tells nothing has a cross-validated score near that of the shuffled labels, which
with few patients lies at or below 0.5. p is corrected by Holm for the {tests} factors and models tested together;
"tells" means that it is below {level}. "Not better than chance" is not proof that nothing leaks: the upper end of
the interval says how much still could. "Far from the lesion" is at least {margin:g} mm away from the mask, and from
the place where a case of each other class has its lesion (for survival: the patient at the mirrored rank of risk), so
that the same kind of tissue is left in every class. A fact that is "given" is known and shows outside the lesion too:
every other number is what a regression on it and its square leaves. A factor that tells the label is a shortcut that
a network could take, or a fact of the disease; which of the two, you must judge."""


def refuse_existing(folder: Path, names: tuple[str, ...] = FILES, *, overwrite: bool = False) -> None:
    """Stops before any work is done if an output is there already.

    Raises:
        UserError: a file of that name exists.
    """
    for path in (folder / name for name in names):
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists already: name another folder with --out, or add --overwrite")


def write_audit(audit: Audit, folder: Path, *, title: str, overwrite: bool = False) -> list[Path]:
    """Writes `audit.md`, `audit.json` and `audit.png` into a folder.

    Args:
        audit: what was found.
        folder: made if it is not there.
        title: of the page.
        overwrite: replace files of an earlier audit.

    Raises:
        UserError: a file is there already.
    """
    from medattn_lite.plots import audit_view, render_png

    refuse_existing(folder, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    picture = render_png(audit_view(audit.findings, title=title))
    contents = (page(audit, title=title).encode("utf-8"), _json(as_dict(audit)).encode("utf-8"), picture)
    for name, content in zip(FILES, contents, strict=True):
        with new_file(folder / name, overwrite=overwrite) as part:
            part.write_bytes(content)
    return [folder / name for name in FILES]


def write_all(
    audits: Mapping[str, Audit], path: Path, *, command: str, seconds: Mapping[str, float], overwrite: bool = False
) -> list[Path]:
    """One page over several tasks, and the same as JSON beside it: `read_all` reads it.

    Raises:
        UserError: a file is there already.
    """
    names = (path.name, path.with_suffix(".json").name)
    refuse_existing(path.parent, names, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"command": command, "seconds": {task: round(seconds[task], 1) for task in audits},
               "tasks": {task: as_dict(audit) for task, audit in audits.items()}}
    texts = (all_page(audits, command=command, seconds=seconds), _json(content))
    for name, text in zip(names, texts, strict=True):
        with new_file(path.parent / name, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8")
    return [path.parent / name for name in names]


def read_all(path: Path, *, command: str) -> tuple[dict[str, Audit], dict[str, float]]:
    """The audits of a page that `write_all` made, and their seconds; none where there is no page yet.

    Args:
        path: of the page; the JSON beside it is read.
        command: that it must have been made by, so that no page mixes settings.

    Raises:
        UserError: the page was made by another command, or cannot be read.
    """
    file = path.with_suffix(".json")
    if not file.exists():
        return {}, {}
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        made, seconds = content["command"], content["seconds"]
        audits = {task: _audit(facts) for task, facts in content["tasks"].items()}
    except (ValueError, KeyError, TypeError, RecursionError) as problem:
        raise UserError(f"{file} is not a page of tasks that can be completed: leave --only out") from problem
    if made != command:
        raise UserError(f"{path} was made by {made!r}, not by {command!r}: leave --only out, or name another --out")
    return audits, seconds


def page(audit: Audit, *, title: str) -> str:
    """The audit as Markdown."""
    return "\n".join([f"# {inline(title)}", "", *_body(audit, level=2), _reading(audit), ""])


def all_page(audits: Mapping[str, Audit], *, command: str, seconds: Mapping[str, float]) -> str:
    """One page over several audits: a summary, then each in full."""
    lines = ["# What gives the label away? The phantom's tasks", "", f"Made by `{command}` in "
             f"{sum(seconds.values()) / 60:.0f} minutes of processor time.", "",
             "| task | patients | given | tested | tell the label, not declared | the strongest of them |",
             "|---" * 6 + "|"]
    for task, audit in audits.items():
        first = f"{audit.leaks[0].name}: {_figures(audit.leaks[0])}" if audit.leaks else "—"
        patients = ", ".join(f"{name} {count}" for name, count in audit.classes.items())
        adjusted_for = ", ".join(audit.settings.get("given", ())) or "—"
        lines.append(
            f"| [{task}](#{task}) | {patients} | {adjusted_for} | {audit.tests} | {len(audit.leaks)} | {first} |"
        )
    lines += ["", _reading(next(iter(audits.values())), tests="")]
    for task, audit in audits.items():
        lines += ["", f"## {task}", "", *_body(audit, level=3)]
    return "\n".join(lines).rstrip() + "\n"


def as_dict(audit: Audit) -> dict[str, object]:
    """Plain JSON values."""
    return {
        "label": audit.label,
        "classes": audit.classes,
        "tests": audit.tests,
        "settings": audit.settings,
        "findings": [finding.as_dict() for finding in audit.findings],
        "constant": audit.constant,
        "notes": audit.notes,
    }


def _audit(content: dict) -> Audit:
    findings = []
    for facts in content["findings"]:
        known = {name: value for name, value in facts.items() if value is not None and name in Finding.__annotations__}
        known |= {name: tuple(facts[name]) for name in ("null", "given") if facts.get(name) is not None}
        findings.append(Finding(**known))
    plain = {name: content[name] for name in ("label", "classes", "constant", "notes", "settings")}
    return Audit(findings=findings, **plain)


def _body(audit: Audit, *, level: int) -> list[str]:
    patients = ", ".join(f"{inline(name)} {count}" for name, count in audit.classes.items())
    lines = [f"{inline(audit.label)}: {patients} patients. {len(audit.leaks)} of {audit.tests} factors and models tell "
             "it better than chance.", "", *(f"- {inline(note)}" for note in audit.notes)]
    lines += [""] if audit.notes else []
    if audit.settings.get("given"):
        adjusted_for = ", ".join(map(inline, audit.settings["given"]))
        lines += [f"Adjusted for {adjusted_for}: what the others tell beyond that.", ""]
    for verdict, heading in HEADINGS.items():
        findings = audit.by_verdict(verdict)
        if findings and verdict == NOT_SCORED:
            lines += [f"{'#' * level} {heading}", "",
                      *(f"- {inline(finding.name)}: {inline(finding.why)}" for finding in findings), ""]
        elif findings:
            lines += [f"{'#' * level} {heading}", "",
                      "| factor or model | verdict | on shuffled labels | p | p, Holm |", "|---" * 5 + "|"]
            lines += [f"| {_cell(finding.name)} | {_cell(finding.sentence)} | {_null(finding)} | {_p(finding.p)} | "
                      f"{_p(finding.p_holm)} |" for finding in findings] + [""]
    if audit.constant:
        lines += [f"The same in every case: {', '.join(map(inline, audit.constant))}.", ""]
    return lines


def _cell(text: str) -> str:
    return inline(text).replace("|", "\\|")


def _reading(audit: Audit, *, tests: str | None = None) -> str:
    text = READING.format(repeats=audit.settings["repeats"], tests=audit.tests if tests is None else tests,
                          level=LEVEL, margin=audit.settings["margin_mm"])
    return " ".join(text.split())


def _figures(finding: Finding) -> str:
    return finding.ends


def _null(finding: Finding) -> str:
    return "—" if finding.null is None else f"{finding.null[0]:.2f} (sd {finding.null[1]:.2f})"


def _p(value: float) -> str:
    if not np.isfinite(value):
        return "—"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _json(content: object) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
