"""Right answers to the exercises of notebook 09 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "09-weights": [
        Answer("alpha with a safe division",
            "def plus_plus_weights(A, G):\n"
            "    g, S = G.flatten(2), A.flatten(2).sum(2, keepdim=True)\n"
            "    below = 2 * g**2 + S * g**3\n"
            "    alpha = torch.where(g > 0, g**2 / torch.where(g > 0, below, 1.0), 0.0)\n"
            "    return (alpha * g.relu()).sum(2)"),
        Answer("nan_to_num",
            "def plus_plus_weights(A, G):\n"
            "    g = G.flatten(2).clamp(min=0)\n"
            "    alpha = torch.nan_to_num(g**2 / (2 * g**2 + A.flatten(2).sum(2, keepdim=True) * g**3))\n"
            "    return (alpha * g).sum(2)"),
        Answer("dims by number",
            "lambda A, G: (G.relu() / (2 + A.sum((2, 3, 4), keepdim=True) * G.relu())).sum((2, 3, 4))"),
        Answer("numpy",
            "def plus_plus_weights(A, G):\n"
            "    g, S = np.maximum(G.numpy(), 0), A.numpy().sum((2, 3, 4), keepdims=True)\n"
            "    return (g / (2 + S * g)).sum((2, 3, 4))"),
        Answer("loops",
            "def plus_plus_weights(A, G):\n"
            "    return [[sum(float(g) / (2 + float(a.sum()) * float(g)) for g in c.flatten() if g > 0) for "
            "a, c in zip(x, y)] for x, y in zip(A, G)]"),
        Answer("einsum",
            "def plus_plus_weights(A, G):\n"
            "    g = G.clamp(min=0).flatten(2)\n"
            "    return torch.einsum('bkn,bkn->bk', g, 1 / (2 + torch.einsum('bkn->bk', A.flatten(2))[..., "
            "None] * g))"),
    ],
    "09-place": [
        Answer("from the last layer back",
            "def looks_at_voxel(index, layers):\n"
            "    for k, s, p, d in reversed(layers):\n"
            "        index = index * s + (k - 1) * d / 2 - p\n"
            "    return index"),
        Answer("recursion",
            "def looks_at_voxel(index, layers):\n"
            "    if not layers:\n"
            "        return float(index)\n"
            "    k, s, p, d = layers[-1]\n"
            "    return looks_at_voxel(index * s - p + d * (k - 1) / 2, layers[:-1])"),
        Answer("first and last voxel read",
            "def looks_at_voxel(index, layers):\n"
            "    low = high = index\n"
            "    for k, s, p, d in layers[::-1]:\n"
            "        low, high = low * s - p, high * s - p + (k - 1) * d\n"
            "    return (low + high) / 2"),
        Answer("numpy",
            "def looks_at_voxel(index, layers):\n"
            "    k, s, p, d = np.array(layers, dtype=float).T\n"
            "    step = np.concatenate([[1], np.cumprod(s)])\n"
            "    return (step[:-1] * ((k - 1) * d / 2 - p)).sum() + index * step[-1]"),
        Answer("torch scalar",
            "def looks_at_voxel(index, layers):\n"
            "    place = torch.tensor(float(index))\n"
            "    for k, s, p, d in layers[::-1]:\n"
            "        place = place * s + torch.tensor((k - 1) * d / 2 - p)\n"
            "    return place"),
        Answer("fractions",
            "def looks_at_voxel(index, layers):\n"
            "    from fractions import Fraction\n"
            "    place = Fraction(index)\n"
            "    for k, s, p, d in layers[::-1]:\n"
            "        place = place * s + Fraction((k - 1) * d, 2) - p\n"
            "    return place"),
    ],
    "09-planes": [
        Answer("unbind",
            "def mass_over_chance(values, signal, head, axis):\n"
            "    out = []\n"
            "    for v, s, h in zip(values.unbind(axis), signal.unbind(axis), head.unbind(axis)):\n"
            "        s = s & h\n"
            "        if s.any():\n"
            "            p = v.relu() * h\n"
            "            out.append(float(p[s].sum() / p.sum() / (s.sum() / h.sum())) if p.sum() > 0 else 0.0)\n"
            "    return np.mean(out)"),
        Answer("moved and vectorised",
            "def mass_over_chance(values, signal, head, axis):\n"
            "    v, s, h = (x.movedim(axis, 0).flatten(1) for x in (values, signal & head, head))\n"
            "    p = v.clamp(min=0) * h\n"
            "    keep = s.any(1)\n"
            "    share = torch.nan_to_num((p * s).sum(1) / p.sum(1))\n"
            "    return float((share / (s.sum(1) / h.sum(1)))[keep].mean())"),
        Answer("numpy",
            "def mass_over_chance(values, signal, head, axis):\n"
            "    v, s, h = (np.moveaxis(x.numpy(), axis, 0) for x in (values, signal & head, head))\n"
            "    out = []\n"
            "    for a, b, c in zip(v, s, h):\n"
            "        if b.sum():\n"
            "            p = np.where(c, np.maximum(a, 0), 0)\n"
            "            out.append(p[b].sum() / p.sum() * c.sum() / b.sum() if p.sum() > 0 else 0)\n"
            "    return sum(out) / len(out)"),
        Answer("float64 tensors",
            "def mass_over_chance(values, signal, head, axis):\n"
            "    other = [d for d in range(3) if d != axis]\n"
            "    s = signal & head\n"
            "    p = values.double().clamp(min=0) * head\n"
            "    share = (p * s).sum(other) / p.sum(other).clamp(min=1e-30)\n"
            "    n = s.sum(other)\n"
            "    return (share[n > 0] * head.sum(other)[n > 0] / n[n > 0]).mean()"),
        Answer("statistics.mean", [
            ("return sum(ratios) / len(ratios)", "import statistics\n    return statistics.mean(ratios)"),
        ]),
    ],
}  # fmt: skip
