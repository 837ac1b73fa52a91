"""More wrong answers to the exercises of notebook 07, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "07-dice": [
        Answer("1 for an empty truth",
            "lambda predicted, wanted: torch.where(wanted.flatten(1).any(1), 2 * (predicted & "
            "wanted).flatten(1).sum(1) / (predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1)), 1.0)",
            "Where the truth is empty you give 1"),
        Answer("1 for an empty answer",
            "lambda predicted, wanted: torch.where(predicted.flatten(1).any(1), 2 * (predicted & "
            "wanted).flatten(1).sum(1) / (predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1)), 1.0)",
            "Where the answer is empty you give 1"),
        Answer("1 where one is empty",
            "lambda predicted, wanted: torch.where(predicted.flatten(1).any(1) & wanted.flatten(1).any(1), 2 * "
            "(predicted & wanted).flatten(1).sum(1) / (predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1)), 1.0)",
            "Where one of the two is empty you give 1"),
        Answer("smoothed by 1",
            "lambda predicted, wanted: (2 * (predicted & wanted).flatten(1).sum(1) + 1) / "
            "(predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1) + 1)",
            "A smoothing term was added above and below the line"),
        Answer("smoothed by 1e-3",
            "lambda predicted, wanted: (2 * (predicted & wanted).flatten(1).sum(1) + 1e-3) / "
            "(predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1) + 1e-3)",
            "A smoothing term was added above and below the line"),
        Answer("epsilon below the line",
            "lambda predicted, wanted: 2 * (predicted & wanted).flatten(1).sum(1) / (predicted.flatten(1).sum(1) + "
            "wanted.flatten(1).sum(1) + 1e-8)",
            "An empty region that was left empty gets 0"),
        Answer("union for the overlap", [("predicted & wanted", "predicted | wanted")], "That is twice the union"),
        Answer("regions added up", [
            ("both = (predicted & wanted).flatten(1).sum(1)", "both = (predicted & wanted).sum(0).flatten()"),
            ("predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1)", "(predicted.sum(0) + wanted.sum(0)).flatten()"),
        ], "You added up the regions and kept the places"),
        Answer("NaN for empty", [(", 1.0)", ", float('nan'))")], "An empty region gives NaN"),
        Answer("first region only",
            "lambda predicted, wanted: (2 * (predicted[0] & wanted[0]).sum() / (predicted[0].sum() + "
            "wanted[0].sum())).reshape(1)",
            "has shape"),
        Answer("exclusive or", [("predicted & wanted", "predicted ^ wanted")], "other numbers"),
        Answer("slices as regions", [("flatten(1).sum(1)", "flatten(2).sum(2)")], "has shape"),
        Answer("rounded", [
            ("return torch.where(sizes > 0, 2 * both / sizes, 1.0)",
             "return torch.where(sizes > 0, 2 * both / sizes, 1.0).round()"),
        ], "Your numbers are the right ones"),
        Answer("floor division", [("2 * both / sizes", "2 * both // sizes")], "other numbers"),
        Answer("one voxel counts as none", [("sizes > 0", "sizes > 1")], "other numbers"),
        Answer("in per cent", [("2 * both / sizes, 1.0", "200 * both / sizes, 100.0")], "times the right one"),
    ],
    "07-blocks": [
        Answer("number of blocks", [
            ("range(0, key.shape[1], block)", "range(0, key.shape[1], -(-key.shape[1] // block))"),
            ("start : start + block", "start : start + -(-key.shape[1] // block)"),
        ], "The numbers are right"),
        Answer("always 256 keys", [("    top = torch", "    block = 256\n    top = torch")], "The numbers are right"),
        Answer("maximum begins at 0", [("-math.inf", "0.0")], "The largest score begins at a number"),
        Answer("maximum begins at −100", [("-math.inf", "-100.0")], "The largest score begins at a number"),
        Answer("whole attention",
            "lambda query, key, value, block: (query @ key.transpose(1, 2) / "
            "math.sqrt(query.shape[-1])).softmax(-1) @ value",
            "The numbers are right"),
        Answer("torch's own, all keys",
            "lambda query, key, value, block: torch.nn.functional.scaled_dot_product_attention(query, key, value)",
            "The numbers are right"),
        Answer("one key at a time", [("    top = torch", "    block = 1\n    top = torch")], "The numbers are right"),
        Answer("divided by f", [("math.sqrt(query.shape[-1])", "query.shape[-1]")], "The scores are divided by f"),
        Answer("blocks joined",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    return torch.cat([(query @ k.transpose(1, 2) / math.sqrt(query.shape[-1])).softmax(-1) @ v "
            "for k, v in zip(key.split(block, 1), value.split(block, 1))], 1)",
            "The blocks' answers are laid side by side"),
        Answer("scores of all keys first",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    scores = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])\n"
            "    top = scores.amax(-1, keepdim=True)\n"
            "    total, context = 0, 0\n"
            "    for start in range(0, key.shape[1], block):\n"
            "        weights = (scores[:, :, start : start + block] - top).exp()\n"
            "        total = total + weights.sum(-1, keepdim=True)\n"
            "        context = context + weights @ value[:, start : start + block]\n"
            "    return context / total",
            "The numbers are right"),
        Answer("fade turned", [("(top - new_top).exp()", "(new_top - top).exp()")], "`query` makes no difference"),
        Answer("minimum instead of maximum", [
            ("torch.maximum(top, scores.amax(dim=-1, keepdim=True))",
             "torch.minimum(top, scores.amin(dim=-1, keepdim=True))"),
            ("-math.inf", "math.inf"),
        ], "`query` makes no difference"),
        Answer("top not updated", [("        top = new_top\n", "")], "Only the last block is left"),
        Answer("stops one block early", [
            ("range(0, key.shape[1], block)", "range(0, key.shape[1] - block, block)"),
        ], "other numbers"),
        Answer("overlapping blocks", [
            ("start : start + block]  #", "start : start + block + 1]  #"),
            ("value[:, start : start + block]", "value[:, start : start + block + 1]"),
        ], "other numbers"),
        Answer("queries in blocks",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    return torch.cat([(q @ key.transpose(1, 2) / math.sqrt(q.shape[-1])).softmax(-1) @ value "
            "for q in query.split(block, 1)], 1)",
            "The numbers are right"),
        Answer("divided inside the loop", [
            ("        top = new_top\n", "        top = new_top\n        context = context / total\n"),
            ("return context / total", "return context"),
        ], "other numbers"),
    ],
    "07-near-places": [
        Answer("Manhattan steps",
            "def near_places(affinity, reach):\n"
            "    grid = affinity.shape[1:4]\n"
            "    p = torch.stack(torch.meshgrid(*[torch.arange(n) for n in grid], indexing='ij'), -1)\n"
            "    far = (p[:, :, :, None, None, None] - p).abs().sum(-1)\n"
            "    near = affinity * (far <= reach)\n"
            "    return near / near.sum(dim=(4, 5, 6), keepdim=True)",
            "You added up the steps along the axes"),
        Answer("straight distance",
            "def near_places(affinity, reach):\n"
            "    grid = affinity.shape[1:4]\n"
            "    p = torch.stack(torch.meshgrid(*[torch.arange(n) for n in grid], indexing='ij'), -1)\n"
            "    far = (p[:, :, :, None, None, None] - p).float().norm(dim=-1)\n"
            "    near = affinity * (far <= reach)\n"
            "    return near / near.sum(dim=(4, 5, 6), keepdim=True)",
            "You measured the straight distance"),
        Answer("one step too far", [("<= reach", "<= reach + 1")], "Places one step too far are kept"),
        Answer("reach written as 1", [("<= reach", "<= 1")], "`reach` is not used"),
        Answer("divided by the largest", [
            ("near.sum(dim=(4, 5, 6), keepdim=True)", "near.amax(dim=(4, 5, 6), keepdim=True)"),
        ], "You divided by the largest weight"),
        Answer("sum over two axes", [("dim=(4, 5, 6)", "dim=(5, 6)")], "other numbers"),
        Answer("mean for sum", [("near.sum(dim=(4, 5, 6)", "near.mean(dim=(4, 5, 6)")], "times a factor"),
        Answer("keepdim forgotten", [(", keepdim=True", "")], "RuntimeError"),
        Answer("grid of the keys' last axes", [("affinity.shape[1:4]", "affinity.shape[0:3]")], "RuntimeError"),
        Answer("renormalised to the old sum",
            "lambda affinity, reach: affinity * (steps_apart(affinity.shape[1:4]) <= reach) / "
            "affinity.sum(dim=(4, 5, 6), keepdim=True)",
            "The far weights are gone"),
        Answer("near ones doubled",
            "lambda affinity, reach: affinity * (1 + (steps_apart(affinity.shape[1:4]) <= reach).float()) / 2",
            "other numbers"),
        Answer("itself left out",
            "lambda affinity, reach: (lambda n: n / n.sum(dim=(4, 5, 6), "
            "keepdim=True).clamp(min=1e-9))(affinity * (steps_apart(affinity.shape[1:4]) <= reach) * "
            "(steps_apart(affinity.shape[1:4]) > 0))",
            "other numbers"),
        Answer("sum clamped at one", [("clamp(min=1e-9)", "clamp(min=1)")], "The far weights are gone"),
    ],
}  # fmt: skip
