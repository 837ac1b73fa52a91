"""Wrong answers that learners of notebook 10 give, and what the check must say of each."""

from __future__ import annotations

import torch


def everywhere(values, signal, head):
    positive = values.clamp(min=0)
    return float(positive[signal].sum() / positive.sum())


def whole_box_below(values, signal, head):
    positive = values.clamp(min=0)
    return float(positive[signal & head].sum() / positive.sum())


def signal_outside(values, signal, head):
    positive = values.clamp(min=0)
    return float(positive[signal].sum() / positive[head].sum()) if positive[head].sum() > 0 else float("nan")


def signed(values, signal, head):
    return float(values[signal & head].sum() / values[head].sum())


def absolute(values, signal, head):
    return float(values.abs()[signal & head].sum() / values.abs()[head].sum())


def means(values, signal, head):
    positive = values.clamp(min=0)
    return float(positive[signal & head].mean() / positive[head].mean())


def counts(values, signal, head):
    return float(((values > 0) & signal & head).sum() / ((values > 0) & head).sum())


def zero_for_silence(values, signal, head):
    positive = values.clamp(min=0) * head
    return float(positive[signal].sum() / positive.sum()) if positive.sum() > 0 else 0.0


def curve(score, image, empty, order, counts):
    scores = []
    for count in counts:
        changed = image.flatten(1).clone()
        changed[:, order[:count]] = empty.flatten(1)[:, order[:count]]
        scores.append(score(changed.reshape(image.shape)))
    return scores


def shares(values, steps):
    return [round(step / steps * values.numel()) for step in range(steps + 1)]


def least_first(score, image, empty, values, steps):
    return curve(score, image, empty, values.flatten().argsort(), shares(values, steps))


def insertion(score, image, empty, values, steps):
    return curve(score, empty, image, values.flatten().argsort(descending=True), shares(values, steps))


def zeros(score, image, empty, values, steps):
    order = values.flatten().argsort(descending=True)
    return curve(score, image, torch.zeros_like(empty), order, shares(values, steps))


def first_channel(score, image, empty, values, steps):
    order, scores = values.flatten().argsort(descending=True), []
    for count in shares(values, steps):
        changed = image.flatten(1).clone()
        changed[0, order[:count]] = empty.flatten(1)[0, order[:count]]
        scores.append(score(changed.reshape(image.shape)))
    return scores


def by_size(score, image, empty, values, steps):
    return curve(score, image, empty, values.abs().flatten().argsort(descending=True), shares(values, steps))


def without_whole(score, image, empty, values, steps):
    return curve(score, image, empty, values.flatten().argsort(descending=True), shares(values, steps)[1:])


def without_empty(score, image, empty, values, steps):
    return curve(score, image, empty, values.flatten().argsort(descending=True), shares(values, steps)[:-1])


def one_by_one(score, image, empty, values, steps):
    return curve(score, image, empty, values.flatten().argsort(descending=True), range(steps + 1))


def pearson(first, second, head):
    return float(torch.corrcoef(torch.stack([first.abs()[head], second.abs()[head]]).double())[0, 1])


def orders(first, second, head):
    rows = [values.abs()[head].argsort().double() for values in (first, second)]
    return float(torch.corrcoef(torch.stack(rows))[0, 1])


def ranks(values):
    return values.argsort().argsort().double()


def with_sign(first, second, head):
    return float(torch.corrcoef(torch.stack([ranks(first[head]), ranks(second[head])]))[0, 1])


def whole_box(first, second, head):
    rows = [ranks(values.abs().flatten()) for values in (first, second)]
    return float(torch.corrcoef(torch.stack(rows))[0, 1])


def background_at_zero(first, second, head):
    rows = [ranks((values.abs() * head).flatten()) for values in (first, second)]
    return float(torch.corrcoef(torch.stack(rows))[0, 1])


def ranks_of_the_box(first, second, head):
    rows = [ranks(values.abs().flatten())[head.flatten()] for values in (first, second)]
    return float(torch.corrcoef(torch.stack(rows))[0, 1])


def a_distance(first, second, head):
    rows = [ranks(values.abs()[head]) for values in (first, second)]
    return 1 - float(torch.corrcoef(torch.stack(rows))[0, 1])


WRONG_ANSWERS = {
    "10-mass": [
        (everywhere, "outside the head are counted"),
        (whole_box_below, "below the line runs over the whole box"),
        (signal_outside, "signal reaches out of the head"),
        (signed, "below 0 are added up"),
        (absolute, "what speaks against counts as if"),
        (means, "mean on the signal over the mean"),
        (counts, "counted voxels; their values"),
        (zero_for_silence, "0 would say that it missed"),
    ],
    "10-deletion": [
        (least_first, "least relevant places go first"),
        (insertion, "starts from the empty image"),
        (zeros, "not to the empty image's values"),
        (first_channel, "first channel is taken away"),
        (by_size, "absolute values"),
        (without_whole, "share 0, is missing"),
        (without_empty, "share 1, is missing"),
        (one_by_one, "a share of all places should"),
    ],
    "10-alike": [
        (pearson, "Pearson's correlation"),
        (orders, "an order, not ranks"),
        (with_sign, "a map and its negative"),
        (whole_box, "outside the head are compared"),
        (background_at_zero, "background is set to 0"),
        (ranks_of_the_box, "ranks are those of the whole box"),
        (a_distance, "a distance: 0 for equal maps"),
    ],
}
