"""More wrong answers to the exercises of notebook 12, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "12-sizes": [
        Answer("four lengths", [("affine[:3, :3]", "affine")], "There are four lengths"),
        Answer("volume of a voxel", [
            ("np.sqrt((affine[:3, :3] ** 2).sum(axis=0))", "abs(np.linalg.det(affine[:3, :3]))"),
        ], "That is the volume of a voxel"),
        Answer("eigenvalues", [
            ("np.sqrt((affine[:3, :3] ** 2).sum(axis=0))", "abs(np.linalg.eigvals(affine[:3, :3]))"),
        ], "Those are eigenvalues"),
        Answer("singular values", [
            ("np.sqrt((affine[:3, :3] ** 2).sum(axis=0))", "np.linalg.svd(affine[:3, :3])[1]"),
        ], "Those are singular values"),
        Answer("sorted",
            "lambda affine: np.sort(np.sqrt((affine[:3, :3] ** 2).sum(axis=0)))",
            "The sizes are sorted"),
        Answer("turned round",
            "lambda affine: np.sqrt((affine[:3, :3] ** 2).sum(axis=0))[::-1]",
            "The sizes are turned round"),
        Answer("rounded",
            "lambda affine: np.sqrt((affine[:3, :3] ** 2).sum(axis=0)).round()",
            "The sizes are rounded"),
        Answer("one size",
            "lambda affine: np.full(3, abs(np.linalg.det(affine[:3, :3])) ** (1 / 3))",
            "One size for all three axes"),
        Answer("plain sums", "lambda affine: affine[:3, :3].sum(axis=0)", "You added the parts of a step"),
        Answer("mean square", [(".sum(axis=0)", ".mean(axis=0)")], "times the right one"),
        Answer("sum over everything", [(".sum(axis=0)", ".sum()")], "was expected"),
        Answer("two sizes", [("affine[:3, :3]", "affine[:2, :2]")], "has shape"),
        Answer("norm of the whole matrix", "lambda affine: np.linalg.norm(affine[:3, :3])", "was expected"),
        Answer("millimetres to centimetres",
            "lambda affine: np.sqrt((affine[:3, :3] ** 2).sum(axis=0)) / 10",
            "times the right one"),
        Answer("first row first", "lambda affine: abs(affine[0, :3])", "other numbers"),
    ],
    "12-split": [
        Answer("set without sorted",
            "lambda subjects, n: [s in list(set(subjects))[:n] for s in subjects]",
            "Your choice depends on the order of a `set`"),
        Answer("last of the alphabet", [("[:n]", "[-n:]")], "Those are the last n of the alphabet"),
        Answer("one too many", [("[:n]", "[: n + 1]")], "One patient too many is tested"),
        Answer("one too few", [("[:n]", "[: n - 1]")], "One patient too few is tested"),
        Answer("the nth only", [("return [subject in chosen", "return [subject in chosen[-1:]")], "are wrong)"),
        Answer("first left out", [("[:n]", "[1 : n + 1]")], "The first patient of the alphabet is left out"),
        Answer("the patients", [
            ("return [subject in chosen for subject in subjects]", "return chosen"),
        ], "Those are the patients"),
        Answer("places of the tested", [
            ("return [subject in chosen for subject in subjects]",
             "return [k for k, s in enumerate(subjects) if s in chosen]"),
        ], "Those are the places of the tested scans"),
        Answer("names of the tested", [
            ("[subject in chosen for subject in subjects]", "[s for s in subjects if s in chosen]"),
        ], "Those are the tested scans' patients"),
        Answer("ones and zeros", [
            ("[subject in chosen for", "[int(subject in chosen) for"),
        ], "The marks are numbers 1 and 0"),
        Answer("sorted backwards", [("sorted(set(subjects))", "sorted(set(subjects), reverse=True)")], "are wrong)"),
        Answer("by the number of scans", [
            ("sorted(set(subjects))", "sorted(set(subjects), key=subjects.count)"),
        ], "Your choice depends on the order of a `set`"),
        Answer("by length of the name", [
            ("sorted(set(subjects))", "sorted(set(subjects), key=lambda s: (len(s), s))"),
        ], "You sorted by length first"),
        Answer("random patients", [
            ("sorted(set(subjects))", "list(np.random.default_rng(0).permutation(sorted(set(subjects))))"),
        ], "are wrong)"),
        Answer("hard-coded a and b", [("subject in chosen", "subject in ('a', 'b')")], "`n` makes no difference"),
        Answer("sorts the table", [
            ("    chosen", "    subjects.sort()\n    chosen"),
        ], "Your function changes its input"),
    ],
    "12-holm": [
        Answer("stops one late", [
            ("            break\n"
             "        marks[at] = True",
             "            marks[at] = True\n"
             "            break\n"
             "        marks[at] = True"),
        ], "are wrong)"),
        Answer("steps one too far", [("(len(p_values) - step)", "max(len(p_values) - step - 1, 1)")], "are wrong)"),
        Answer("steps the wrong way", [("(len(p_values) - step)", "(step + 1)")], "The steps run the wrong way"),
        Answer("begins at m + 1", [
            ("(len(p_values) - step)", "(len(p_values) - step + 1)"),
        ], "The steps begin at m + 1"),
        Answer("Bonferroni with a stop", [
            ("(len(p_values) - step)", "len(p_values)"),
        ], "Every p value is compared with level / m"),
        Answer("equal fails", [
            ("p_values[at] > level", "p_values[at] >= level"),
        ], "A p value that equals its limit survives"),
        Answer("Hochberg",
            "def survivors(p_values, level):\n"
            "    order, m = np.argsort(p_values), len(p_values)\n"
            "    last = max((k for k in range(m) if p_values[order[k]] <= level / (m - k)), default=-1)\n"
            "    marks = [False] * m\n"
            "    for at in order[: last + 1]:\n"
            "        marks[at] = True\n"
            "    return marks",
            "That is Hochberg's rule"),
        Answer("largest first", [
            ("np.argsort(p_values)", "np.argsort(p_values)[::-1]"),
        ], "You began with the largest p value"),
        Answer("Šidák",
            "lambda p_values, level: [1 - (1 - p) ** len(p_values) <= level for p in p_values]",
            "That is Šidák's rule for each alone"),
        Answer("places of the survivors", [
            ("return marks", "return [k for k, mark in enumerate(marks) if mark]"),
        ], "Those are the places of the survivors"),
        Answer("their number", [("return marks", "return sum(marks)")], "That is their number"),
        Answer("level written down", [("level /", "0.05 /")], "`level` is not used"),
        Answer("step's place, not the factor's", [
            ("marks[at] = True", "marks[step] = True"),
        ], "Your marks are in the order of the p values"),
        Answer("adjusted p values", [
            ("return marks", "return [p * len(p_values) for p in p_values]"),
        ], "`level` makes no difference"),
        Answer("multiplied, not divided", [
            ("level / (len(p_values) - step)", "level * (len(p_values) - step)"),
        ], "are wrong)"),
        Answer("the survivors' p values", [("return marks", "return p_values[marks]")], "were expected"),
    ],
}  # fmt: skip
