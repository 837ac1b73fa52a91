"""The audit itself: every single factor, then models on groups of statistics, one correction over all of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from medattn_lite.audit.covariates import adjusted, given_columns
from medattn_lite.audit.measuring import Measured, measure
from medattn_lite.audit.models import CATEGORY_REPEATS, boosting, category_rates, linear, p_value, tested
from medattn_lite.audit.regions import MARGIN_MM
from medattn_lite.audit.statistics import GROUPS, IN_WORDS
from medattn_lite.audit.target import Target
from medattn_lite.audit.verdicts import CHANCE, DECLARED, GIVEN, NOT_SCORED, TELLS, Finding, corrected
from medattn_lite.data.dataset import Samples
from medattn_lite.errors import UserError

REPEATS = 20
EVERY_GROUP = (*GROUPS, "everything")
MODELS = {"logistic regression": linear, "gradient boosting": boosting}
BINS = 5  # of a number, where there are more than two classes
FEWEST = 12  # patients who must have a fact for it to be scored


@dataclass
class Audit:
    """The result of `audit_dataset`.

    Attributes:
        label: what was asked for.
        classes: its classes with their numbers of patients; for survival "deaths" and "patients".
        findings: factors, declared signal and models.
        constant: facts that are the same in every case.
        notes: what a reader must know about the data.
        settings: number of repeats, margin and seed, and what was taken as given.
    """

    label: str
    classes: dict[str, int]
    findings: list[Finding]
    constant: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def by_verdict(self, verdict: str) -> list[Finding]:
        """The findings of a verdict, the strongest first."""
        findings = [finding for finding in self.findings if finding.verdict == verdict]
        return sorted(findings, key=lambda finding: -finding.value if np.isfinite(finding.value) else 0.0)

    @property
    def leaks(self) -> list[Finding]:
        """What tells the label though it is not declared as its signal."""
        return self.by_verdict(TELLS)

    @property
    def lines(self) -> list[str]:
        """One line for each factor and model, what tells the label first."""
        ordered = [
            finding for verdict in (TELLS, DECLARED, GIVEN, CHANCE, NOT_SCORED) for finding in self.by_verdict(verdict)
        ]
        return [f"{finding.name}: {finding.sentence}" for finding in ordered]

    @property
    def tests(self) -> int:
        """How many comparisons Holm's correction is for."""
        return max((finding.tests for finding in self.findings), default=0)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def audit_dataset(
    dataset: Samples,
    *,
    label: str = "label",
    column: str | None = None,
    classes: Sequence[str] | None = None,
    declared: Collection[str] = (),
    given: Collection[str] = (),
    repeats: int = REPEATS,
    groups: Sequence[str] = EVERY_GROUP,
    margin_mm: float = MARGIN_MM,
    seed: int = 0,
    progress: bool = True,
) -> Audit:
    """Asks what gives the label away.

    Args:
        dataset: samples (`image`, `label`, perhaps `mask`, `meta`): a `PatientDataset`, a `PhantomCohort` or a list.
        label: "survival", or a name for what the labels say.
        column: of the cases' `meta` that holds the label; None takes the samples' own.
        classes: names of the classes 0, 1, …, where the data set does not give them.
        declared: facts that are the signal of the task; they are shown and are no leak.
        given: facts that are known and show everywhere, such as age: the others are asked what they tell beyond them.
        repeats: how often the models are run again on shuffled labels; at least 3.
        groups: of statistics that models are asked about, of `EVERY_GROUP`; empty for single factors alone.
        margin_mm: distance from the lesion at which tissue counts as outside.
        seed: of folds, dealing and intervals.
        progress: show bars.

    Raises:
        UserError: too few patients, classes or deaths, too few repeats, or a given fact that is not there.
    """
    check_settings(repeats, groups)
    measured = measure(dataset, label=label, column=column, classes=classes, margin_mm=margin_mm, progress=progress)
    return audit_measured(measured, declared=declared, given=given, repeats=repeats, groups=groups, seed=seed,
                          margin_mm=margin_mm, progress=progress)


def audit_measured(
    measured: Measured, *, declared: Collection[str] = (), given: Collection[str] = (), repeats: int = REPEATS,
    groups: Sequence[str] = EVERY_GROUP, seed: int = 0, margin_mm: float = MARGIN_MM, progress: bool = True,
) -> Audit:  # fmt: skip
    """Audits what `measure` read; arguments as in `audit_dataset`."""
    check_settings(repeats, groups)
    columns = given_columns([row.facts for row in measured.rows], given)
    findings, constant = [], []
    for name in dict.fromkeys(name for row in measured.rows for name in row.facts):
        kind = DECLARED if name in declared else GIVEN if name in given else "factor"
        if len({row.facts[name] for row in measured.rows if name in row.facts}) < 2:
            constant.append(name)
        else:
            findings.append(_factor(measured, name, kind, columns if kind == "factor" else None, seed))
    findings += _models(measured, groups, columns, repeats, seed, progress)
    findings = [
        replace(finding, given=tuple(given)) if finding.kind in ("factor", "model") else finding for finding in findings
    ]
    target = measured.target()
    classes = {name: int((target.labels == at).sum()) for at, name in enumerate(measured.classes)}
    if target.time is not None:
        classes = {"deaths": int(target.labels.sum()), "patients": len(target.labels)}
    settings = {"repeats": repeats, "margin_mm": margin_mm, "seed": seed, "scans": measured.scans,
                "given": list(given)}
    return Audit(measured.name, classes, corrected(findings), constant, measured.notes, settings)


