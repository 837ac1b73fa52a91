"""More wrong answers to the exercises of notebook 04, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "04-shares": [
        Answer("two splits always", [("(radix, -1)", "(2, -1)")], "You made two splits"),
        Answer("only exp", [(".softmax(dim=1)", ".exp()")], "The exponentials are not divided by their sum"),
        Answer("minus the logits",
            "lambda logits, radix: (-logits).unflatten(1, (radix, -1)).softmax(dim=1)",
            "The sign is turned"),
        Answer("batch and splits turned",
            "lambda logits, radix: logits.unflatten(1, (radix, -1)).softmax(dim=1).transpose(0, 1)",
            "The axes are (R"),
        Answer("softmax twice", [(".softmax(dim=1)", ".softmax(dim=1).softmax(dim=1)")], "There are two softmaxes"),
        Answer("equal shares",
            "lambda logits, radix: torch.full_like(logits.unflatten(1, (radix, -1)), 1 / radix)",
            "Equal shares do not depend on the logits"),
        Answer("winner takes all",
            "lambda logits, radix: (logits.unflatten(1, (radix, -1)) == logits.unflatten(1, (radix, "
            "-1)).amax(1, keepdim=True)).float()",
            "The largest takes all"),
        Answer("sigmoids over their sum",
            "lambda logits, radix: logits.unflatten(1, (radix, -1)).sigmoid() / logits.unflatten(1, (radix, "
            "-1)).sigmoid().sum(1, keepdim=True)",
            "These are sigmoids"),
        Answer("reshaped through the batch",
            "lambda logits, radix: logits.reshape(radix, len(logits), -1).softmax(0).transpose(0, 1)",
            "other numbers"),
        Answer("view as (B, C, R), softmax over C",
            "lambda logits, radix: logits.unflatten(1, (-1, radix)).softmax(1)",
            "has shape"),
        Answer("temperature of the radix",
            "lambda logits, radix: (logits / radix).unflatten(1, (radix, -1)).softmax(dim=1)",
            "other numbers"),
        Answer("one split left out",
            "lambda logits, radix: logits.unflatten(1, (radix, -1)).softmax(dim=1)[:, 1:]",
            "has shape"),
    ],
    "04-split": [
        Answer("two splits hard-coded",
            "class SplitAttention3d(nn.Module):\n"
            "    def __init__(self, in_channels, channels, radix=2, hidden=32):\n"
            "        super().__init__()\n"
            "        self.c = channels\n"
            "        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=2, bias=False)\n"
            "        self.fc1 = nn.Conv3d(channels, hidden, 1)\n"
            "        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)\n"
            "\n"
            "    def forward(self, x):\n"
            "        u = self.conv(x).relu()\n"
            "        u1, u2 = u[:, : self.c], u[:, self.c : 2 * self.c]\n"
            "        z = (u1 + u2).mean((2, 3, 4), keepdim=True)\n"
            "        l = self.fc2(self.fc1(z).relu())\n"
            "        g = (l[:, : self.c] - l[:, self.c : 2 * self.c]).sigmoid()\n"
            "        return g * u1 + (1 - g) * u2",
            "has shape"),
        Answer("radix written as 2", [
            ("groups=radix", "groups=2"),
            ("(in_channels, radix * channels", "(in_channels, 2 * channels"),
            ("(hidden, radix * channels", "(hidden, 2 * channels"),
            ("self.radix = radix", "self.radix = 2"),
        ], "`radix` is not used"),
        Answer("forward with two splits", [("self.radix = radix", "self.radix = 2")], "Right for the first setting"),
        Answer("no padding", [("3, padding=1, groups", "3, groups")], "Space went from (3"),
        Answer("hidden written as 5", [
            ("nn.Conv3d(channels, hidden, 1)", "nn.Conv3d(channels, 5, 1)"),
            ("nn.Conv3d(hidden,", "nn.Conv3d(5,"),
        ], "`hidden` is not used"),
        Answer("linear layers", [
            ("nn.Conv3d(channels, hidden, 1)", "nn.Linear(channels, hidden)"),
            ("nn.Conv3d(hidden, radix * channels, 1)", "nn.Linear(hidden, radix * channels)"),
            ("mean(dim=(2, 3, 4), keepdim=True)", "mean(dim=(2, 3, 4))"),
            ("logits.softmax(dim=1)", "logits[..., None, None, None].softmax(dim=1)"),
        ], "`fc1.weight` belongs to a linear layer;"),
        Answer("C channels only", [
            ("(in_channels, radix * channels, 3, padding=1, groups=radix",
             "(in_channels, channels, 3, padding=1, groups=1"),
        ], "Your convolution gives C channels"),
        Answer("last split described", [
            ("u.sum(dim=1).mean", "u[:, -1].mean"),
        ], "You described the last split alone"),
        Answer("shares to the wrong split", [
            ("logits.softmax(dim=1)", "logits.softmax(dim=1).flip(1)"),
        ], "Each split gets another one's share"),
        Answer("log of the shares", [
            ("softmax(dim=1)", "log_softmax(dim=1)"),
        ], "You mix with the logarithms of the shares"),
        Answer("largest of the weighted", [
            ("* u).sum(dim=1)", "* u).amax(dim=1)"),
        ], "You took the largest of the weighted splits"),
        Answer("second layer without bias", [
            ("nn.Conv3d(hidden, radix * channels, 1)", "nn.Conv3d(hidden, radix * channels, 1, bias=False)"),
        ], "Your module has 4 parameters (conv"),
        Answer("pooled over two axes", [
            ("mean(dim=(2, 3, 4), keepdim=True)", "mean(dim=(3, 4), keepdim=True)"),
        ], "other numbers"),
        Answer("keepdim forgotten", [
            ("mean(dim=(2, 3, 4), keepdim=True)", "mean(dim=(2, 3, 4))"),
        ], "Axes of space are gone"),
        Answer("unsqueezed at the wrong place", [
            ("logits = self.fc2(self.fc1(z).relu()).unflatten(1, (self.radix, -1))",
             "logits = self.fc2(self.fc1(z).relu()).unflatten(1, (-1, self.radix))"),
        ], "Shares and splits do not fit"),
        Answer("kernel of one", [("radix * channels, 3, padding=1", "radix * channels, 1")], "has shape"),
        Answer("plain list of layers", [
            ("self.fc1 = nn.Conv3d(channels, hidden, 1)", "self.fc = [nn.Conv3d(channels, hidden, 1)]"),
            ("self.fc2 = nn.Conv3d(hidden, radix * channels, 1)",
             "self.fc.append(nn.Conv3d(hidden, radix * channels, 1))"),
            ("self.fc2(self.fc1(z).relu())", "self.fc[1](self.fc[0](z).relu())"),
        ], "`self.fc` is a plain list: torch does no"),
    ],
    "04-folds": [
        Answer("set without sorted", [
            ("sorted(set(subjects))", "list(set(subjects))"),
        ], "Your split depends on the order of a `set`"),
        Answer("set in braces", [
            ("sorted(set(subjects))", "list({s for s in subjects})"),
        ], "Your split depends on the order of a `set`"),
        Answer("seed renames the folds",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = sorted(set(subjects))\n"
            "    fold_of = {p: (k + seed) % folds for k, p in enumerate(people)}\n"
            "    return [fold_of[s] for s in subjects]",
            "With seeds 0 and 1"),
        Answer("seed rotates the list",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = sorted(set(subjects))\n"
            "    people = people[seed:] + people[:seed]\n"
            "    fold_of = {p: k % folds for k, p in enumerate(people)}\n"
            "    return [fold_of[s] for s in subjects]",
            "With seeds 0 and 1"),
        Answer("broken fold numbers", [
            ("number % folds for", "number % folds + 0.4 for"),
        ], "There is a fold number 0"),
        Answer("fold numbers as texts", [
            ("number % folds for", "str(number % folds) for"),
        ], "Your answer is a list of 89 texts"),
        Answer("blocks of patients", [
            ("number % folds for", "number // folds for"),
        ], "The folds have 3 to 5 patients"),
        Answer("seed fixed at 0", [("default_rng(seed)", "default_rng(0)")], "The seed changes nothing"),
        Answer("global chance", [
            ("np.random.default_rng(seed).permutation", "np.random.permutation"),
        ], "The same seed gave two different splits"),
        Answer("in place shuffle of the input",
            "def assign_folds(subjects, folds, seed):\n"
            "    np.random.default_rng(seed).shuffle(subjects)\n"
            "    return [k % folds for k in range(len(subjects))]",
            "Your function changes its input"),
        Answer("a list per fold",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))\n"
            "    return [list(people[k::folds]) for k in range(folds)]",
            "Your answer is a list of 5 values"),
        Answer("True for the test fold",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))\n"
            "    return [s in set(people[::folds]) for s in subjects]",
            "Fold 2 of 5 is empty"),
        Answer("even slices, not patients",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))\n"
            "    load, fold_of = [0] * folds, {}\n"
            "    for p in people:\n"
            "        k = load.index(min(load))\n"
            "        fold_of[p] = k\n"
            "        load[k] += subjects.count(p) ** 3\n"
            "    return [fold_of[s] for s in subjects]",
            "The folds have 3 to 7 patients"),
        Answer("seed reverses the list",
            "def assign_folds(subjects, folds, seed):\n"
            "    people = sorted(set(subjects), reverse=seed % 2 == 1)\n"
            "    fold_of = {p: k % folds for k, p in enumerate(people)}\n"
            "    return [fold_of[s] for s in subjects]",
            "With seeds 0 and 1"),
        Answer("checksum of the name",
            "def assign_folds(subjects, folds, seed):\n"
            "    import zlib\n"
            "    return [zlib.crc32(s.encode()) % folds for s in subjects]",
            "The folds have 2 to 7 patients"),
    ],
}  # fmt: skip
