"""Right answers to the exercises of notebook 06 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "06-cost": [
        Answer("numpy pair",
            "lambda channels, depth, height, width: np.array([2 * channels * (depth * height * width) ** 2, "
            "2 * channels * depth * height * width * (depth + height + width)])"),
        Answer("list", [("return non_local, rsa", "return [non_local, rsa]")]),
        Answer("floats", [("return non_local, rsa", "return float(non_local), float(rsa)")]),
        Answer("sum over the directions",
            "def multiplications(channels, depth, height, width):\n"
            "    n = depth * height * width\n"
            "    return n * channels * n + n * n * channels, sum(2 * s * s * channels * (n // s) for s in "
            "(depth, height, width))"),
        Answer("torch pair",
            "lambda channels, depth, height, width: torch.tensor([2 * channels * (depth * height * width) ** "
            "2, 2 * channels * depth * height * width * (depth + height + width)])"),
    ],
    "06-three-steps": [
        Answer("einsum",
            "lambda coronal, sagittal, axial, voxel: torch.einsum('d,h,w->dhw', axial[voxel[0]], "
            "coronal[voxel[1]], sagittal[voxel[2]])"),
        Answer("outer",
            "def three_steps(coronal, sagittal, axial, voxel):\n"
            "    d, h, w = voxel\n"
            "    return torch.outer(torch.outer(axial[d], coronal[h]).flatten(), "
            "sagittal[w]).reshape(len(axial), len(coronal), len(sagittal))"),
        Answer("numpy",
            "lambda coronal, sagittal, axial, voxel: "
            "np.multiply.outer(np.multiply.outer(axial[voxel[0]].numpy(), coronal[voxel[1]].numpy()), "
            "sagittal[voxel[2]].numpy())"),
        Answer("three loops",
            "def three_steps(coronal, sagittal, axial, voxel):\n"
            "    d, h, w = voxel\n"
            "    return torch.tensor([[[a * c * s for s in sagittal[w]] for c in coronal[h]] for a in axial[d]])"),
        Answer("cartesian products",
            "lambda coronal, sagittal, axial, voxel: torch.cartesian_prod(axial[voxel[0]], "
            "coronal[voxel[1]], sagittal[voxel[2]]).prod(1).reshape(len(axial), len(coronal), len(sagittal))"),
    ],
    "06-everywhere": [
        Answer("ones", "lambda maps: torch.ones_like(maps) / maps.size(-1)"),
        Answer("softmax of zeros", "lambda maps: torch.zeros_like(maps).softmax(-1)"),
        Answer("numpy", "lambda maps: np.full(maps.shape, 1 / maps.shape[-1])"),
        Answer("expanded", "lambda maps: torch.tensor(1 / maps.shape[2]).expand(maps.shape)"),
        Answer("mean of the row sums", "lambda maps: maps.mean(-1, keepdim=True).expand_as(maps)"),
    ],
}  # fmt: skip
