"""Right answers to the exercises of notebook 04 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "04-shares": [
        Answer("reshape", "lambda logits, radix: logits.reshape(len(logits), radix, -1).softmax(1)"),
        Answer("chunks stacked",
            "lambda logits, radix: torch.stack(logits.chunk(radix, dim=1), dim=1).softmax(dim=1)"),
        Answer("exponentials by hand",
            "def shares(logits, radix):\n"
            "    e = logits.view(logits.shape[0], radix, logits.shape[1] // radix).exp()\n"
            "    return e / e.sum(1, keepdim=True)"),
        Answer("scipy",
            "def shares(logits, radix):\n"
            "    from scipy.special import softmax\n"
            "    return softmax(logits.numpy().reshape(len(logits), radix, -1), axis=1)"),
        Answer("einops-like transpose",
            "lambda logits, radix: logits.unflatten(1, (radix, -1)).transpose(1, 2).softmax(-1).transpose(1, 2)"),
        Answer("list of tensors", "lambda logits, radix: [row.reshape(radix, -1).softmax(0) for row in logits]"),
    ],
    "04-split": [
        Answer("layers in another order", [
            ("        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, "
             "bias=False)\n",
             ""),
            ("        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)\n",
             "        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)\n"
             "        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, "
             "bias=False)\n"),
        ]),
        Answer("all three turned", [
            ("        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, "
             "bias=False)\n"
             "        self.fc1 = nn.Conv3d(channels, hidden, 1)\n"
             "        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)\n",
             "        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)\n"
             "        self.fc1 = nn.Conv3d(channels, hidden, 1)\n"
             "        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, "
             "bias=False)\n"),
        ]),
        Answer("one convolution per split, then joined",
            "class SplitAttention3d(nn.Module):\n"
            "    def __init__(self, in_channels, channels, radix=2, hidden=32):\n"
            "        super().__init__()\n"
            "        self.radix = radix\n"
            "        self.mix = nn.Sequential(nn.Conv3d(channels, hidden, 1), nn.ReLU(), nn.Conv3d(hidden, "
            "radix * channels, 1))\n"
            "        self.u = nn.Sequential(nn.Conv3d(in_channels, radix * channels, 3, padding='same', "
            "groups=radix, bias=False), nn.ReLU())\n"
            "    def forward(self, x):\n"
            "        parts = torch.stack(self.u(x).chunk(self.radix, 1), 1)\n"
            "        z = nn.functional.adaptive_avg_pool3d(parts.sum(1), 1)\n"
            "        shares = torch.stack(self.mix(z).chunk(self.radix, 1), 1).softmax(1)\n"
            "        return (shares * parts).sum(1)"),
        Answer("einsum for the mixture", [
            ("(logits.softmax(dim=1) * u).sum(dim=1)",
             "torch.einsum('brcijk,brcdhw->bcdhw', logits.softmax(dim=1), u)"),
        ]),
        Answer("lazy layers", [
            ("nn.Conv3d(channels, hidden, 1)", "nn.LazyConv3d(hidden, 1)"),
            ("nn.Conv3d(hidden, radix", "nn.LazyConv3d(radix"),
        ]),
        Answer("mean of space first", [
            ("u.sum(dim=1).mean(dim=(2, 3, 4), keepdim=True)", "u.mean(dim=(3, 4, 5), keepdim=True).sum(dim=1)"),
        ]),
        Answer("a loop over the splits", [
            ("(logits.softmax(dim=1) * u).sum(dim=1)",
             "sum(logits.softmax(dim=1)[:, r] * u[:, r] for r in range(self.radix))"),
        ]),
    ],
    "04-folds": [
        Answer("pandas",
            "def assign_folds(subjects, folds, seed):\n"
            "    import pandas as pd\n"
            "    people = pd.Series(sorted(set(subjects))).sample(frac=1, "
            "random_state=seed).reset_index(drop=True)\n"
            "    return pd.Series(subjects).map({p: k % folds for k, p in people.items()})"),
        Answer("scikit-learn's KFold on patients",
            "def assign_folds(subjects, folds, seed):\n"
            "    from sklearn.model_selection import KFold\n"
            "    people, fold = sorted(set(subjects)), {}\n"
            "    for k, (_, test) in enumerate(KFold(folds, shuffle=True, random_state=seed).split(people)):\n"
            "        fold |= {people[i]: k for i in test}\n"
            "    return [fold[s] for s in subjects]"),
        Answer("random.Random",
            "def assign_folds(subjects, folds, seed):\n"
            "    import random\n"
            "    people = sorted(set(subjects))\n"
            "    random.Random(seed).shuffle(people)\n"
            "    return [people.index(s) % folds for s in subjects]"),
        Answer("numpy, unique and inverse",
            "def assign_folds(subjects, folds, seed):\n"
            "    people, inverse = np.unique(subjects, return_inverse=True)\n"
            "    return (np.random.default_rng(seed).permutation(len(people)) % folds)[inverse]"),
        Answer("torch",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = sorted(set(subjects))\n"
            "    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed))\n"
            "    return torch.stack([order[people.index(s)] for s in subjects]) % folds"),
        Answer("seeded global chance",
            "def assign_folds(subjects, folds, seed):\n"
            "    np.random.seed(seed)\n"
            "    people = np.random.permutation(sorted(set(subjects)))\n"
            "    where = {p: k % folds for k, p in enumerate(people)}\n"
            "    return np.array([where[s] for s in subjects])"),
        Answer("a hash of name and seed",
            "def assign_folds(subjects, folds, seed):\n"
            "    import hashlib\n"
            "    people = sorted({*subjects}, key=lambda p: hashlib.md5(f'{p}{seed}'.encode()).hexdigest())\n"
            "    return [people.index(s) % folds for s in subjects]"),
        Answer("array_split",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))\n"
            "    where = {p: k for k, part in enumerate(np.array_split(people, folds)) for p in part}\n"
            "    return [where[s] for s in subjects]"),
        Answer("order of the table, shuffled",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = np.random.default_rng(seed).permutation(list(dict.fromkeys(subjects)))\n"
            "    where = {p: k % folds for k, p in enumerate(people)}\n"
            "    return tuple(where[s] for s in subjects)"),
    ],
}  # fmt: skip
