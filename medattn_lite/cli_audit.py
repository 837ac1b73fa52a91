"""The command `medattn audit`: what gives the label away, in phantoms or in a folder of yours?"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from medattn_lite.cli_faults import LARGEST_SEED, folder, path, whole
from medattn_lite.errors import UserError

ALL_PAGE = Path("figures/phantom_audit.md")
SUBJECTS, SUBJECTS_ALL = 120, 300


def audit_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `medattn audit` to its parser."""
    parser.add_argument("dataset", help="phantom, lgg, brats, msd, open-ms, images or nifti")
    parser.add_argument("--root", type=folder, metavar="DIR", help="folder of a data set of yours")
    parser.add_argument("--label", metavar="NAME", help="what is asked for: grade, idh, survival, or a column of your "
                                                        "table; a task's own label if left out")
    parser.add_argument("--out", type=path, metavar="DIR", help="folder for audit.md, audit.json and audit.png; with "
                                                                f"--all a page (default: {ALL_PAGE})")
    parser.add_argument("--declared", default="", metavar="A,B", help="facts that are the signal: shown, no leak")
    parser.add_argument("--given", default="", metavar="A,B", help="facts that are known and show everywhere, such as "
                                                                   "age: what do the others tell beyond them?")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE",
                        help="an option of the data set, as for check-data; may be repeated")
    parser.add_argument("--task", default="grade", help="of the phantom: grade, presence, source, type, segmentation, "
                                                        "ms or survival")
    parser.add_argument("--realism", default="matched", help="of the phantom: matched, classes differ in their signal "
                                                             "alone; or clinical, with the correlations of the clinic")
    parser.add_argument("--all", action="store_true", help="every task of the phantom, on one page")
    parser.add_argument("--only", metavar="A,B", help="with --all: these tasks alone; a page made by the same command "
                                                      "keeps its others")
    parser.add_argument("--n", type=whole(1, 100_000), metavar="N",
                        help=f"phantoms ({SUBJECTS}; with --all {SUBJECTS_ALL} of each task)")
    parser.add_argument("--shape", default="48,56,48", metavar="D,H,W", help="of a phantom; default: 48,56,48")
    parser.add_argument("--groups", metavar="A,B", help="statistics that models are asked about: outside, normalised, "
                                                        "sharpness, border, background, everything (all of them if "
                                                        "left out); none: single factors alone")
    parser.add_argument("--repeats", type=whole(0, 100_000), default=20, help="runs of the models on shuffled labels")
    parser.add_argument("--seed", type=whole(0, LARGEST_SEED), default=0)
    parser.add_argument("--overwrite", action="store_true", help="replace the files of an earlier audit")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=_audit)


def _audit(options: argparse.Namespace) -> int:
    if options.dataset != "phantom":
        return _audit_folder(options)
    if options.root is not None:
        raise UserError("phantoms are made, not read: leave --root out, or name another data set")
    if options.option:
        raise UserError("--option is about a folder of yours: leave it out for phantoms")
    if options.label not in (None, options.task):
        raise UserError(f"a phantom's label comes with its task: write --task {options.label} in place of --label")
    if options.declared or options.given:
        raise UserError("a phantom declares its own signal and what is given: leave --declared and --given out")
    if options.only and not options.all:
        raise UserError("--only is for --all: write --task for one task")
    if options.n is not None and options.n < 12:
        raise UserError(f"--n {options.n}: an audit needs at least 12 phantoms")
    return _audit_all(options) if options.all else _audit_task(options)


def _audit_task(options: argparse.Namespace) -> int:
    from medattn_lite.audit.page import refuse_existing, write_audit
    from medattn_lite.audit.phantoms import audit_phantom
    from medattn_lite.data.phantom import PhantomCohort

    out = options.out or Path("runs/audit") / f"phantom-{options.task}"
    refuse_existing(out, overwrite=options.overwrite)
    cohort = PhantomCohort(options.n or SUBJECTS, task=options.task, realism=options.realism,
                           shape=_shape(options.shape), seed=options.seed)
    audit = audit_phantom(cohort, **_settings(options))
    if cohort.correlated:
        print(f"correlated with {options.task} in this cohort, on purpose: {', '.join(cohort.correlated)}")
    _say(audit.lines, write_audit(audit, out, title=f"What gives {options.task} away? Phantoms",
                                  overwrite=options.overwrite))
    return 0


