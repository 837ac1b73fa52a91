"""More wrong answers to the exercises of notebook 09, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "09-weights": [
        Answer("mean of positive gradients",
            "lambda A, G: G.flatten(2).clamp(min=0).mean(2)",
            "That is the mean of the positive gradients"),
        Answer("sum of positive gradients",
            "lambda A, G: G.flatten(2).clamp(min=0).sum(2)",
            "That is the sum of the positive gradients"),
        Answer("g missing below", [("(2 + total * g)", "(2 + total)")], "The g is missing below the line"),
        Answer("sum of the gradients", [
            ("A.flatten(2).sum(2, keepdim=True)", "G.flatten(2).sum(2, keepdim=True)"),
        ], "S is the sum of A"),
        Answer("g squared above", [("(g / (2", "(g**2 / (2")], "There is a g too many above the line"),
        Answer("largest term", [
            ("return (g / (2 + total * g)).sum(2)", "return (g / (2 + total * g)).amax(2)"),
        ], "You took the largest term"),
        Answer("normalised weights", [
            ("return (g / (2 + total * g)).sum(2)",
             "w = (g / (2 + total * g)).sum(2)\n"
             "    return w / w.sum(1, keepdim=True)"),
        ], "The weights are divided by their sum"),
        Answer("negative gradients", [("G.flatten(2)", "(-G).flatten(2)")], "The sign of the gradient is turned"),
        Answer("absolute gradients", [(".clamp(min=0)", ".abs()")], "other numbers"),
        Answer("plus one", [("(2 + total", "(1 + total")], "The 2 of the denominator is missing"),
        Answer("keepdim forgotten", [(".sum(2, keepdim=True)", ".sum(2)")], "Places and channels are mixed up"),
        Answer("three axes only", [
            ("flatten(2)", "flatten(3)"),
            ("sum(2, keepdim=True)", "sum(3, keepdim=True)"),
            ("* g)).sum(2)", "* g)).sum(3)"),
        ], "has shape"),
        Answer("multiplied by A", [
            ("(g / (2 + total * g))", "(A.flatten(2) * g / (2 + total * g))"),
        ], "other numbers"),
        Answer("formula as printed",
            "def plus_plus_weights(A, G):\n"
            "    g, S = G.flatten(2), A.flatten(2).sum(2, keepdim=True)\n"
            "    alpha = g**2 / (2 * g**2 + S * g**3)\n"
            "    return (alpha * g.clamp(min=0)).sum(2)",
            "contains NaN"),
    ],
    "09-place": [
        Answer("counted from one", [
            ("return first + index * step", "return first + index * step + 1"),
        ], "You counted voxels from 1"),
        Answer("half a voxel too far", [
            ("return first + index * step", "return first + index * step + 0.5"),
        ], "The middle of a voxel is its own number"),
        Answer("half of the kernel", [
            ("(kernel - 1) * dilation / 2", "kernel * dilation / 2"),
        ], "Half of the kernel"),
        Answer("floor of the half", [
            ("(kernel - 1) * dilation / 2", "(kernel - 1) * dilation // 2"),
        ], "The middle of an even kernel lies between two voxels"),
        Answer("last layer left out", [("in layers:", "in layers[:-1]:")], "The last layer is left out"),
        Answer("first layer left out", [("in layers:", "in layers[1:]:")], "The first layer is left out"),
        Answer("last voxel read", [
            ("(kernel - 1) * dilation / 2", "(kernel - 1) * dilation"),
        ], "That is the last voxel that the place reads"),
        Answer("step added", [("step *= stride", "step += stride")], "and 4 was expected"),
        Answer("index before the step", [
            ("first + index * step", "(first + index) * step"),
        ], "and 11.5 was expected"),
        Answer("kernel without dilation", [
            ("(kernel - 1) * dilation / 2", "(kernel - 1) / 2"),
        ], "The dilation is left out"),
        Answer("padding doubled", [("- padding)", "- 2 * padding)")], "and 4 was expected"),
        Answer("rounded", [
            ("return first + index * step", "return round(first + index * step)"),
        ], "Your numbers are the right ones"),
        Answer("starts at one half", [
            ("step, first = 1, 0.0", "step, first = 1, 0.5"),
        ], "The middle of a voxel is its own number"),
        Answer("dilation on the kernel's size", [
            ("(kernel - 1) * dilation / 2", "(kernel * dilation - 1) / 2"),
        ], "and 10 was expected"),
    ],
    "09-planes": [
        Answer("upside down", [
            ("float(share) / (float((there & inside).sum()) / float(inside.sum()))",
             "(float((there & inside).sum()) / float(inside.sum())) / max(float(share), 1e-9)"),
        ], "The fraction stands upside down"),
        Answer("difference from chance", [
            ("float(share) / (float((there & inside).sum()) / float(inside.sum()))",
             "float(share) - float((there & inside).sum()) / float(inside.sum())"),
        ], "You subtracted what an even map gets"),
        Answer("absolute values", [("own.clamp(min=0)", "own.abs()")], "Absolute values"),
        Answer("sum over slices", [("sum(ratios) / len(ratios)", "sum(ratios)")], "That is the sum over the slices"),
        Answer("no signal voxels in chance", [
            ("(float((there & inside).sum()) / float(inside.sum()))", "(1 / float(inside.sum()))"),
        ], "You divided by one part of chance only"),
        Answer("divided by all slices", [
            ("len(ratios)", "values.shape[axis]"),
        ], "Slices without signal are counted as 0"),
        Answer("median over slices", [
            ("sum(ratios) / len(ratios)", "sorted(ratios)[len(ratios) // 2]"),
        ], "and 0.8225 was expected"),
        Answer("index on the wrong axis", [
            ("volume.select(axis, index)", "volume.select(0, index % volume.shape[0])"),
        ], "`axis` is not used"),
        Answer("silent slices as chance", [
            ("torch.tensor(0.0)", "(there & inside).sum() / inside.sum()"),
        ], "and 0.3866 was expected"),
        Answer("silent slices divide by 0", [
            (" if positive.sum() > 0 else torch.tensor(0.0)", ""),
        ], "Slices in which the map has no positive value give NaN"),
        Answer("head of the whole volume", [("float(inside.sum())", "float(head.sum())")], "and 2 was expected"),
        Answer("squared values", [("own.clamp(min=0)", "own.clamp(min=0) ** 2")], "and 2 was expected"),
        Answer("one slice too few", [
            ("range(values.shape[axis])", "range(1, values.shape[axis] - 2)"),
        ], "A slice without signal"),
        Answer("counts of positive voxels", [
            ("positive = own.clamp(min=0) * inside", "positive = (own > 0).float() * inside"),
        ], "and 2 was expected"),
    ],
}  # fmt: skip
