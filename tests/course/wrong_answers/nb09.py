"""Wrong answers that learners of notebook 09 give, and what the check must say of each."""

from __future__ import annotations

import torch


def plain_grad_cam(A, G):
    return G.mean(dim=(2, 3, 4))


def divides_zero_by_zero(A, G):
    g = G.clamp(min=0)
    total = A.sum(dim=(2, 3, 4), keepdim=True)
    return (g**2 / (2 * g**2 + total * g**3) * g).sum(dim=(2, 3, 4))


def without_relu(A, G):
    total = A.sum(dim=(2, 3, 4), keepdim=True)
    below = 2 * G**2 + total * G**3
    alpha = torch.where(below == 0, 0.0, G**2 / torch.where(below == 0, 1.0, below))
    return (alpha * G).sum(dim=(2, 3, 4))


def place_by_place(A, G):
    g = G.clamp(min=0)
    return (g / (2 + A * g)).sum(dim=(2, 3, 4))


def mean_of_activations(A, G):
    g = G.clamp(min=0)
    return (g / (2 + A.mean(dim=(2, 3, 4), keepdim=True) * g)).sum(dim=(2, 3, 4))


def all_channels(A, G):
    g = G.clamp(min=0)
    return (g / (2 + A.sum(dim=(1, 2, 3, 4), keepdim=True) * g)).sum(dim=(2, 3, 4))


def terms(A, G):
    g = G.clamp(min=0)
    return g / (2 + A.sum(dim=(2, 3, 4), keepdim=True) * g)


def mean_over_places(A, G):
    return terms(A, G).mean(dim=(2, 3, 4))


def not_added_up(A, G):
    return terms(A, G)


def the_map(A, G):
    weights = terms(A, G).sum(dim=(2, 3, 4), keepdim=True)
    return (weights * A).sum(dim=1)


def strides_only(index, layers):
    step = 1
    for _, stride, _, _ in layers:
        step *= stride
    return index * step


def a_resize(index, layers):
    step = 1
    for _, stride, _, _ in layers:
        step *= stride
    return (index + 0.5) * step - 0.5


def stride_first(index, layers):
    step, first = 1, 0.0
    for kernel, stride, padding, dilation in layers:
        step *= stride
        first += step * ((kernel - 1) * dilation / 2 - padding)
    return first + index * step


def shifts_unscaled(index, layers):
    step, first = 1, 0.0
    for kernel, stride, padding, dilation in layers:
        first += (kernel - 1) * dilation / 2 - padding
        step *= stride
    return first + index * step


def without_dilation(index, layers):
    step, first = 1, 0.0
    for kernel, stride, padding, _ in layers:
        first += step * ((kernel - 1) / 2 - padding)
        step *= stride
    return first + index * step


def without_padding(index, layers):
    step, first = 1, 0.0
    for kernel, stride, _, dilation in layers:
        first += step * (kernel - 1) * dilation / 2
        step *= stride
    return first + index * step


def first_voxel(index, layers):
    step, first = 1, 0.0
    for _, stride, padding, _ in layers:
        first -= step * padding
        step *= stride
    return first + index * step


def index_zero(index, layers):
    step, first = 1, 0.0
    for kernel, stride, padding, dilation in layers:
        first += step * ((kernel - 1) * dilation / 2 - padding)
        step *= stride
    return first


def whole_numbers(index, layers):
    step, first = 1, 0.0
    for kernel, stride, padding, dilation in layers:
        first += step * ((kernel - 1) * dilation / 2 - padding)
        step *= stride
    return int(first + index * step)


def slices(values, signal, head, axis):
    for index in range(values.shape[axis]):
        plane, there, inside = (volume.select(axis, index) for volume in (values, signal, head))
        yield plane.clamp(min=0), there & inside, inside


def mass_alone(values, signal, head, axis):
    shares = [(p[s].sum() / (p * h).sum().clamp(min=1e-9)).item() for p, s, h in slices(values, signal, head, axis)
              if s.any()]  # fmt: skip
    return sum(shares) / len(shares)


def whole_volume(values, signal, head, axis):
    positive = values.clamp(min=0) * head
    return float(positive[signal].sum() / positive.sum() / (signal.sum() / head.sum()))


def ratio_of_means(values, signal, head, axis):
    even = [(s.sum() / h.sum()).item() for _, s, h in slices(values, signal, head, axis) if s.any()]
    return mass_alone(values, signal, head, axis) / (sum(even) / len(even))


def outside_too(values, signal, head, axis):
    ratios = [(p[s].sum() / p.sum().clamp(min=1e-9) / (s.sum() / h.sum())).item()
              for p, s, h in slices(values, signal, head, axis) if s.any()]  # fmt: skip
    return sum(ratios) / len(ratios)


def empty_slices(values, signal, head, axis):
    ratios = [(p[s].sum() / (p * h).sum().clamp(min=1e-9) / (s.sum() / h.sum())).item() if s.any() else 0.0
              for p, s, h in slices(values, signal, head, axis)]  # fmt: skip
    return sum(ratios) / len(ratios)


def silent_slices_dropped(values, signal, head, axis):
    ratios = [(p[s].sum() / (p * h).sum() / (s.sum() / h.sum())).item()
              for p, s, h in slices(values, signal, head, axis) if s.any() and (p * h).sum() > 0]  # fmt: skip
    return sum(ratios) / len(ratios)


def always_axial(values, signal, head, axis):
    ratios = [(p[s].sum() / (p * h).sum().clamp(min=1e-9) / (s.sum() / h.sum())).item()
              for p, s, h in slices(values, signal, head, 0) if s.any()]  # fmt: skip
    return sum(ratios) / len(ratios)


WRONG_ANSWERS = {
    "09-weights": [
        (plain_grad_cam, "weights of Grad-CAM, (09.1)"),
        (divides_zero_by_zero, "divide 0 by 0"),
        (without_relu, "ReLU around g is missing"),
        (place_by_place, "A at the same place"),
        (mean_of_activations, "mean of A over its places"),
        (all_channels, "over the channels as well"),
        (mean_over_places, "mean over the places"),
        (not_added_up, "not added up yet"),
        (the_map, "the map already"),
    ],
    "09-place": [
        (strides_only, "by the strides alone"),
        (a_resize, "what a resize thinks"),
        (stride_first, "acts before its own middle"),
        (shifts_unscaled, "voxels of the layer's input"),
        (without_dilation, "dilation is left out"),
        (without_padding, "padding is left out"),
        (first_voxel, "first voxel that the place reads"),
        (index_zero, "where index 0 looks"),
        (whole_numbers, "cut to a whole number"),
    ],
    "09-planes": [
        (mass_alone, "not divided by what an even map gets"),
        (whole_volume, "whole volume at once"),
        (ratio_of_means, "divided the means"),
        (outside_too, "outside the head is counted"),
        (empty_slices, "counted as 0"),
        (silent_slices_dropped, "left out; they are misses"),
        (always_axial, "always axial slices"),
    ],
}
