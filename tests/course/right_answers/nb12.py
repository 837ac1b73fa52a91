"""Right answers to the exercises of notebook 12 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "12-sizes": [
        Answer("norm", "lambda affine: np.linalg.norm(affine[:3, :3], axis=0)"),
        Answer("nibabel",
            "def sizes_of(affine):\n"
            "    from nibabel.affines import voxel_sizes\n"
            "    return voxel_sizes(affine)"),
        Answer("steps of one voxel",
            "lambda affine: [float(np.linalg.norm(affine @ np.eye(4)[k])) for k in range(3)]"),
        Answer("root of the diagonal of AᵀA", "lambda affine: np.sqrt(np.diag(affine[:3, :3].T @ affine[:3, :3]))"),
        Answer("math.hypot", "lambda affine: tuple(math.hypot(*affine[:3, k]) for k in range(3))"),
        Answer("torch", "lambda affine: torch.as_tensor(affine)[:3, :3].norm(dim=0)"),
        Answer("pandas",
            "def sizes_of(affine):\n"
            "    import pandas as pd\n"
            "    return pd.DataFrame(affine[:3, :3]).pow(2).sum().pow(0.5)"),
    ],
    "12-split": [
        Answer("np.isin", "lambda subjects, n: np.isin(subjects, np.unique(subjects)[:n])"),
        Answer("torch booleans",
            "lambda subjects, n: torch.tensor([s in sorted(set(subjects))[:n] for s in subjects])"),
        Answer("pandas isin",
            "def tested(subjects, n):\n"
            "    import pandas as pd\n"
            "    return pd.Series(subjects).isin(sorted(set(subjects))[:n])"),
        Answer("a set of the chosen",
            "def tested(subjects, n):\n"
            "    chosen = set(sorted({*subjects})[:n])\n"
            "    return tuple(s in chosen for s in subjects)"),
        Answer("ranks",
            "def tested(subjects, n):\n"
            "    _, place = np.unique(subjects, return_inverse=True)\n"
            "    return place < n"),
        Answer("np.bool list", "lambda subjects, n: [np.bool_(s in np.unique(subjects)[:n]) for s in subjects]"),
        Answer("heapq",
            "def tested(subjects, n):\n"
            "    import heapq\n"
            "    chosen = heapq.nsmallest(n, set(subjects))\n"
            "    return list(map(chosen.__contains__, subjects))"),
    ],
    "12-holm": [
        Answer("adjusted p values",
            "def survivors(p_values, level):\n"
            "    p = np.asarray(p_values)\n"
            "    order, m = np.argsort(p), len(p)\n"
            "    adjusted = np.empty(m)\n"
            "    adjusted[order] = np.maximum.accumulate((m - np.arange(m)) * p[order])\n"
            "    return adjusted <= level"),
        Answer("number that survive",
            "def survivors(p_values, level):\n"
            "    p, m = np.sort(p_values), len(p_values)\n"
            "    fails = np.flatnonzero(p > level / (m - np.arange(m)))\n"
            "    k = fails[0] if len(fails) else m\n"
            "    return [bool(rank < k) for rank in np.argsort(np.argsort(p_values))]"),
        Answer("sorted pairs",
            "def survivors(p_values, level):\n"
            "    marks, m = [False] * len(p_values), len(p_values)\n"
            "    for k, (p, i) in enumerate(sorted((p, i) for i, p in enumerate(p_values))):\n"
            "        if p * (m - k) > level:\n"
            "            return marks\n"
            "        marks[i] = True\n"
            "    return marks"),
        Answer("pandas",
            "def survivors(p_values, level):\n"
            "    import pandas as pd\n"
            "    s = pd.Series(p_values).sort_values()\n"
            "    ok = s <= level / np.arange(len(s), 0, -1)\n"
            "    return ok.cummin().sort_index()"),
        Answer("torch",
            "def survivors(p_values, level):\n"
            "    p, order = torch.as_tensor(p_values).sort()\n"
            "    ok = (p <= level / torch.arange(len(p), 0, -1, dtype=torch.float64)).long().cumprod(0).bool()\n"
            "    marks = torch.zeros(len(p), dtype=torch.bool)\n"
            "    marks[order] = ok\n"
            "    return marks"),
    ],
}  # fmt: skip
