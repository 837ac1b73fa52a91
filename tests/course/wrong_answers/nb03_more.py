"""More wrong answers to the exercises of notebook 03, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "03-describe": [
        Answer("median for mean", [
            ("x.mean(dim=1, keepdim=True)", "x.median(dim=1, keepdim=True).values"),
        ], "You have the median"),
        Answer("absolute maximum", [("x.amax(", "x.abs().amax(")], "The first is the largest absolute value"),
        Answer("range for spread", [
            ("x.std(dim=1, keepdim=True, unbiased=False)",
             "x.amax(dim=1, keepdim=True) - x.amin(dim=1, keepdim=True)"),
        ], "The third is the range"),
        Answer("mean distance for spread", [
            ("x.std(dim=1, keepdim=True, unbiased=False)", "(x - mean).abs().mean(dim=1, keepdim=True)"),
        ], "The third is the mean distance from the mean"),
        Answer("order turned", [("[largest, mean, spread]", "[spread, mean, largest]")], "The order is turned round"),
        Answer("mean and spread turned", [
            ("[largest, mean, spread]", "[largest, spread, mean]"),
        ], "Mean and standard deviation have changed places"),
        Answer("largest twice", [("[largest, mean, spread]", "[largest, largest, spread]")], "other numbers"),
        Answer("root of the mean square", [
            ("x.std(dim=1, keepdim=True, unbiased=False)", "x.square().mean(dim=1, keepdim=True).sqrt()"),
        ], "other numbers"),
        Answer("added, not joined", [
            ("torch.cat([largest, mean, spread], dim=1)", "largest + mean + spread"),
        ], "has shape"),
        Answer("x.max without values", [("x.amax(dim=1, keepdim=True)", "x.max(dim=1, keepdim=True)")], "TypeError"),
        Answer("channels last",
            "lambda x: torch.stack([x.amax(1), x.mean(1), x.std(1, unbiased=False)], dim=-1)",
            "has shape"),
        Answer("softmax of the three",
            "lambda x: torch.stack([x.amax(1), x.mean(1), x.std(1, unbiased=False)], dim=1).softmax(1)",
            "There is a softmax too many"),
        Answer("keepdim forgotten", [(", keepdim=True", "")], "but the shape is"),
    ],
    "03-channel": [
        Answer("linear layers", [
            ("nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)",
             "nn.Linear(channels, channels // reduction, bias=False)"),
            ("nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)",
             "nn.Linear(channels // reduction, channels, bias=False)"),
            ("x.mean(dim=(2, 3, 4), keepdim=True), x.amax(dim=(2, 3, 4), keepdim=True)",
             "x.mean(dim=(2, 3, 4)), x.amax(dim=(2, 3, 4))"),
            ("logits.sigmoid()", "logits.sigmoid()[:, :, None, None, None]"),
        ], "`first.weight` belongs to a linear layer"),
        Answer("reduction written as 4", [("channels // reduction", "channels // 4")], "`reduction` is not used"),
        Answer("reduction written as 16", [("channels // reduction", "channels // 16")], "`reduction` is not used"),
        Answer("smallest for largest", [
            ("x.amax(", "x.amin("),
        ], "You pooled the smallest value where the largest belongs"),
        Answer("difference of the two", [
            ("sum(self.second(self.first(pool).relu()) for pool in pools)",
             "self.second(self.first(pools[0]).relu()) - self.second(self.first(pools[1]).relu())"),
        ], "You took the difference of the two"),
        Answer("mean of two sigmoids", [
            ("sum(self.second(self.first(pool).relu()) for pool in pools)",
             "sum(self.second(self.first(pool).relu()).sigmoid() for pool in pools) / 2"),
            ("logits.sigmoid()", "logits"),
        ], "There are two sigmoids"),
        Answer("mean twice", [
            ("x.amax(dim=(2, 3, 4), keepdim=True)", "x.mean(dim=(2, 3, 4), keepdim=True)"),
        ], "The mean goes in twice"),
        Answer("maximum twice", [
            ("x.mean(dim=(2, 3, 4), keepdim=True)", "x.amax(dim=(2, 3, 4), keepdim=True)"),
        ], "The maximum goes in twice"),
        Answer("double sigmoid", [("logits.sigmoid()", "logits.sigmoid().sigmoid()")], "There are two sigmoids"),
        Answer("ReLU before the sigmoid", [
            ("logits.sigmoid()", "logits.relu().sigmoid()"),
        ], "A ReLU stands before the sigmoid"),
        Answer("map turned", [("logits.sigmoid()", "1 - logits.sigmoid()")], "The map is turned"),
        Answer("one bias too many", [
            ("kernel_size=1, bias=False)\n        self.second", "kernel_size=1)\n        self.second"),
        ], "Your convolutions have biases"),
        Answer("pooled over two axes", [("dim=(2, 3, 4)", "dim=(3, 4)")], "has shape"),
        Answer("layers in a plain list", [
            ("self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)",
             "self.mlp = [nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)]"),
            ("self.second = nn.Conv3d", "self.mlp += [nn.Conv3d"),
            ("channels, kernel_size=1, bias=False)\n\n", "channels, kernel_size=1, bias=False)]\n\n"),
            ("self.second(self.first(pool).relu())", "self.mlp[1](self.mlp[0](pool).relu())"),
        ], "`self.mlp` is a plain list: torch does n"),
        Answer("kernel of three", [
            ("reduction, kernel_size=1", "reduction, kernel_size=3, padding=1"),
        ], "After the pooling there is one voxel"),
        Answer("gelu", [("self.first(pool).relu()", "torch.nn.functional.gelu(self.first(pool))")], "other numbers"),
    ],
    "03-flatten": [
        Answer("median",
            "lambda maps: maps.flatten(2).median(2).values[..., None, None].expand_as(maps)",
            "That is the median"),
        Answer("one half", "lambda maps: torch.full_like(maps, 0.5)", "One half for everybody changes the amount"),
        Answer("one over the places",
            "lambda maps: torch.full_like(maps, 1 / (maps.shape[2] * maps.shape[3]))",
            "1 over the number of places is not the map's own amount"),
        Answer("left and right turned", "lambda maps: maps.flip(3)", "The places have changed sides"),
        Answer("smallest",
            "lambda maps: maps.amin(dim=(2, 3), keepdim=True).expand_as(maps)",
            "That is the smallest value"),
        Answer("softmax over places",
            "lambda maps: maps.flatten(2).softmax(2).reshape(maps.shape)",
            "A softmax keeps the places"),
        Answer("transposed", "lambda maps: maps.transpose(2, 3)", "has shape"),
        Answer("centre value",
            "lambda maps: maps[:, :, maps.shape[2] // 2, maps.shape[3] // 2][..., None, None].expand_as(maps)",
            "other numbers"),
        Answer("places shuffled",
            "lambda maps: maps.flatten(2)[:, :, torch.randperm(maps[0, 0].numel())].reshape(maps.shape)",
            "other numbers"),
        Answer("half way", "lambda maps: (maps + maps.mean(dim=(2, 3), keepdim=True)) / 2", "other numbers"),
        Answer("mean of the non-zero places",
            "lambda maps: (maps.sum((2, 3), keepdim=True) / (maps > 0).sum((2, 3), keepdim=True)).expand_as(maps)",
            "other numbers"),
        Answer("divided by a fixed 20",
            "lambda maps: (maps.sum((2, 3), keepdim=True) / 20).expand_as(maps)",
            "times a factor"),
    ],
}  # fmt: skip
