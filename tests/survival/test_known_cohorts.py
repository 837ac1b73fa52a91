"""The data sets inside scikit-survival: our functions give the values its documentation and the textbooks print.

Veterans' lung cancer (Kalbfleisch & Prentice 1980), GBSG2 (Schumacher et al. 1994) and WHAS500 (Hosmer, Lemeshow & May
2008). Documented: user guide "Introduction to Survival Analysis", docstrings of `brier_score` and
`integrated_brier_score`; by R's survival package: the log-rank tests and Cox's weights with Efron's ties.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medattn_lite.survival.c_index_intervals import c_index
from medattn_lite.survival.calibration import calibration_slope
from medattn_lite.survival.concordance import harrell_c, pair_counts
from medattn_lite.survival.follow_up import FollowUp
from medattn_lite.survival.kaplan_meier_curves import kaplan_meier, log_rank
from medattn_lite.survival.losses import cox_loss
from medattn_lite.survival.scores import brier, integrated_brier
from medattn_lite.survival.uno_concordance import c_index_ipcw


def encoded(values):
    from sksurv.preprocessing import OneHotEncoder

    return OneHotEncoder().fit_transform(values)


@pytest.fixture(scope="module")
def veterans():
    from sksurv.datasets import load_veterans_lung_cancer

    values, outcome = load_veterans_lung_cancer()
    return values, FollowUp(outcome["Survival_in_days"], outcome["Status"])


@pytest.fixture(scope="module")
def gbsg2():
    from sksurv.datasets import load_gbsg2
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    values, outcome = load_gbsg2()
    values["tgrade"] = values["tgrade"].map(len).astype(int)  # I, II, III
    numbers = encoded(values)
    model = CoxPHSurvivalAnalysis(ties="efron").fit(numbers, outcome)
    return values, FollowUp(outcome["time"], outcome["cens"]), model.predict_survival_function(numbers)


def test_the_users_guides_c_indices_of_the_veterans(veterans):
    values, patients = veterans
    numbers = encoded(values)
    from sksurv.linear_model import CoxPHSurvivalAnalysis

    def risk(columns):
        return CoxPHSurvivalAnalysis().fit(numbers[columns], patients.records()).predict(numbers[columns])

    everything = risk(list(numbers))
    assert c_index(patients, everything, n=2).value == pytest.approx(0.7362562471603816)
    pairs = pair_counts(patients.event, patients.time, everything)  # each pair twice, with either patient
    concordant, tied, comparable = (part.sum() / 2 for part in (pairs.concordant, pairs.tied, pairs.comparable))
    assert (concordant, comparable - concordant - tied, tied) == (6482, 2322, 0)
    alone = {"Karnofsky_score": 0.709280, "Celltype=smallcell": 0.572581, "Treatment=test": 0.525386,
             "Prior_therapy=yes": 0.494434}  # fmt: skip
    for column, expected in alone.items():
        assert harrell_c(patients.event, patients.time, risk([column])) == pytest.approx(expected, abs=1e-6)


def test_our_cox_loss_is_flat_at_rs_weights_for_the_veterans(veterans):
    values, patients = veterans
    numbers = encoded(values)
    printed = {"Age_in_years": -0.008706, "Celltype=large": -0.794775, "Celltype=smallcell": -0.334506,
               "Celltype=squamous": -1.196066, "Karnofsky_score": -0.032815, "Months_from_Diagnosis": 0.000081,
               "Prior_therapy=yes": 0.071594, "Treatment=test": 0.294603}  # fmt: skip
    scale = torch.tensor(numbers.to_numpy(dtype=float)).std(dim=0)
    weights = (torch.tensor([printed[column] for column in numbers]) * scale).double().requires_grad_()
    columns = torch.tensor(numbers.to_numpy(dtype=float)) / scale
    time, event = torch.tensor(patients.time.tolist()), torch.tensor(patients.event.tolist())
    cox_loss(columns @ weights, time, event).backward()
    assert weights.grad.abs().max() < 2e-4  # printed with six digits
    breslow = cox_loss(columns @ weights.detach(), time, event, ties="breslow")
    assert cox_loss(columns @ weights.detach(), time, event) < breslow  # ties matter here


def test_the_log_rank_test_of_the_veterans_cell_types_is_rs(veterans):
    values, patients = veterans
    result = log_rank(patients, values["Celltype"].to_numpy())
    assert result.chi_squared == pytest.approx(25.4037003457854)
    assert result.p_value == pytest.approx(1.27124593900609e-05)
    assert result.observed == {"adeno": 26, "large": 26, "smallcell": 45, "squamous": 31}
    assert list(result.expected.values()) == pytest.approx([15.6937646, 34.5494784, 30.1020793, 47.6546777])


def test_the_veterans_curve_is_the_share_alive_until_somebody_leaves(veterans):
    _, patients = veterans
    curve = kaplan_meier(patients)
    left = patients.time[~patients.event].min()
    day = curve.times[curve.times < left][-1]
    assert curve.at([day])[0] == pytest.approx((patients.time > day).mean())
    assert curve.censored.sum() == (~patients.event).sum() == 9 and curve.deaths.sum() == 128
    assert curve.median == 80  # R: survfit(Surv(time, status) ~ 1, veteran)


def test_brier_scores_of_gbsg2_are_those_of_the_docstrings(gbsg2):
    _, patients, curves = gbsg2
    assert brier(patients, np.array([curve(1825) for curve in curves]), [1825])[0] == pytest.approx(0.20881843)
    days = np.arange(365, 1826)
    survival = np.array([curve(days) for curve in curves])
    assert integrated_brier(patients, survival, days) == pytest.approx(0.1816, abs=5e-5)


def test_hormones_in_gbsg2_lengthen_survival_by_the_printed_test(gbsg2):
    values, patients, _ = gbsg2
    treated = values["horTh"].to_numpy()
    result = log_rank(patients, treated)
    assert (result.chi_squared, result.p_value) == pytest.approx((8.5648, 0.003427), rel=1e-3)
    assert result.observed == {"no": 205, "yes": 94}
    medians = {name: kaplan_meier(FollowUp(patients.time[treated == name], patients.event[treated == name])).median
               for name in ("no", "yes")}  # fmt: skip
    assert medians == {"no": 1528, "yes": 2018}


def test_coxs_model_is_calibrated_on_the_patients_it_was_fitted_to(gbsg2):
    _, patients, curves = gbsg2
    survival = np.array([curve(1825) for curve in curves])
    assert calibration_slope(patients, survival, patients.time.max(), n=0).value == pytest.approx(1, abs=1e-6)


def test_women_of_whas500_die_earlier_by_the_textbooks_test():
    from sksurv.datasets import load_whas500

    values, outcome = load_whas500()
    patients = FollowUp(outcome["lenfol"], outcome["fstat"])
    assert (len(patients.time), int(patients.event.sum())) == (500, 215)
    result = log_rank(patients, values["gender"].to_numpy(dtype=str))
    assert result.chi_squared == pytest.approx(7.79, abs=0.005) and result.p_value == pytest.approx(0.0053, abs=5e-5)
    # Counted without scikit-survival: over all pairs, the age of who died first against the other's.
    age, time, event = values["age"].to_numpy(dtype=float), patients.time, patients.event
    first = event[:, None] & ((time[:, None] < time) | ((time[:, None] == time) & ~event))
    higher, same = age[:, None] > age, age[:, None] == age
    pairs = pair_counts(event, time, age)
    assert (pairs.concordant.sum() / 2, pairs.tied.sum() / 2) == ((first & higher).sum(), (first & same).sum())
    assert pairs.comparable.sum() / 2 == first.sum()
    assert c_index_ipcw(patients, age, n=0, until=1825).value != pytest.approx(pairs.c_index, abs=1e-3)
