"""More wrong answers to the exercises of notebook 05, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "05-count": [
        Answer("two texts", [("return full, pseudo", "return str(full), str(pseudo)")], "were expected"),
        Answer("nine for the second", [("3 * c_out * c_out", "9 * c_out * c_out")], "The second kernel is 3×1×1"),
        Answer("kernels turned",
            "lambda c_in, c_out: (27 * c_in * c_out, 3 * c_in * c_out + 9 * c_out * c_out)",
            "The two kernels have changed places"),
        Answer("nine for the full one", [("27 * c_in * c_out", "9 * c_in * c_out")], "A 3×3×3 kernel has 27 weights"),
        Answer("sums of channels",
            "lambda c_in, c_out: (27 * (c_in + c_out), 9 * (c_in + c_out) + 6 * c_out)",
            "Channels in and out multiply"),
        Answer("output channels only",
            "lambda c_in, c_out: (27 * c_out, 9 * c_out + 3 * c_out)",
            "The input's channels are missing"),
        Answer("one reader in the second", [
            ("3 * c_out * c_out", "3 * c_out"),
        ], "The second convolution reads c_out channels as well"),
        Answer("two biases only", [
            ("3 * c_out * c_out", "3 * c_out * c_out + 2 * c_out"),
        ], "These convolutions have no biases"),
        Answer("hard-coded 64 and 128",
            "lambda c_in, c_out: (27 * 64 * 128, 9 * 64 * 128 + 3 * 128 * 128)",
            "`c_in` makes no difference"),
        Answer("one off", [("full = 27 * c_in * c_out", "full = 27 * c_in * c_out + 1")], "other numbers"),
        Answer("six for the second", [("3 * c_out * c_out", "6 * c_out * c_out")], "other numbers"),
        Answer("a saving in per cent",
            "lambda c_in, c_out: 100 * (1 - (9 * c_in * c_out + 3 * c_out ** 2) / (27 * c_in * c_out))",
            "were expected"),
        Answer("three to the fourth", [("27 *", "81 *")], "other numbers"),
    ],
    "05-channel": [
        Answer("second kernel of one", [
            ("reduction, channels, (3, 1, 1), padding=(1, 0, 0))", "reduction, channels, 1)"),
        ], "One of your kernels is 1×1×1"),
        Answer("reduction written as 16", [("channels // reduction", "channels // 16")], "`reduction` is not used"),
        Answer("reduction written as 4", [("channels // reduction", "channels // 4")], "`reduction` is not used"),
        Answer("five slices", [
            ("(3, 1, 1), padding=(1, 0, 0)", "(5, 1, 1), padding=(2, 0, 0)"),
        ], "A kernel of yours reaches over 5 slices"),
        Answer("double sigmoid", [(".sigmoid()", ".sigmoid().sigmoid()")], "There are two sigmoids"),
        Answer("ReLU before the sigmoid", [(".sigmoid()", ".relu().sigmoid()")], "A ReLU stands before the sigmoid"),
        Answer("ReLU last", [(".sigmoid()", ".relu()")], "The last step should be a sigmoid"),
        Answer("tanh in the middle", [
            ("(means).relu()", "(means).tanh()"),
        ], "Between the two convolutions stands a tanh"),
        Answer("sigmoid in the middle", [
            ("(means).relu()", "(means).sigmoid()"),
        ], "Between the two convolutions stands a sigmoid"),
        Answer("gate turned", [("return self", "return 1 - self")], "The gate is turned"),
        Answer("mean gate of the slices", [
            (".sigmoid()", ".sigmoid().mean(2, keepdim=True).expand(-1, -1, x.shape[2], -1, -1)"),
        ], "Every slice has the mean gate"),
        Answer("mean gate of the channels", [(".sigmoid()", ".sigmoid().mean(1, keepdim=True)")], "One gate per slice"),
        Answer("given to every voxel", [(".sigmoid()", ".sigmoid().expand_as(x)")], "The numbers are right"),
        Answer("padding on the wrong axis", [
            ("padding=(1, 0, 0)", "padding=(0, 1, 0)"),
        ], "Of 6 slices, 2 are left: the padding is"),
        Answer("padding everywhere", [("padding=(1, 0, 0)", "padding=1")], "has shape"),
        Answer("linear over the channels", [
            ("nn.Conv3d(channels, channels // reduction, (3, 1, 1), padding=(1, 0, 0))",
             "nn.Linear(channels, channels // reduction)"),
            ("nn.Conv3d(channels // reduction, channels, (3, 1, 1), padding=(1, 0, 0))",
             "nn.Linear(channels // reduction, channels)"),
            ("x.mean(dim=(3, 4), keepdim=True)", "x.mean(dim=(3, 4)).transpose(1, 2)"),
        ], "`reduce.weight` belongs to a linear laye"),
        Answer("first without bias", [
            ("reduction, (3, 1, 1), padding=(1, 0, 0))", "reduction, (3, 1, 1), padding=(1, 0, 0), bias=False)"),
        ], "Your module has 3 parameters (reduce"),
        Answer("pooled over depth and height", [("dim=(3, 4)", "dim=(2, 3)")], "has shape"),
    ],
    "05-test": [
        Answer("sorted", "lambda gates: gates.sort(dim=2).values", "keeps its own gate"),
        Answer("mirrored gates", "lambda gates: 1 - gates", "not the same numbers"),
        Answer("first and last exchanged",
            "lambda gates: gates[:, :, [-1, *range(1, gates.shape[2] - 1), 0]]",
            "keeps its own gate"),
        Answer("moved on without an end", "lambda gates: torch.nn.functional.pad(gates[:, :, 1:], (0, 0, 0, 0, 0, 1))",
            "not the same numbers"),
        Answer("moved by half a slice", "lambda gates: (gates + gates.roll(1, 2)) / 2", "not the same numbers"),
        Answer("moved on by three", "lambda gates: gates.roll(3, 2)", "Nothing has moved"),
        Answer("moved on by two", "lambda gates: gates.roll(2, 2)", "Nothing has moved"),
        Answer("slices and channels at once", "lambda gates: gates.roll((1, 1), (1, 2))", "gates of another channel"),
        Answer("slices and volumes at once", "lambda gates: gates.roll((1, 1), (0, 2))", "gates of another volume"),
        Answer("all closed", "lambda gates: torch.zeros_like(gates)", "same gate now"),
        Answer("noise as large", "lambda gates: torch.rand(gates.shape)", "not the same numbers"),
        Answer("flat", "lambda gates: gates.flatten(2).roll(1, 2)", "must keep its own"),
        Answer("without the batch", "lambda gates: gates[0].roll(1, 1)", "must keep its own"),
    ],
}  # fmt: skip
