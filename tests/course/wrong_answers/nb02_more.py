"""More wrong answers to the exercises of notebook 02, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "02-squeeze": [
        Answer("counts what is not zero",
            "lambda u, inside: (u * inside).flatten(2).sum(2) / (u * inside != 0).flatten(2).sum(2)",
            "You divided by the pixels that are not 0"),
        Answer("sum over the air too", [
            ("(u * inside).flatten(2)", "u.flatten(2)"),
        ], "The sum runs over the air too"),
        Answer("first image's count", [
            ("inside.flatten(2).sum(dim=2)", "inside[0].sum()"),
        ], "Every image is divided by the count of the first one"),
        Answer("mean of the images too",
            "lambda u, inside: ((u * inside).flatten(2).sum(2) / inside.flatten(2).sum(2)).mean(0)",
            "You averaged over the images as well"),
        Answer("transposed",
            "lambda u, inside: ((u * inside).flatten(2).sum(2) / inside.flatten(2).sum(2)).T",
            "Rows and columns have changed places"),
        Answer("masked places only, all channels mixed",
            "lambda u, inside: torch.stack([x[:, m[0] > 0].mean() for x, m in zip(u, inside)])",
            "has shape"),
        Answer("median inside",
            "lambda u, inside: torch.stack([x[:, m[0] > 0].median(1).values for x, m in zip(u, inside)])",
            "other numbers"),
        Answer("mean of means over axes",
            "lambda u, inside: ((u * inside).sum(-1) / inside.sum(-1).clamp(min=1)).flatten(2).mean(2)",
            "other numbers"),
        Answer("one added to the count", [
            ("inside.flatten(2).sum(dim=2)", "inside.flatten(2).sum(dim=2) + 1"),
        ], "other numbers"),
        Answer("divided by the image's size",
            "lambda u, inside: (u * inside).flatten(2).sum(2) / (u.shape[-1] * u.shape[-2])",
            "other numbers"),
        Answer("slices only, flattened from 3", [
            ("total = (u * inside).flatten(2).sum(dim=2)", "total = (u * inside).flatten(3).sum(dim=3)"),
        ], "RuntimeError"),
        Answer("absolute values", [("(u * inside)", "(u.abs() * inside)")], "other numbers"),
        Answer("ReLU first", [("(u * inside)", "(u.relu() * inside)")], "other numbers"),
    ],
    "02-se-conv": [
        Answer("linear layers", [
            ("nn.Conv3d(channels, channels // reduction, kernel_size=1)",
             "nn.Linear(channels, channels // reduction)"),
            ("nn.Conv3d(channels // reduction, channels, kernel_size=1)",
             "nn.Linear(channels // reduction, channels)"),
            ("u.mean(dim=(2, 3, 4), keepdim=True)", "u.mean(dim=(2, 3, 4))"),
            ("return u * s", "return u * s[:, :, None, None, None]"),
        ], "`reduce.weight` belongs to a linear laye"),
        Answer("reduction written as 16", [
            ("channels // reduction, kernel_size", "channels // 16, kernel_size"),
            ("(channels // reduction, channels", "(channels // 16, channels"),
        ], "`reduction` is not used"),
        Answer("reduction written as 4", [
            ("channels // reduction, kernel_size", "channels // 4, kernel_size"),
            ("(channels // reduction, channels", "(channels // 4, channels"),
        ], "`reduction` is not used"),
        Answer("hidden layer is the reduction", [
            ("channels // reduction, kernel_size", "reduction, kernel_size"),
            ("(channels // reduction, channels", "(reduction, channels"),
        ], "has shape"),
        Answer("no reduction at all", [
            ("channels // reduction, kernel_size", "channels, kernel_size"),
            ("(channels // reduction, channels", "(channels, channels"),
        ], "`reduction` is not used"),
        Answer("double sigmoid", [(".sigmoid()", ".sigmoid().sigmoid()")], "There are two sigmoids"),
        Answer("pooled over two axes", [("dim=(2, 3, 4)", "dim=(3, 4)")], "You pooled over axes 3 and 4 only"),
        Answer("pooled over the batch too", [
            ("dim=(2, 3, 4)", "dim=(0, 2, 3, 4)"),
        ], "The squeeze runs over the batch too"),
        Answer("layers in a plain list", [
            ("self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)",
             "self.layers = [nn.Conv3d(channels, channels // reduction, kernel_size=1)]"),
            ("self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)",
             "self.layers.append(nn.Conv3d(channels // reduction, channels, kernel_size=1))"),
            ("self.expand(self.reduce(z).relu())", "self.layers[1](self.layers[0](z).relu())"),
        ], "`self.layers` is a plain list: torch doe"),
        Answer("layers made in forward", [
            ("self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)",
             "self.c, self.r = channels, reduction"),
            ("        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)\n", ""),
            ("self.expand(self.reduce(z).relu())",
             "nn.Conv3d(self.c // self.r, self.c, 1)(nn.Conv3d(self.c, self.c // self.r, 1)(z).relu())"),
        ], "Your layers are made anew in every call of `forward`"),
        Answer("tanh in the middle", [("(z).relu()", "(z).tanh()")], "Between the two convolutions stands a tanh"),
        Answer("GELU in the middle", [
            ("self.reduce(z).relu()", "torch.nn.functional.gelu(self.reduce(z))"),
        ], "Between the two convolutions stands a GELU"),
        Answer("sigmoid turned", [("u * s", "u * (1 - s)")], "The gate is turned"),
        Answer("one gate for all", [("u * s", "u * s.mean(dim=1, keepdim=True)")], "One gate for all channels"),
        Answer("divided", [("u * s", "u / s")], "You divided by the gate"),
        Answer("a third convolution", [
            ("kernel_size=1)\n"
             "        self.expand",
             "kernel_size=1)\n"
             "        self.third = nn.Conv3d(channels, channels, 1)\n"
             "        self.expand"),
        ], "Your module has 6 parameters (reduce"),
        Answer("batch norm after the first", [
            ("self.expand = ", "self.norm = nn.BatchNorm3d(channels // reduction)\n        self.expand = "),
        ], "`norm` is a normalisation"),
        Answer("kernel of three with padding", [
            ("reduction, kernel_size=1", "reduction, kernel_size=3, padding=1"),
        ], "After the squeeze there is one voxel"),
        Answer("ReLU before the sigmoid", [(".sigmoid()", ".relu().sigmoid()")], "A ReLU stands before the sigmoid"),
        Answer("an object, not the class", "SEConv3d = nn.Conv3d(4, 4, 1)", "Hand over the class itself"),
    ],
    "02-frozen-gates": [
        Answer("median", [
            (".mean(dim=0, keepdim=True)", ".median(dim=0, keepdim=True).values"),
        ], "That is the median"),
        Answer("one half",
            "lambda gates: torch.full_like(gates, 0.5)",
            "One half for everybody takes the channels' differences too"),
        Answer("images reversed", "lambda gates: gates.flip(0)", "The images have changed places"),
        Answer("channels reversed",
            "lambda gates: gates.mean(0, keepdim=True).expand_as(gates).flip(1)",
            "turned round along"),
        Answer("last image", "lambda gates: gates[-1:].expand_as(gates)", "other numbers"),
        Answer("smallest gate", "lambda gates: gates.amin(0, keepdim=True).expand_as(gates)", "other numbers"),
        Answer("mean of largest and smallest",
            "lambda gates: ((gates.amin(0, keepdim=True) + gates.amax(0, keepdim=True)) / 2).expand_as(gates)",
            "other numbers"),
        Answer("rounded",
            "lambda gates: gates.mean(0, keepdim=True).expand_as(gates).round()",
            "Your numbers are the right ones"),
        Answer("half way to the mean", "lambda gates: (gates + gates.mean(0, keepdim=True)) / 2", "other numbers"),
        Answer("divided by C",
            "lambda gates: (gates.sum(0, keepdim=True) / gates.shape[1]).expand_as(gates)",
            "times a factor"),
        Answer("transposed", "lambda gates: gates.mean(0, keepdim=True).expand_as(gates).T", "was expected"),
    ],
}  # fmt: skip
