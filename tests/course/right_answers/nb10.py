"""Right answers to the exercises of notebook 10 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "10-mass": [
        Answer("chosen voxels",
            "def relevance_mass(values, signal, head):\n"
            "    p = values[head].clamp(min=0)\n"
            "    return p[signal[head]].sum() / p.sum()"),
        Answer("numpy",
            "def relevance_mass(values, signal, head):\n"
            "    v = np.where(head.numpy(), np.maximum(values.numpy(), 0), 0)\n"
            "    return v[signal.numpy()].sum() / v.sum() if v.any() else np.nan"),
        Answer("0 over 0 of tensors",
            "lambda values, signal, head: (values.relu() * head * signal).sum() / (values.relu() * head).sum()"),
        Answer("a loop",
            "def relevance_mass(values, signal, head):\n"
            "    on = total = 0.0\n"
            "    for v, s, h in zip(values.flatten().tolist(), signal.flatten().tolist(), "
            "head.flatten().tolist()):\n"
            "        if h and v > 0:\n"
            "            total += v\n"
            "            on += v if s else 0\n"
            "    return on / total if total else math.nan"),
        Answer("try and except",
            "def relevance_mass(values, signal, head):\n"
            "    p = (values.clamp(min=0) * head).double()\n"
            "    try:\n"
            "        return float((p * signal).sum()) / float(p.sum())\n"
            "    except ZeroDivisionError:\n"
            "        return float('nan')"),
    ],
    "10-deletion": [
        Answer("torch.where with a rank",
            "def deletion_scores(score, image, empty, values, steps):\n"
            "    rank = (-values).flatten().argsort().argsort().reshape(values.shape)\n"
            "    return [float(score(torch.where(rank < round(k / steps * values.numel()), empty, image))) "
            "for k in range(steps + 1)]"),
        Answer("topk",
            "def deletion_scores(score, image, empty, values, steps):\n"
            "    out = []\n"
            "    for k in range(steps + 1):\n"
            "        changed = image.clone()\n"
            "        gone = values.flatten().topk(round(k / steps * values.numel())).indices\n"
            "        changed.view(len(image), -1)[:, gone] = empty.reshape(len(image), -1)[:, gone]\n"
            "        out.append(score(changed))\n"
            "    return torch.tensor(out)"),
        Answer("one image, going on",
            "def deletion_scores(score, image, empty, values, steps):\n"
            "    order = values.flatten().argsort(descending=True)\n"
            "    now, before, out = image.clone(), 0, []\n"
            "    for k in range(steps + 1):\n"
            "        n = round(k / steps * len(order))\n"
            "        for place in order[before:n].tolist():\n"
            "            r, c = divmod(place, values.shape[1])\n"
            "            now[:, r, c] = empty[:, r, c]\n"
            "        before = n\n"
            "        out.append(score(now))\n"
            "    return out"),
        Answer("numpy",
            "def deletion_scores(score, image, empty, values, steps):\n"
            "    order = np.argsort(-values.numpy().ravel())\n"
            "    out = []\n"
            "    for k in np.linspace(0, 1, steps + 1):\n"
            "        x = image.numpy().reshape(len(image), -1).copy()\n"
            "        x[:, order[: round(k * len(order))]] = empty.numpy().reshape(len(image), -1)[:, order[: "
            "round(k * len(order))]]\n"
            "        out.append(float(score(torch.from_numpy(x).reshape(image.shape))))\n"
            "    return np.array(out)"),
        Answer("masks",
            "def deletion_scores(score, image, empty, values, steps):\n"
            "    order, n = values.flatten().sort(descending=True).indices, values.numel()\n"
            "    out = []\n"
            "    for k in range(steps + 1):\n"
            "        keep = torch.ones(n)\n"
            "        keep[order[: round(k / steps * n)]] = 0\n"
            "        keep = keep.reshape(values.shape)\n"
            "        out.append(float(score(image * keep + empty * (1 - keep))))\n"
            "    return tuple(out)"),
    ],
    "10-alike": [
        Answer("scipy",
            "def alike(first, second, head):\n"
            "    from scipy.stats import spearmanr\n"
            "    return spearmanr(first.abs()[head], second.abs()[head]).statistic"),
        Answer("pandas",
            "def alike(first, second, head):\n"
            "    import pandas as pd\n"
            "    return pd.Series(first.abs()[head].numpy()).corr(pd.Series(second.abs()[head].numpy()), "
            "method='spearman')"),
        Answer("squared rank differences",
            "def alike(first, second, head):\n"
            "    a, b = (x.abs()[head].argsort().argsort().double() for x in (first, second))\n"
            "    n = len(a)\n"
            "    return float(1 - 6 * ((a - b) ** 2).sum() / (n * (n * n - 1)))"),
        Answer("numpy",
            "def alike(first, second, head):\n"
            "    a, b = (np.argsort(np.argsort(np.abs(x.numpy()[head.numpy()]))) for x in (first, second))\n"
            "    return np.corrcoef(a, b)[0, 1]"),
        Answer("by hand",
            "def alike(first, second, head):\n"
            "    a, b = (x[head].abs().argsort().argsort().float() for x in (first, second))\n"
            "    a, b = a - a.mean(), b - b.mean()\n"
            "    return (a @ b) / (a.norm() * b.norm())"),
        Answer("both backwards",
            "def alike(first, second, head):\n"
            "    r = [x.abs()[head].argsort(descending=True).argsort().double() for x in (first, second)]\n"
            "    return torch.corrcoef(torch.stack(r))[1, 0]"),
    ],
}  # fmt: skip
