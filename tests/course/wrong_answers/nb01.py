"""Wrong answers that learners of notebook 01 give, and what the check must say of each."""

from __future__ import annotations

import torch


def temperature_forgotten(scores, temperature):
    exponentials = scores.exp()
    return exponentials / exponentials.sum(dim=-1, keepdim=True)


def temperature_multiplied(scores, temperature):
    return torch.softmax(scores * temperature, dim=-1)


def softmax_over_queries(scores, temperature):
    return torch.softmax(scores / temperature, dim=1)


def temperature_on_weights(scores, temperature):
    return torch.softmax(scores, dim=-1) / temperature


def one_total(scores, temperature):
    exponentials = (scores / temperature).exp()
    return exponentials / exponentials.sum()


def keepdim_forgotten(scores, temperature):
    exponentials = (scores / temperature).exp()
    return exponentials / exponentials.sum(dim=-1)


def _weights(state, words, real, scale=True):
    scores = torch.einsum("bd,bnd->bn", state, words)
    if scale:
        scores = scores / state.shape[-1] ** 0.5
    return scores.masked_fill(~real, float("-inf")).softmax(dim=-1)


def no_scaling(state, words, real):
    context = torch.einsum("bn,bnd->bd", _weights(state, words, real, scale=False), words)
    return torch.cat([context, state], dim=-1)


def state_first(state, words, real):
    context = torch.einsum("bn,bnd->bd", _weights(state, words, real), words)
    return torch.cat([state, context], dim=-1)


def plain_sum(state, words, real):
    return torch.cat([(words * real[..., None]).sum(dim=1), state], dim=-1)


def padding_seen(state, words, real):
    scores = torch.einsum("bd,bnd->bn", state, words) / state.shape[-1] ** 0.5
    return torch.cat([torch.einsum("bn,bnd->bd", scores.softmax(dim=-1), words), state], dim=-1)


def mask_after_softmax(state, words, real):
    scores = torch.einsum("bd,bnd->bn", state, words) / state.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1) * real
    return torch.cat([torch.einsum("bn,bnd->bd", weights, words), state], dim=-1)


def mask_upside_down(state, words, real):
    scores = (state[:, None] @ words.transpose(1, 2)) / state.shape[-1] ** 0.5
    weights = scores.masked_fill(real[:, None], float("-inf")).softmax(dim=-1)
    return torch.cat([(weights @ words)[:, 0], state], dim=-1)


def wrong_axis(state, words, real):
    scores = (state[:, None] @ words.transpose(1, 2)) / state.shape[-1] ** 0.5
    return torch.cat([(scores.softmax(dim=1) @ words)[:, 0], state], dim=-1)


def added(state, words, real):
    return torch.einsum("bn,bnd->bd", _weights(state, words, real), words) + state


def ones(scores):
    return torch.ones_like(scores)


def over_queries(scores):
    return torch.ones_like(scores) / scores.shape[1]


def still_chooses(scores):
    return torch.softmax(scores, dim=-1)


def one_number(scores):
    return 1 / scores.shape[-1]



def logarithms(scores, temperature):
    return (scores / temperature).log_softmax(dim=-1)


def each_by_itself(scores, temperature):
    return (scores / temperature).sigmoid()


def root_of_temperature(scores, temperature):
    return (scores / temperature**0.5).softmax(dim=-1)


def divided_by_d(state, words, real):
    scores = (state[:, None] @ words.transpose(-2, -1) / state.shape[-1]).masked_fill(~real[:, None], float("-inf"))
    return torch.cat([(scores.softmax(dim=-1) @ words).squeeze(1), state], dim=-1)


WRONG_ANSWERS = {
    "01-weights": [
        (temperature_forgotten, "temperature is not used"),
        (temperature_multiplied, "multiplied by the temperature"),
        (softmax_over_queries, "over the queries"),
        (temperature_on_weights, "no longer sums to 1"),
        (one_total, "one total for the whole tensor"),
        (keepdim_forgotten, "keepdim=True"),
        (logarithms, "logarithms"),
        (each_by_itself, "sigmoid"),
        (root_of_temperature, "root of the temperature"),
    ],
    "01-decoder-step": [
        (no_scaling, "not divided by √d"),
        (divided_by_d, "divided by d, not"),
        (state_first, "state comes before the context"),
        (plain_sum, "plain sum"),
        (padding_seen, "Padding gets attention"),
        (mask_after_softmax, "masked after softmax"),
        (mask_upside_down, "upside down"),
        (wrong_axis, "over the queries"),
        (added, "added, not laid side by side"),
    ],
    "01-uniform": [
        (ones, "sums to N"),
        (over_queries, "number of queries"),
        (still_chooses, "still depend on the scores"),
        (one_number, "was expected"),
    ],
}
