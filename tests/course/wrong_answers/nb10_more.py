"""More wrong answers to the exercises of notebook 10, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "10-mass": [
        Answer("no rule for silent maps",
            "lambda values, signal, head: float((values.clamp(min=0) * head)[signal & head].sum()) / "
            "float((values.clamp(min=0) * head).sum())",
            "A map without a positive value in the head divides by 0"),
        Answer("zero for silent maps", [
            ("float(\"nan\")", "0.0"),
        ], "A map without a positive value in the head has no share"),
        Answer("squares", [("values.clamp(min=0)", "values.clamp(min=0) ** 2")], "You added up squares"),
        Answer("beside the signal", [("signal & head", "~signal & head")], "That is the share beside the signal"),
        Answer("mass over chance", [
            ("float(positive[signal & head].sum()) / total",
             "float(positive[signal & head].sum()) / total / (float((signal & head).sum()) / float(head.sum()))"),
        ], "That is the mass over chance"),
        Answer("negative values", [
            ("values.clamp(min=0)", "(-values).clamp(min=0)"),
        ], "Those are the negative values"),
        Answer("the sum alone", [("/ total if", "if")], "and 0.75 was expected"),
        Answer("in per cent", [("return float", "return 100 * float")], "That is a percentage"),
        Answer("mean, not sum", [
            ("positive[signal & head].sum()", "positive[signal & head].mean()"),
        ], "and 0.75 was expected"),
        Answer("signal or head", [("signal & head", "signal | head")], "`signal` makes no difference"),
        Answer("threshold at one half", [("values.clamp(min=0)", "values.clamp(min=0.5)")], "and 0.75 was expected"),
        Answer("softmax first", [
            ("values.clamp(min=0)", "values.flatten().softmax(0).reshape(values.shape)"),
        ], "and 0.75 was expected"),
        Answer("by the largest value", [
            ("total = float(positive.sum())", "total = float(positive.max())"),
        ], "and 0.75 was expected"),
        Answer("a total below 1 is none", [("total > 0", "total > 1")], "and 0.2017 was expected"),
        Answer("voxels of the signal", [
            ("/ total if", "/ float((signal & head).sum()) if"),
        ], "and 0.75 was expected"),
    ],
    "10-deletion": [
        Answer("mean of the image", [
            ("empty.flatten(1)[:, gone]", "image.mean()"),
        ], "The places are set to the image's mean"),
        Answer("backwards", [
            ("return scores", "return scores[::-1]"),
        ], "The scores come in the order from share 1 to share 0"),
        Answer("sorted", [("return scores", "return sorted(scores, reverse=True)")], "The scores are sorted"),
        Answer("mean of the curve", [
            ("return scores", "return sum(scores) / len(scores)"),
        ], "That is the mean of the curve"),
        Answer("falls, not scores", [
            ("return scores", "return [scores[0] - s for s in scores]"),
        ], "Those are the falls"),
        Answer("rounded up", [
            ("round(step / steps * len(order))", "math.ceil(step / steps * len(order))"),
            ("    order = values", "    import math\n    order = values"),
        ], "The number of places is rounded up"),
        Answer("ranks, not places", [
            ("argsort(descending=True)", "argsort(descending=True).argsort()"),
        ], "The order of the order"),
        Answer("piece by piece", [
            ("order[: round(step / steps * len(order))]",
             "order[round(max(step - 1, 0) / steps * len(order)) : round(step / steps * len(order))]"),
        ], "Only the places of each step are gone"),
        Answer("image written into", [
            ("image.flatten(1).clone()", "image.flatten(1)"),
        ], "Your function changes its input"),
        Answer("flat image to the score", [("changed.reshape(image.shape)", "changed")], "RuntimeError"),
        Answer("order of the values only", [
            ("values.flatten().argsort(descending=True)", "torch.arange(values.numel())"),
        ], "`values` makes no difference"),
        Answer("steps scores", [("range(steps + 1)", "range(steps)")], "The empty image's score"),
        Answer("share of steps plus one", [("step / steps *", "step / (steps + 1) *")], "other numbers"),
        Answer("half removed", [
            ("round(step / steps * len(order))", "round(step / steps * len(order) / 2)"),
        ], "other numbers"),
        Answer("added, not replaced", [("changed[:, gone] = empty", "changed[:, gone] += empty")], "other numbers"),
    ],
    "10-alike": [
        Answer("sign lost", [
            ("return float(torch.corrcoef(torch.stack(ranks))[0, 1])",
             "return abs(float(torch.corrcoef(torch.stack(ranks))[0, 1]))"),
        ], "The correlation's sign is lost"),
        Answer("second turned", [("return float", "return -float")], "The sign is turned"),
        Answer("Pearson with sign",
            "lambda first, second, head: float(torch.corrcoef(torch.stack([first[head], second[head]]))[0, 1])",
            "That is Pearson's correlation of the signed values"),
        Answer("cosine of values",
            "lambda first, second, head: float(torch.nn.functional.cosine_similarity(first.abs()[head], "
            "second.abs()[head], dim=0))",
            "That is the cosine of the values"),
        Answer("cosine of ranks", [
            ("torch.corrcoef(torch.stack(ranks))[0, 1]", "torch.nn.functional.cosine_similarity(*ranks, dim=0)"),
        ], "That is the cosine of the ranks"),
        Answer("same rank", [
            ("float(torch.corrcoef(torch.stack(ranks))[0, 1])", "float((ranks[0] == ranks[1]).double().mean())"),
        ], "That is the share of voxels with the same rank"),
        Answer("diagonal of the matrix", [("[0, 1]", "[0, 0]")], "`first` makes no difference"),
        Answer("the whole matrix", [
            ("float(torch.corrcoef(torch.stack(ranks))[0, 1])", "torch.corrcoef(torch.stack(ranks))"),
        ], "was expected"),
        Answer("one argsort", [(".argsort().argsort()", ".argsort()")], "One `argsort` gives an order"),
        Answer("no absolute values", [(".abs()", "")], "The sign is kept"),
        Answer("no head", [("[head]", ".flatten()")], "Voxels outside the head are compared too"),
        Answer("covariance", [("torch.corrcoef", "torch.cov")], "and 0.8 was expected"),
        Answer("mean difference of ranks", [
            ("float(torch.corrcoef(torch.stack(ranks))[0, 1])", "float((ranks[0] - ranks[1]).abs().mean())"),
        ], "and 0.8 was expected"),
        Answer("Kendall's tau",
            "def alike(first, second, head):\n"
            "    a, b = first.abs()[head], second.abs()[head]\n"
            "    s = torch.sign(a[:, None] - a) * torch.sign(b[:, None] - b)\n"
            "    return float(s.sum() / (len(a) * (len(a) - 1)))",
            "and 0.8 was expected"),
    ],
}  # fmt: skip
