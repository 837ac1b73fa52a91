"""More wrong answers to the exercises of notebook 06, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "06-cost": [
        Answer("FLOPs",
            "lambda c, d, h, w: (4 * c * (d * h * w) ** 2, 4 * c * d * h * w * (d + h + w))",
            "You counted the additions as well (2 operations for each pro"),
        Answer("sum of both",
            "lambda c, d, h, w: 2 * c * (d * h * w) ** 2 + 2 * c * d * h * w * (d + h + w)",
            "Your function should return two numbers"),
        Answer("non-local only",
            "lambda c, d, h, w: 2 * c * (d * h * w) ** 2",
            "Your function should return two numbers"),
        Answer("their ratio", "lambda c, d, h, w: d * h * w / (d + h + w)", "That is their ratio"),
        Answer("mean of three directions", [
            ("rsa = 2 * channels * voxels * (depth + height + width)",
             "rsa = 2 * channels * voxels * (depth + height + width) / 3"),
        ], "You took the mean over the three directions of RSA"),
        Answer("two directions", [
            ("(depth + height + width)", "(height + width)"),
        ], "You counted two directions of RSA"),
        Answer("no depth in N", [
            ("voxels = depth * height * width", "voxels = height * width"),
        ], "The depth is missing from the number of voxels"),
        Answer("N once", [
            ("channels * voxels * voxels", "channels * voxels"),
        ], "Non-local has a weight for each PAIR of voxels"),
        Answer("one off", [("return non_local, rsa", "return non_local, rsa + 1")], "other numbers"),
        Answer("as texts", [("return non_local, rsa", "return f'{non_local}', f'{rsa}'")], "were expected"),
        Answer("projections counted too", [
            ("return non_local, rsa", "return non_local + 3 * channels**2 * voxels, rsa + 3 * channels**2 * voxels"),
        ], "other numbers"),
        Answer("squares of the directions", [
            ("voxels * (depth + height + width)", "voxels * (depth**2 + height**2 + width**2)"),
        ], "In one direction of RSA"),
        Answer("N cubed", [("voxels * voxels", "voxels**3")], "other numbers"),
    ],
    "06-three-steps": [
        Answer("first rows",
            "lambda coronal, sagittal, axial, voxel: axial[voxel[0]][:, None, None] * coronal[0][None, :, "
            "None] * sagittal[0][None, None, :]",
            "Rows 0 of two matrices"),
        Answer("last row added", [
            ("* sagittal[w][None, None, :]", "+ sagittal[w][None, None, :]"),
        ], "You added the last row"),
        Answer("smallest of the three",
            "lambda coronal, sagittal, axial, voxel: torch.minimum(torch.minimum(axial[voxel[0]][:, None, "
            "None], coronal[voxel[1]][None, :, None]), sagittal[voxel[2]][None, None, :])",
            "You took the smallest of the three weights"),
        Answer("cube root",
            "lambda coronal, sagittal, axial, voxel: (axial[voxel[0]][:, None, None] * "
            "coronal[voxel[1]][None, :, None] * sagittal[voxel[2]]) ** (1 / 3)",
            "You took the cube root"),
        Answer("column of one", [("sagittal[w][", "sagittal[:, w][")], "other numbers"),
        Answer("flat", [
            ("[None, None, :]", "[None, None, :]).flatten()"),
            ("return axial", "return (axial"),
        ], "but the shape is"),
        Answer("sums of rows",
            "lambda coronal, sagittal, axial, voxel: axial.sum(0)[:, None, None] * coronal.sum(0)[None, :, "
            "None] * sagittal.sum(0)",
            "other numbers"),
        Answer("axial left out", [
            ("axial[d][:, None, None]", "torch.ones(len(axial))[:, None, None]"),
        ], "`axial` makes no difference"),
        Answer("divided by the depth", [("[None, None, :]", "[None, None, :] / len(axial)")], "times a factor"),
        Answer("matrix product",
            "lambda coronal, sagittal, axial, voxel: axial @ coronal @ sagittal",
            "RuntimeError"),
        Answer("outer of wrong axes",
            "lambda coronal, sagittal, axial, voxel: torch.einsum('d,h,w->whd', axial[voxel[0]], "
            "coronal[voxel[1]], sagittal[voxel[2]])",
            "was expected"),
        Answer("square of a row", [("sagittal[w][None", "sagittal[w].square()[None")], "other numbers"),
    ],
}  # fmt: skip
