"""How far tables tell survival, without an image network: Cox's model cross-validated, and Kaplan–Meier by group.

    medattn study cox-tables --ucsf CSV --tcga CSV --out DIR      writes DIR/metrics.json

Five folds by patient, with deaths spread evenly, are drawn several times. Whatever is learned (what stands for a
missing value, the scale of a feature, the penalty of the radiomics) is learned on a fold's training patients; the
penalty by folds within them. Only patients of one fold are compared with each other. The intervals are
over patients, not over trainings: they say how sure these predictions' C-index is.

As a control, the whole is repeated with shuffled outcomes, several times: the mean C-index must lie near
0.5, or something of the test patients was known in training.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from medattn_lite.data.json_files import write_json
from medattn_lite.data.patient_splits import stratified_kfold
from medattn_lite.errors import UserError
from medattn_lite.evaluation.estimates import difference_of, interval_of
from medattn_lite.evaluation.intervals import Interval, percentile_interval
from medattn_lite.optional import optional
from medattn_lite.survival.c_index_intervals import PAIRS, pair_estimate
from medattn_lite.survival.concordance import pair_counts
from medattn_lite.survival.cox_model import CLINICAL_PENALTY, CoxModel
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier, log_rank
from medattn_lite.survival.patient_tables import GLIOBLASTOMA, PatientTable, read_tcga, read_ucsf

FOLDS = 5


def out_of_fold(
    table: PatientTable, parts: Sequence[str], *, repeats: int, seed: int, show: bool
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Each patient's pairs in its test fold, added up over the repeats: (N,) agreeing and comparable, and penalties."""
    values, is_image = table.matrix(parts)
    agreeing, comparable = np.zeros(len(table.time)), np.zeros(len(table.time))
    penalties: list[float] = []
    for repeat in tqdm(range(repeats), desc=" + ".join(parts)[:40], disable=not show, leave=False):
        risk, fold = np.zeros(len(table.time)), np.zeros(len(table.time), dtype=int)
        splits = stratified_kfold(table.subjects, table.event.tolist(), FOLDS, seed + repeat, repeats="error")
        for number, split in enumerate(splits):
            train, test = split.rows("train", table.subjects), split.rows("test", table.subjects)
            model = CoxModel(is_image, seed + repeat).fit(values[train], table.time[train], table.event[train])
            risk[test], fold[test] = model.predict(values[test]), number
            penalties.append(model.penalty if is_image.any() else CLINICAL_PENALTY)
        counts = pair_counts(table.event, table.time, risk, tolerance=0.0, within=fold)
        agreeing, comparable = agreeing + counts.agreeing, comparable + counts.comparable
    return agreeing, comparable, penalties


def analyse(
    table: PatientTable, *, repeats: int = 5, shuffles: int = 10, draws: int = 1000, seed: int = 0, show: bool = True
) -> dict[str, Any]:
    """C-index of each set with its interval, paired differences, the shuffled control, hazard ratios, Kaplan–Meier."""
    pair_totals = {
        name: out_of_fold(table, parts, repeats=repeats, seed=seed, show=show) for name, parts in table.sets.items()
    }
    estimates = {name: pair_estimate(agreeing, comparable, table.event, table.subjects)
                 for name, (agreeing, comparable, _) in pair_totals.items()}  # fmt: skip
    c_index = {name: interval_of(estimate, "C-index", method=PAIRS) for name, estimate in estimates.items()}
    differences = {
        (first, second): difference_of(estimates[first], estimates[second], "difference of C-indices",
                                       method=f"square-and-add of {PAIRS}")
        for first, second in table.comparisons
    }  # fmt: skip

    return {
        "patients": len(table.time), "deaths": int(table.event.sum()), "left_out": dict(table.left_out),
        "median_follow_up_days": kaplan_meier(FollowUp(table.time, ~table.event)).median,
        "missing": {name: int(np.isnan(column).sum()) for name, column in table.values.items()
                    if np.isnan(column).any()},
        "c_index": {name: {"columns": table.matrix(parts)[0].shape[1], "penalties": _counts(pair_totals[name][2]),
                           "C-index": c_index[name].as_dict()} for name, parts in table.sets.items()},
        "differences": [{"first": first, "second": second, "C-index": interval.as_dict()}
                        for (first, second), interval in differences.items()],
        "shuffled_outcomes": shuffled_outcomes(table, shuffles=shuffles, seed=seed, show=show),
        "hazard_ratios": hazard_ratios(table, draws=min(draws, 200), seed=seed),
        "kaplan_meier": {name: kaplan_meier_by(table, groups) for name, groups in table.groups.items()
                         if len(set(groups[groups != ""])) > 1},
    }  # fmt: skip


