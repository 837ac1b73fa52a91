"""More wrong answers to the exercises of notebook 01, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "01-weights": [
        Answer("divided by a root of the number of keys", [
            ("scores / temperature", "scores / temperature / scores.shape[-1] ** 0.5"),
        ], "You divided by a root as well"),
        Answer("divided twice", [("scores / temperature", "scores / temperature / temperature")], "other numbers"),
        Answer("sum without the batch", [("dim=-1", "dim=(0, -1)")], "sum to 1 along"),
        Answer("keepdim of the wrong axis", [
            ("exponentials.sum(dim=-1, keepdim=True)", "exponentials.sum(dim=1, keepdim=True)"),
        ], "The sum runs over the queries (dim 1)"),
        Answer("powers of two", [
            ("(scores / temperature).exp()", "2 ** (scores / temperature)"),
        ], "That is 2 to the power"),
        Answer("mean instead of sum", [
            (".sum(dim=-1, keepdim=True)", ".mean(dim=-1, keepdim=True)"),
        ], "You divided by the mean of the row"),
        Answer("largest instead of sum", [
            (".sum(dim=-1, keepdim=True)", ".amax(dim=-1, keepdim=True)"),
        ], "You divided by the largest of the row"),
        Answer("minus the scores", [("(scores / temperature)", "(-scores / temperature)")], "The sign is turned"),
        Answer("temperature subtracted", [
            ("scores / temperature", "scores - temperature"),
        ], "The temperature is not used"),
        Answer("softmax of the softmax",
            "lambda scores, temperature: ((scores / temperature).softmax(-1)).softmax(-1)",
            "other numbers"),
        Answer("hard-coded temperature", [("/ temperature", "/ 0.5")], "`temperature` makes no difference"),
        Answer("transposed",
            "lambda scores, temperature: (scores / temperature).softmax(-1).transpose(1, 2)",
            "was expected"),
        Answer("hard maximum",
            "lambda scores, temperature: (scores == scores.amax(-1, keepdim=True)).float()",
            "`temperature` makes no difference"),
        Answer("exp of the weights",
            "lambda scores, temperature: (scores / temperature).softmax(-1).exp()",
            "Your numbers are the exponentials of the right ones"),
        Answer("changes the scores",
            "def weights_with_temperature(scores, temperature):\n"
            "    scores /= temperature\n"
            "    return scores.softmax(-1)",
            "Your function changes its input"),
    ],
    "01-decoder-step": [
        Answer("fill with −10", [("float(\"-inf\")", "-10.0")], "Your fill is low"),
        Answer("fill with −20", [("float(\"-inf\")", "-20.0")], "Your fill is low"),
        Answer("fill with −50", [("float(\"-inf\")", "-50.0")], "Your fill is low"),
        Answer("words zeroed instead of masked", [
            ("    scores = scores.masked_fill(~real[:, None], float(\"-inf\"))      # (B, 1, N)\n", ""),
            ("words.transpose(-2, -1)", "(words * real[..., None]).transpose(-2, -1)"),
            ("weights @ words", "weights @ (words * real[..., None])"),
        ], "You set the words of padding to 0"),
        Answer("state twice", [("[context, state]", "[state, state]")], "`words` makes no difference"),
        Answer("stacked instead of joined", [
            ("torch.cat([context, state], dim=-1)", "torch.stack([context, state], dim=-1)"),
        ], "has shape"),
        Answer("joined along the batch", [("[context, state], dim=-1", "[context, state], dim=0")], "has shape"),
        Answer("scaled by the batch", [("state.shape[-1] ** 0.5", "state.shape[0] ** 0.5")], "other numbers"),
        Answer("multiplied by the root", [
            ("scores / state.shape[-1] ** 0.5", "scores * state.shape[-1] ** 0.5"),
        ], "other numbers"),
        Answer("best word only", [
            ("(weights @ words).squeeze(1)", "words[torch.arange(len(words)), weights[:, 0].argmax(-1)]"),
        ], "The context is the one word with the highest score"),
        Answer("sigmoid instead of softmax", [
            ("torch.softmax(scores, dim=-1)", "scores.sigmoid()"),
        ], "other numbers"),
        Answer("squeeze forgotten", [(".squeeze(1)", "")], "RuntimeError"),
        Answer("cosine of the vectors", [
            ("scores = scores / state.shape[-1] ** 0.5 ",
             "scores = scores / state.norm(dim=-1)[:, None, None] / words.norm(dim=-1)[:, None]"),
        ], "other numbers"),
        Answer("softmax before the scale", [
            ("scores = scores / state.shape[-1] ** 0.5 ", "scores = scores.softmax(-1)"),
        ], "other numbers"),
        Answer("masked by the first sentence", [("~real[:, None]", "~real[:1, None]")], "other numbers"),
    ],
    "01-uniform": [
        Answer("divided by T", [("scores.shape[-1]", "scores.shape[-2]")], "You divided by the number of queries T"),
        Answer("divided by the scores' sum",
            "lambda scores: scores / scores.sum(-1, keepdim=True)",
            "You divided the scores by their sum"),
        Answer("hard-coded five keys", [("/ scores.shape[-1]", "/ 5")], "everywhere, whatever"),
        Answer("softmax of the mean",
            "lambda scores: scores.mean(1, keepdim=True).softmax(-1).expand_as(scores)",
            "other numbers"),
        Answer("random weights", "lambda scores: torch.rand_like(scores).softmax(-1)", "other numbers"),
        Answer("first key only",
            "lambda scores: torch.nn.functional.one_hot(torch.zeros(scores.shape[:2], dtype=torch.long), "
            "scores.shape[-1])",
            "other numbers"),
        Answer("one row", "lambda scores: torch.ones(scores.shape[-1]) / scores.shape[-1]", "One row came back"),
        Answer("diagonal",
            "lambda scores: torch.eye(scores.shape[1], scores.shape[2]).expand_as(scores)",
            "Each query looks at one key alone"),
        Answer("scores over N", [("torch.ones_like(scores)", "scores")], "You divided the scores themselves"),
        Answer("summed to the batch",
            "lambda scores: torch.full_like(scores, 1 / (scores.shape[0] * scores.shape[-1]))",
            "times a factor"),
    ],
}  # fmt: skip
