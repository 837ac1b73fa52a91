"""Right answers to the exercises of notebook 00 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "00-millimetres": [
        Answer("matrix and corner apart", "lambda affine, index: affine[:3, :3] @ np.array(index) + affine[:3, 3]"),
        Answer("nibabel",
            "def voxel_to_mm(affine, index):\n"
            "    from nibabel.affines import apply_affine\n"
            "    return apply_affine(affine, index)"),
        Answer("a plain list of sums",
            "lambda affine, index: [sum(affine[r, c] * index[c] for c in range(3)) + affine[r, 3] for r in "
            "range(3)]"),
        Answer("einsum", "lambda affine, index: np.einsum('rc,c->r', affine[:3], np.r_[np.array(index), 1])"),
        Answer("torch",
            "lambda affine, index: torch.as_tensor(affine)[:3] @ torch.tensor([*index, 1.0], dtype=torch.float64)"),
        Answer("tuple of floats", "lambda affine, index: tuple(float(x) for x in affine[:3] @ [*index, 1])"),
    ],
    "00-volume": [
        Answer("product of nibabel's sizes",
            "def tumour_ml(mask, affine):\n"
            "    from nibabel.affines import voxel_sizes\n"
            "    return int((mask > 0).sum()) * np.prod(voxel_sizes(affine)) / 1000"),
        Answer("product of lengths",
            "lambda mask, affine: float((mask > 0).sum()) * np.prod(np.linalg.norm(affine[:3, :3], axis=0)) / 1e3"),
        Answer("count_nonzero", "lambda mask, affine: torch.count_nonzero(mask) * voxel_mm3(affine) / 1000"),
        Answer("numpy", "lambda mask, affine: np.count_nonzero(np.asarray(mask)) * voxel_mm3(affine) * 1e-3"),
        Answer("triple product",
            "lambda mask, affine: (mask != 0).sum().item() * abs(np.dot(affine[:3, 0], np.cross(affine[:3, "
            "1], affine[:3, 2]))) / 1000"),
        Answer("sum over the labels",
            "lambda mask, affine: sum(int((mask == k).sum()) for k in (1, 2, 3, 4)) * voxel_mm3(affine) / 1000"),
    ],
}  # fmt: skip