def shuffled_outcomes(table: PatientTable, *, shuffles: int, seed: int, show: bool) -> dict[str, Any]:
    """C-index of the widest set with shuffled outcomes, several times; one alone strays by some 0.04."""
    widest = max(table.sets, key=lambda name: table.matrix(table.sets[name])[0].shape[1])
    c_indices = []
    for shuffle in range(shuffles):
        order = np.random.default_rng([seed, shuffle]).permutation(len(table.time))
        mixed = replace(table, time=table.time[order], event=table.event[order])
        agreeing, comparable, _ = out_of_fold(mixed, table.sets[widest], repeats=1, seed=seed + shuffle, show=show)
        c_indices.append(float(agreeing.sum() / comparable.sum()))
    spread = float(np.std(c_indices, ddof=1)) if shuffles > 1 else float("nan")
    return {"set": widest, "shuffles": shuffles, "mean": float(np.mean(c_indices)), "sd": spread}


def hazard_ratios(table: PatientTable, *, draws: int, seed: int) -> dict[str, Any]:
    """exp(weight) of every clinical value in one model of all patients, with intervals by patient."""
    optional("sksurv")
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    names = list(dict.fromkeys(part for parts in table.sets.values() for part in parts if part in table.values))
    values = np.column_stack([table.values[name] for name in names])
    values = np.where(np.isnan(values), np.nanmean(values, axis=0), values)

    def ratios(rows: np.ndarray) -> np.ndarray:
        outcome = Surv.from_arrays(table.event[rows], table.time[rows])
        return np.exp(CoxPHSurvivalAnalysis(alpha=0.1, ties="efron").fit(values[rows], outcome).coef_)

    rng = np.random.default_rng(seed)
    drawn = np.array([ratios(rng.integers(0, len(values), len(values))) for _ in range(draws)])
    whole = ratios(np.arange(len(values)))
    return {name: percentile_interval(float(whole[k]), drawn[:, k], units=len(values)).as_dict()
            for k, name in enumerate(names)}


def kaplan_meier_by(table: PatientTable, groups: np.ndarray) -> dict[str, Any]:
    """Median survival of each group with its 95 % interval, and the log-rank test between them."""
    known = groups != ""
    report: dict[str, Any] = {"unknown": int((~known).sum()), "groups": {}}
    for name in np.unique(groups[known]).tolist():
        in_group = groups == name
        curve = kaplan_meier(FollowUp(table.time[in_group], table.event[in_group]))
        ends = [curve.times[np.nan_to_num(end, nan=0.0) <= 0.5] for end in (curve.low, curve.high)]
        low, high = (float(end[0]) if len(end) else float("inf") for end in ends)
        report["groups"][name] = {
            "patients": int(in_group.sum()), "deaths": int(table.event[in_group].sum()),
            "median_days": {"value": curve.median, "low": low, "high": high},
        }  # fmt: skip
    try:
        test = log_rank(FollowUp(table.time[known], table.event[known]), groups[known])
        report["log_rank"] = {"chi_squared": test.chi_squared, "p_value": test.p_value}
    except UserError as error:
        report["log_rank"] = {"chi_squared": None, "p_value": None, "why": str(error)}
    return report


def _counts(values: Sequence[float]) -> dict[str, int]:
    return {f"{value:g}": values.count(value) for value in sorted(set(values))}


def main(words: Sequence[str] | None = None) -> None:
    """Reads the tables that are named and writes `metrics.json`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ucsf", type=Path, metavar="CSV", help="UCSF-PDGM with radiomics")
    parser.add_argument("--tcga", type=Path, metavar="CSV", help="TCGA clinical data resource, LGG and GBM")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--repeats", type=int, default=5, help="how often the five folds are drawn anew")
    parser.add_argument("--shuffles", type=int, default=10, help="how often outcomes are shuffled")
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap of the hazard ratios")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(words)
    tables = []
    try:
        if options.ucsf is not None:
            tables.append(ucsf := read_ucsf(options.ucsf))
            alone = ucsf.groups["diagnosis"] == "Glioblastoma, IDH-wildtype"
            tables.append(ucsf.only(f"UCSF-PDGM, {GLIOBLASTOMA}", alone, "another diagnosis"))
        if options.tcga is not None:
            tables.append(tcga := read_tcga(options.tcga))
            tables.append(tcga.only("TCGA, lower grade", tcga.groups["type"] == "LGG", "glioblastoma"))
    except UserError as error:
        parser.error(str(error))
    if not tables:
        parser.error("nothing to read: name a table with --ucsf or --tcga")
    chosen = {"repeats": options.repeats, "shuffles": options.shuffles, "draws": options.draws, "seed": options.seed}
    results = {table.name: analyse(table, **chosen) for table in tables}
    write_json(options.out / "metrics.json", {
        "what": "Cox's model of tables, cross-validated by patient", "folds": FOLDS, **chosen,
        "compared": "patients of one test fold", "tables": results,
    })  # fmt: skip
    for name, table in results.items():
        print(f"{name}: {table['patients']} patients, {table['deaths']} deaths")
        for part, scores in table["c_index"].items():
            print(f"  {part}: C-index {Interval.from_dict(scores['C-index']).text()}")
        for pair in table["differences"]:
            print(f"  {pair['first']} minus {pair['second']}: {Interval.from_dict(pair['C-index']).text()}")
        control = table["shuffled_outcomes"]
        print(f"  {control['set']}, outcomes shuffled: mean C-index {control['mean']:.3f}, sd {control['sd']:.3f}")


if __name__ == "__main__":
    main()
