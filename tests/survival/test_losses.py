"""Losses of survival against formulas, scikit-survival and degenerate batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from medattn_lite.errors import UserError
from medattn_lite.survival import losses
from medattn_lite.survival.heads import official_log_probabilities
from medattn_lite.survival.losses import cox_loss, discrete_time_nll, logistic_hazard_nll
from medattn_lite.survival.time_intervals import interval_breaks, interval_labels
from tests.benchmarks.survival_peers import cox_loss_of_pairs


def cohort(patients: int, *, tied: bool, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(patients, 2))
    time = rng.exponential(np.exp(-values @ [0.8, -0.5]))
    time = np.ceil(time * 4) if tied else time
    return torch.from_numpy(values), torch.from_numpy(time), torch.from_numpy(rng.random(patients) < 0.7)


def test_the_discrete_loss_equals_nnet_survivals_formula():
    _, time, event = cohort(40, tied=False)
    survived, died = interval_labels(time * 500, event, interval_breaks())
    outputs = torch.randn(40, 19, dtype=torch.float64)
    hazards = outputs.sigmoid()
    survive = 1 - hazards
    # surv_likelihood of nnet_survival.py: factors of 1 where the label says nothing
    likelihood = torch.log(1 + survived * (survive - 1)) + torch.log(1 - died * survive)
    expected = -likelihood.sum(dim=1).mean()
    torch.testing.assert_close(logistic_hazard_nll(outputs, survived, died), expected)
    torch.testing.assert_close(discrete_time_nll(survive.log(), hazards.log(), survived, died), expected)


def test_the_logistic_loss_of_a_death_is_the_cross_entropy_of_the_intervals_it_lived_in():
    outputs = torch.randn(1, 5)
    survived, died = torch.tensor([[1.0, 1, 0, 0, 0]]), torch.tensor([[0.0, 0, 1, 0, 0]])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(outputs[:, :3], died[:, :3], reduction="sum")
    torch.testing.assert_close(logistic_hazard_nll(outputs, survived, died), expected)


def test_the_official_head_pays_at_least_one_minus_1_over_e_for_a_death():
    survived, died = torch.zeros(1, 1), torch.ones(1, 1)
    outputs = torch.tensor([[60.0]])
    assert logistic_hazard_nll(outputs, survived, died) < 1e-6
    paid = discrete_time_nll(*official_log_probabilities(outputs), survived, died)
    assert paid.item() == pytest.approx(-math.log(1 - 1 / math.e), rel=1e-5)


def test_without_an_image_the_best_hazards_are_deaths_over_those_at_risk():
    _, time, event = cohort(200, tied=False)
    survived, died = interval_labels(time * 500, event, interval_breaks(intervals=6))
    best = died.sum(0) / (died + survived).sum(0)
    outputs = torch.logit(best.double()).expand(200, 6).clone().requires_grad_()
    logistic_hazard_nll(outputs, survived, died).backward()
    torch.testing.assert_close(outputs.grad.sum(0), torch.zeros(6, dtype=torch.float64), atol=1e-7, rtol=0)


def test_impossible_outcomes_cost_infinity_and_silent_intervals_nothing():
    log_survive, log_die = torch.tensor([[0.0, -math.inf]]), torch.tensor([[-math.inf, 0.0]])
    first = torch.tensor([[1.0, 0.0]])
    assert discrete_time_nll(log_survive, log_die, first, 1 - first) == 0
    assert discrete_time_nll(log_survive, log_die, 1 - first, first) == math.inf


def test_extreme_outputs_have_finite_loss_and_gradient():
    outputs = torch.tensor([[1e4, -1e4]], requires_grad=True)
    loss = logistic_hazard_nll(outputs, torch.ones(1, 2), torch.zeros(1, 2))
    loss.backward()
    assert loss.item() == pytest.approx(1e4)
    torch.testing.assert_close(outputs.grad, torch.tensor([[1.0, 0.0]]))


def test_a_wrong_number_of_intervals_is_explained():
    with pytest.raises(UserError, match="as many intervals as the head has"):
        logistic_hazard_nll(torch.zeros(2, 19), torch.zeros(2, 1), torch.zeros(2, 1))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_without_ties_equals_the_sum_written_out(ties):
    log_risk = torch.tensor([0.5, -1.0, 0.2, 1.5])
    time, event = torch.tensor([3.0, 1.0, 4.0, 2.0]), torch.tensor([True, True, False, True])
    e = log_risk.exp()
    terms = [
        log_risk[1] - torch.log(e[1] + e[3] + e[0] + e[2]),  # day 1: all at risk
        log_risk[3] - torch.log(e[3] + e[0] + e[2]),
        log_risk[0] - torch.log(e[0] + e[2]),  # the censored patient is still at risk
    ]
    torch.testing.assert_close(cox_loss(log_risk, time, event, ties=ties), -sum(terms) / 3)


def test_cox_with_ties_equals_efron_and_breslow_written_out():
    log_risk = torch.tensor([0.3, -0.4, 1.0, 0.0], dtype=torch.float64)
    # Two die on day 2 while a third leaves on that day and is still at risk; the last lives on.
    time, event = torch.tensor([2.0, 2.0, 2.0, 5.0]), torch.tensor([True, True, False, False])
    e = log_risk.exp()
    total, tied = e.sum(), e[0] + e[1]
    breslow = (2 * total.log() - log_risk[:2].sum()) / 2
    efron = (total.log() + (total - tied / 2).log() - log_risk[:2].sum()) / 2
    torch.testing.assert_close(cox_loss(log_risk, time, event, ties="breslow"), breslow)
    torch.testing.assert_close(cox_loss(log_risk, time, event), efron)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("patients, spread", [(2, 1.0), (9, 1.0), (150, 1.0), (150, 40.0)])
def test_cox_by_sorting_is_that_of_every_patient_beside_every_other(ties, patients, spread):
    for seed in range(6):
        values, time, event = cohort(patients, tied=bool(seed % 2), seed=seed)
        if not event.any():
            continue
        both = [(spread * values[:, 0]).clone().requires_grad_() for _ in range(2)]
        losses = [loss(x, time, event, ties=ties) for loss, x in zip((cox_loss, cox_loss_of_pairs), both, strict=True)]
        gradients = [torch.autograd.grad(loss, x)[0] for loss, x in zip(losses, both, strict=True)]
        torch.testing.assert_close(*losses, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-12)


def test_cox_of_twenty_thousand_patients_keeps_its_digits_in_float32():
    values, time, event = cohort(20_000, tied=True)
    wide = cox_loss(values[:, 0], time, event)
    narrow = cox_loss(values[:, 0].float(), time.float(), event)
    assert narrow.dtype == torch.float32
    assert narrow.item() == pytest.approx(wide.item(), rel=3e-7)


@pytest.mark.parametrize("spread", [1.0, 270.0, 290.0, 5000.0])  # both ways to it, near and far from where they part
@pytest.mark.parametrize("rising", [False, True])
def test_the_running_sum_and_its_gradient_keep_their_digits_at_any_spread(spread, rising):
    risk = (spread * torch.linspace(0, 1, 50, dtype=torch.float64)).requires_grad_()
    risk_in_order = risk if rising else risk.flip(0)
    sums, expected = losses._running_log_sum(risk_in_order), risk_in_order.logcumsumexp(0)
    torch.testing.assert_close(sums, expected, rtol=1e-13, atol=1e-13)
    weights = torch.linspace(1, 2, 50, dtype=torch.float64)
    ours, theirs = (torch.autograd.grad((one * weights).sum(), risk)[0] for one in (sums, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-13)


def test_a_patient_far_above_all_others_hides_nobody_in_the_running_sum():
    log_risk = torch.tensor([0.0, 1.0, 900.0], dtype=torch.float64)  # who dies first has by far the highest risk
    loss = cox_loss(log_risk, torch.tensor([3.0, 2.0, 1.0]), torch.tensor([True, True, True]))
    assert loss.item() == pytest.approx(math.log1p(math.exp(-1)) / 3)


@pytest.mark.parametrize("ties, tied", [("efron", True), ("breslow", True), ("efron", False), ("breslow", False)])
def test_scikit_survivals_cox_model_is_where_the_loss_is_flat(ties, tied):
    from sksurv.linear_model import CoxPHSurvivalAnalysis
    from sksurv.util import Surv

    values, time, event = cohort(120, tied=tied)
    model = CoxPHSurvivalAnalysis(ties=ties, tol=1e-12).fit(values.numpy(), Surv.from_arrays(event, time))
    weights = torch.from_numpy(model.coef_).requires_grad_()
    cox_loss(values @ weights, time, event, ties=ties).backward()
    torch.testing.assert_close(weights.grad, torch.zeros_like(weights), atol=1e-6, rtol=0)
    elsewhere = (weights.detach() + 0.3).requires_grad_()
    cox_loss(values @ elsewhere, time, event, ties=ties).backward()
    assert elsewhere.grad.abs().max() > 1e-2


def test_the_order_of_patients_and_a_constant_change_nothing():
    values, time, event = cohort(50, tied=True)
    log_risk = values[:, 0]
    order = torch.randperm(50)
    loss = cox_loss(log_risk, time, event)
    torch.testing.assert_close(cox_loss(log_risk[order], time[order], event[order]), loss)
    torch.testing.assert_close(cox_loss(log_risk + 700, time, event), loss)
    torch.testing.assert_close(cox_loss(log_risk.unsqueeze(1), time, event), loss)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_gradients_of_cox_are_right_with_ties(ties):
    values, time, event = cohort(12, tied=True)
    log_risk = values[:, 0].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cox_loss(x, time, event, ties=ties), log_risk)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_batch_without_a_death_costs_nothing_and_still_goes_backward(ties):
    log_risk = torch.randn(4, requires_grad=True)
    loss = cox_loss(log_risk, torch.arange(4.0), torch.zeros(4, dtype=torch.bool), ties=ties)
    loss.backward()
    assert loss == 0 and log_risk.grad.equal(torch.zeros(4))


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_single_patient_and_deaths_all_on_one_day_are_finite(ties):
    one = cox_loss(torch.tensor([2.0]), torch.tensor([5.0]), torch.tensor([True]), ties=ties)
    assert one == 0
    log_risk = torch.tensor([0.0, 90.0, -90.0], requires_grad=True)
    loss = cox_loss(log_risk, torch.ones(3), torch.ones(3, dtype=torch.bool), ties=ties)
    loss.backward()
    assert loss.isfinite() and log_risk.grad.isfinite().all()


@pytest.mark.parametrize(
    "arguments, options, what",
    [
        ((torch.zeros(2), torch.ones(2), torch.ones(2)), {}, "give bool"),
        ((torch.zeros(3), torch.ones(2), torch.ones(2, dtype=torch.bool)), {}, "2 patients but log risks of shape"),
        ((torch.zeros(2), torch.tensor([1.0, math.nan]), torch.ones(2, dtype=torch.bool)), {}, "0 or more"),
        ((torch.zeros(2), torch.ones(2), torch.ones(2, dtype=torch.bool)), {"ties": "exact"}, "unknown ties 'exact'"),
    ],
)
def test_impossible_batches_are_explained(arguments, options, what):
    with pytest.raises(UserError, match=what):
        cox_loss(*arguments, **options)