def check_settings(repeats: int, groups: Sequence[str]) -> None:
    """Refuses too few repeats and unknown groups before anything is read.

    Raises:
        UserError: one of the two.
    """
    unknown = [group for group in groups if group not in EVERY_GROUP]
    if unknown:
        raise UserError(f"no group of statistics {unknown[0]!r}: choose of {', '.join(EVERY_GROUP)}")
    if repeats < 3:
        raise UserError(f"{repeats} repeats on shuffled labels give no null distribution: take at least 3")


def _factor(measured: Measured, name: str, kind: str, columns: np.ndarray | None, seed: int) -> Finding:
    known = [at for at, row in enumerate(measured.rows) if name in row.facts]
    values = [measured.rows[at].facts[name] for at in known]
    empty = Finding(name, kind, measured.name, n=len(known))
    if len(known) < FEWEST:
        return _not_scored(empty, f"known of {len(known)} patients only")
    try:
        target = measured.target(known)
    except UserError:
        return _not_scored(empty, "it is known of too few patients of one class" if measured.classes else
                       "it is known of too few patients who died")
    adjust_for = None if columns is None else columns[known]
    words = any(isinstance(value, str) for value in values)
    if words:
        codes = np.unique([str(value) for value in values], return_inverse=True)[1]
        if codes.max() + 1 > len(known) / 3:
            return _not_scored(empty, "nearly every patient has a word of his own")
    elif len(measured.classes) > 2:
        codes = _binned(adjusted(np.array(values, dtype=float), adjust_for))
    if words or len(measured.classes) > 2:
        patients = np.array([measured.rows[at].subject for at in known])
        scores, null = tested(category_rates, codes[:, None], target, patients, repeats=CATEGORY_REPEATS, seed=seed,
                              raw=True, given=adjust_for if words else None)
        return _cross_validated(empty, target, scores, null, seed)
    return _number(empty, target, adjusted(np.array(values, dtype=float), adjust_for), seed)


def _number(empty: Finding, target: Target, values: np.ndarray, seed: int) -> Finding:
    """A number as it is, turned so that the score is at least one half."""
    turned = target.score(values) < 0.5
    scores = -values if turned else values
    interval = target.interval(scores, seed=seed)
    if target.time is None:
        from scipy.stats import mannwhitneyu

        positive = target.labels == 1
        p = float(mannwhitneyu(values[positive], values[~positive], method="asymptotic").pvalue)
        direction = f"{'lower' if turned else 'higher'} in {target.classes[1]}"
    else:
        generator = np.random.default_rng(seed)
        null = np.array([target.take(generator.permutation(len(values))).score(scores)
                         for _ in range(CATEGORY_REPEATS)])
        p = min(1.0, 2 * p_value(interval.value, null))
        direction = f"{'lower' if turned else 'higher'} in those who die early"
    return _with(empty, target, interval, p=p, direction=direction)


def _models(
    measured: Measured, groups: Sequence[str], columns: np.ndarray | None, repeats: int, seed: int, progress: bool
) -> list[Finding]:
    from tqdm.auto import tqdm

    combinations = [(group, model) for group in groups for model in MODELS]
    findings = []
    for group, model in tqdm(combinations, desc="models", disable=not progress, leave=False):
        used, numbers = measured.numbers(group)
        called = model if measured.classes or model != "logistic regression" else "ridge regression"
        empty = Finding(f"{IN_WORDS[group]} ({called})", "model", measured.name, n=len(used))
        numbers = adjusted(numbers, None if columns is None else columns[used])
        numbers = numbers[:, [len(set(column[np.isfinite(column)])) > 1 for column in numbers.T]]
        try:
            target = measured.target(used)
        except UserError:
            findings.append(_not_scored(empty, "too few patients of one class have all channels"))
            continue
        if not numbers.shape[1]:
            findings.append(_not_scored(empty, "the numbers are the same in every case"))
            continue
        patients = np.array([measured.rows[at].subject for at in used])
        scores, null = tested(MODELS[model], numbers, target, patients, repeats=repeats, seed=seed)
        findings.append(_cross_validated(empty, target, scores, null, seed))
    return findings


def _cross_validated(empty: Finding, target: Target, scores: np.ndarray, null: np.ndarray, seed: int) -> Finding:
    interval = target.interval(scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores, seed=seed)
    return _with(empty, target, interval, p=p_value(interval.value, null),
                 null=(float(null.mean()), float(null.std(ddof=1))))


def _with(empty: Finding, target: Target, interval: Any, **facts: Any) -> Finding:
    return replace(empty, measure=target.measure, value=interval.value, low=interval.low, high=interval.high, **facts)


def _not_scored(empty: Finding, why: str) -> Finding:
    return replace(empty, why=why)


def _binned(values: np.ndarray) -> np.ndarray:
    """Fifths of a number: with several classes, more and less do not say which class is meant."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(edges, values, side="right")
