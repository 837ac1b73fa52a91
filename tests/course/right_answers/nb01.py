"""Right answers to the exercises of notebook 01 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "01-weights": [
        Answer("torch.softmax", "lambda scores, temperature: torch.softmax(scores / temperature, dim=-1)"),
        Answer("largest taken away first",
            "def weights_with_temperature(scores, temperature):\n"
            "    e = ((scores - scores.amax(-1, keepdim=True)) / temperature).exp()\n"
            "    return e / e.sum(-1, keepdim=True)"),
        Answer("logsumexp",
            "lambda scores, temperature: (scores / temperature - (scores / temperature).logsumexp(-1, "
            "keepdim=True)).exp()"),
        Answer("numpy",
            "def weights_with_temperature(scores, temperature):\n"
            "    e = np.exp(scores.numpy() / temperature)\n"
            "    return e / e.sum(-1, keepdims=True)"),
        Answer("float64", "lambda scores, temperature: (scores.double() / temperature).softmax(-1)"),
        Answer("in place on a copy",
            "def weights_with_temperature(scores, temperature):\n"
            "    out = scores.clone()\n"
            "    out.div_(temperature).exp_()\n"
            "    out /= out.sum(-1, keepdim=True)\n"
            "    return out"),
        Answer("module",
            "weights_with_temperature = type('Soft', (torch.nn.Module,), {'forward': lambda self, scores, "
            "temperature: (scores / temperature).softmax(-1)})()"),
        Answer("power",
            "lambda scores, temperature: (scores.exp() ** (1 / temperature)) / (scores.exp() ** (1 / "
            "temperature)).sum(-1, keepdim=True)"),
    ],
    "01-decoder-step": [
        Answer("fill with −1e9", [("float(\"-inf\")", "-1e9")]),
        Answer("fill with the smallest number", [("float(\"-inf\")", "torch.finfo(scores.dtype).min")]),
        Answer("torch's own attention",
            "lambda state, words, real: torch.cat([torch.nn.functional.scaled_dot_product_attention(state[:, "
            "None], words, words, attn_mask=real[:, None])[:, 0], state], -1)"),
        Answer("einsum",
            "def decoder_step(state, words, real):\n"
            "    s = torch.einsum('bd,bnd->bn', state, words) / state.shape[1] ** 0.5\n"
            "    w = torch.where(real, s, -torch.inf).softmax(-1)\n"
            "    return torch.hstack([torch.einsum('bn,bnd->bd', w, words), state])"),
        Answer("a loop over sentences",
            "def decoder_step(state, words, real):\n"
            "    out = []\n"
            "    for s, w, r in zip(state, words, real):\n"
            "        w = w[r]\n"
            "        a = (w @ s / len(s) ** 0.5).softmax(0)\n"
            "        out.append(torch.cat([a @ w, s]))\n"
            "    return torch.stack(out)"),
        Answer("exp times the mask",
            "def decoder_step(state, words, real):\n"
            "    s = (state[:, None] * words).sum(-1) / state.shape[-1] ** 0.5\n"
            "    s = s - s.masked_fill(~real, -torch.inf).amax(1, keepdim=True)\n"
            "    e = torch.where(real, s, -torch.inf).exp()\n"
            "    return torch.cat([(e / e.sum(1, keepdim=True))[:, None].bmm(words)[:, 0], state], 1)"),
        Answer("float64",
            "def decoder_step(state, words, real):\n"
            "    state, words = state.double(), words.double()\n"
            "    s = (words @ state[..., None])[..., 0] / np.sqrt(state.shape[-1])\n"
            "    w = s.masked_fill(~real, -torch.inf).softmax(1)\n"
            "    return torch.cat([(w[..., None] * words).sum(1), state], 1)"),
    ],
    "01-uniform": [
        Answer("full_like", "lambda scores: torch.full_like(scores, 1 / scores.shape[-1])"),
        Answer("softmax of zeros", "lambda scores: torch.zeros_like(scores).softmax(dim=-1)"),
        Answer("numpy", "lambda scores: np.full(tuple(scores.shape), 1 / scores.shape[-1])"),
        Answer("a row, expanded",
            "lambda scores: torch.full((scores.size(-1),), 1 / scores.size(-1)).expand(scores.shape)"),
        Answer("nested lists",
            "lambda scores: [[[1 / scores.shape[2]] * scores.shape[2] for _ in range(scores.shape[1])] for _ "
            "in range(scores.shape[0])]"),
    ],
}  # fmt: skip