def _audit_all(options: argparse.Namespace) -> int:
    from medattn_lite.audit.page import read_all, refuse_existing, write_all
    from medattn_lite.audit.phantoms import audit_all
    from medattn_lite.data.phantom import TASKS

    if options.realism != "matched":
        raise UserError("--all is about the matched cohorts: leave --realism out, or name one --task")
    out, n = options.out or ALL_PAGE, options.n or SUBJECTS_ALL
    if out.suffix != ".md":
        raise UserError(f"--out {out}: with --all name a page that ends in .md")
    refuse_existing(out.parent, (out.name, out.with_suffix(".json").name), overwrite=options.overwrite)
    tasks = _names(options.only) or list(TASKS)
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        raise UserError(f"--only {unknown[0]}: no such task; there are {', '.join(TASKS)}")
    command = f"medattn audit phantom --all --n {n}" + (f" --seed {options.seed}" if options.seed else "")
    command += f" --shape {options.shape}" if options.shape != "48,56,48" else ""
    command += f" --repeats {options.repeats}" if options.repeats != 20 else ""
    command += f" --groups {options.groups}" if options.groups else ""
    audits, seconds = read_all(out, command=command) if options.only else ({}, {})
    made, took = audit_all(n=n, tasks=tasks, shape=_shape(options.shape), **_settings(options))
    seconds = {**seconds, **took}
    audits = {task: audit for task in TASKS if (audit := made.get(task, audits.get(task))) is not None}
    lines = [
        f"{task}: {len(audit.leaks)} of {audit.tests} tell the label ({seconds[task]:.0f} s)"
        + "".join(f"\n  {finding.name}: {finding.sentence}" for finding in audit.leaks)
        for task, audit in made.items()
    ]
    _say(lines, write_all(audits, out, command=command, seconds=seconds, overwrite=options.overwrite))
    return 0


def _audit_folder(options: argparse.Namespace) -> int:
    from medattn_lite.audit.opening import open_labelled
    from medattn_lite.audit.page import refuse_existing, write_audit
    from medattn_lite.audit.run import audit_dataset
    from medattn_lite.cli_values import TAKEN, options_of

    if options.all or options.only:
        raise UserError("--all is for the phantom's tasks: leave it out, or write medattn audit phantom --all")
    settings = _settings(options)
    reader_options = options_of(options.option, "--option", "csv=table.csv", taken=TAKEN)
    opened = open_labelled(options.dataset, options.root, options.label, **reader_options)
    out = options.out or Path("runs/audit") / f"{options.dataset}-{opened.label}"
    refuse_existing(out, overwrite=options.overwrite)
    declared = _names(options.declared)
    audit = audit_dataset(**vars(opened), declared=declared, given=_names(options.given), **settings)
    known = {finding.name for finding in audit.findings} | set(audit.constant)
    unknown = [name for name in declared if name not in known]
    if unknown:
        raise UserError(f"--declared {unknown[0]}: no such fact; there are {', '.join(sorted(known))}")
    title = f"What gives {opened.label} away? {options.dataset}"
    _say([*audit.notes, *audit.lines], write_audit(audit, out, title=title, overwrite=options.overwrite))
    return 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    from medattn_lite.audit.run import EVERY_GROUP, check_settings

    words = _names(options.groups)
    groups = () if words == ["none"] else words or EVERY_GROUP
    check_settings(options.repeats, groups)
    return {"groups": groups, "repeats": options.repeats, "seed": options.seed, "progress": not options.quiet}


def _names(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _shape(word: str) -> tuple[int, ...]:
    parts = word.replace("x", ",").split(",")
    if len(parts) != 3 or not all(re.fullmatch("[0-9]{1,9}", part.strip()) and int(part) >= 16 for part in parts):
        raise UserError(f"--shape {word}: give three sizes of 16 or more, such as 48,56,48")
    return tuple(int(part) for part in parts)


def _say(lines: list[str], files: list[Path]) -> None:
    print("\n".join(lines))
    print("written: " + ", ".join(str(path) for path in files))
