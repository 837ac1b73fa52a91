"""More wrong answers to the exercises of notebook 11, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "11-tips": [
        Answer("strictly below 0", [("<= 0", "< 0")], "A curve that has a point exactly at 0"),
        Answer("upwards only", [
            ("a != b and (a - 0.5) * (b - 0.5) <= 0", "a < 0.5 <= b"),
        ], "A curve may also cross on its way down"),
        Answer("downwards only", [
            ("a != b and (a - 0.5) * (b - 0.5) <= 0", "a > 0.5 >= b"),
        ], "A curve may also cross on its way up"),
        Answer("from the wrong end", [
            ("(0.5 - a) / (b - a)", "(0.5 - b) / (a - b)"),
        ], "The way is measured from the wrong end"),
        Answer("way not multiplied", [
            (" * (x[place + 1] - x[place])", ""),
        ], "The share of the way is not multiplied by the way"),
        Answer("x₀ not added", [("float(x[place] + ", "float(")], "That is the way from x₀"),
        Answer("multiplied by x₁", [
            ("(x[place + 1] - x[place])", "x[place + 1]"),
        ], "The share of the way is multiplied by x₁"),
        Answer("nearest point",
            "lambda x, probability: float(x[min(range(len(x)), key=lambda i: abs(probability[i] - 0.5))])",
            "That is the point nearest to 0"),
        Answer("last point if none", [("float(\"nan\")", "x[-1]")], "A curve that never crosses tips nowhere"),
        Answer("None if none", [("return float(\"nan\")", "return None")], "Your function returns None"),
        Answer("minus one if none", [("float(\"nan\")", "-1.0")], "and NaN was expected"),
        Answer("sign of the share", [("(0.5 - a) / (b - a)", "(a - 0.5) / (b - a)")], "and 30 was expected"),
        Answer("one half written as 0", [("(0.5 - a)", "(0.0 - a)")], "and 30 was expected"),
        Answer("last crossing",
            "def tips_at(x, probability):\n"
            "    found = float('nan')\n"
            "    for k in range(len(x) - 1):\n"
            "        a, b = probability[k], probability[k + 1]\n"
            "        if a != b and (a - 0.5) * (b - 0.5) <= 0:\n"
            "            found = x[k] + (0.5 - a) / (b - a) * (x[k + 1] - x[k])\n"
            "    return found",
            "That is the last crossing"),
        Answer("first pair left out", [("range(len(x) - 1)", "range(1, len(x) - 1)")], "and 6 was expected"),
    ],
    "11-effect": [
        Answer("before only",
            "lambda look, tumour, change, network, control: look(tumour)[network] - look(tumour)[control]",
            "Those are two networks before the change"),
        Answer("control alone", [
            ("(after[network] - before[network]) - (after[control] - before[control])",
             "after[control] - before[control]"),
        ], "That is the control's change alone"),
        Answer("signs lost", [
            ("(after[network] - before[network]) - (after[control] - before[control])",
             "abs(after[network] - before[network]) - abs(after[control] - before[control])"),
        ], "The signs of the changes are lost"),
        Answer("after of one, before of other", [
            ("(after[network] - before[network]) - (after[control] - before[control])",
             "after[network] - before[control]"),
        ], "After of the one minus before of the other"),
        Answer("relative to before", [
            ("(after[network] - before[network]) - (after[control] - before[control])",
             "((after[network] - before[network]) - (after[control] - before[control])) / before[network]"),
        ], "You divided by the probability before"),
        Answer("mean of the two", [
            ("(after[network] - before[network]) - (after[control] - before[control])",
             "((after[network] - before[network]) - (after[control] - before[control])) / 2"),
        ], "That is half of it"),
        Answer("names written down", [
            ("[network]", "['cheat']"),
            ("[control]", "['honest']"),
        ], "`network` and `control` are not used"),
        Answer("first trait only", [
            ("**change", "**dict([*change.items()][:1])"),
        ], "Only the first trait of the change is changed"),
        Answer("bracket forgotten", [
            ("- (after[control] - before[control])", "- after[control] - before[control]"),
        ], "and 0.7 was expected"),
        Answer("change applied to nothing", [
            ("look(replace(tumour, **change))", "look(tumour)"),
        ], "everywhere, whatever"),
        Answer("control and network turned", [
            ("[network]", "[x]"),
            ("[control]", "[network]"),
            ("[x]", "[control]"),
        ], "The sign is the other way round"),
        Answer("ratio of changes", [
            ("(after[network] - before[network]) - (after[control] - before[control])",
             "(after[network] - before[network]) / (after[control] - before[control])"),
        ], "That is a ratio"),
        Answer("a dictionary", [
            ("return (after[network] - before[network]) - (after[control] - before[control])",
             "return {n: after[n] - before[n] for n in (network, control)}"),
        ], "was expected"),
        Answer("before twice", [
            ("after[control] - before[control]", "before[control] - before[control]"),
        ], "That is the change of the network alone"),
    ],
}  # fmt: skip
