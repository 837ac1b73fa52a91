"""More wrong answers to the exercises of notebook 00, and what the check must say of each."""

from __future__ import annotations

from tests.course.answers import Answer

WRONG_ANSWERS = {
    "00-millimetres": [
        Answer("zero behind the index", [("1.0]", "0.0]")], "The last column is missing"),
        Answer("last three numbers", [("[:3]", "[1:]")], "other numbers"),
        Answer("transposed matrix", [("affine @", "affine.T @")], "You multiplied from the wrong side"),
        Answer("element by element",
            "lambda affine, index: (affine[:3, :3] * np.array(index)).sum(axis=0) + affine[:3, 3]",
            "other numbers"),
        Answer("diagonal only",
            "lambda affine, index: np.diag(affine)[:3] * np.array(index) + affine[:3, 3]",
            "other numbers"),
        Answer("hard-coded for the example",
            "lambda affine, index: np.array([2.0 * index[2] - 90, index[1] - 120, 1.5 * index[0] - 70])",
            "`affine` makes no difference"),
        Answer("index turned by half", [("*index", "index[0], index[2], index[1]")], "other numbers"),
        Answer("corner row instead of column",
            "lambda affine, index: affine[:3, :3] @ np.array(index) + affine[3, :3]",
            "The last column is missing"),
        Answer("index counted from one", [("*index, 1.0", "*(i + 1 for i in index), 1.0")], "other numbers"),
        Answer("cut to whole numbers",
            "lambda affine, index: (affine @ np.array([*index, 1.0]))[:3].astype(int)",
            "Your numbers are the right ones"),
        Answer("half a voxel added", [("*index, 1.0", "*(i + 0.5 for i in index), 1.0")], "other numbers"),
        Answer("index as text", "lambda affine, index: str((affine @ np.array([*index, 1.0]))[:3])", "was expected"),
    ],
    "00-volume": [
        Answer("prod of the diagonal of the affine",
            "lambda mask, affine: int((mask > 0).sum()) * abs(np.prod(np.diag(affine)[:3])) / 1000",
            "The numbers on the diagonal are not the size of a voxel"),
        Answer("all voxels of the picture", [
            ("(mask > 0).sum()", "mask.numel()"),
        ], "That is the volume of the whole picture"),
        Answer("litres", [("/ 1000", "/ 1e6")], "That is litres"),
        Answer("divided by 100", [("/ 1000", "/ 100")], "times the right one"),
        Answer("rounded to millilitres",
            "lambda mask, affine: round(int((mask > 0).sum()) * voxel_mm3(affine) / 1000)",
            "The volume is rounded"),
        Answer("labels once each",
            "lambda mask, affine: sum(mask.unique().tolist()) * voxel_mm3(affine) / 1000",
            "You added up the labels that occur"),
        Answer("voxel size forgotten", [(" * voxel_mm3(affine)", "")], "Every voxel counts as 1 mm³"),
        Answer("voxel size twice", [("voxel_mm3(affine) /", "voxel_mm3(affine) ** 2 /")], "and 0.3 was expected"),
        Answer("label 4 only", [("mask > 0", "mask == 4")], "Only label 4 is counted"),
        Answer("four by four determinant without the size", [
            ("int((mask > 0).sum()) * voxel_mm3(affine)", "float(np.linalg.det(affine))"),
        ], "and 0.3 was expected"),
        Answer("lengths of the sides added",
            "lambda mask, affine: int((mask > 0).sum()) * np.sqrt((affine[:3, :3] ** 2).sum(0)).sum() / 1000",
            "and 0.3 was expected"),
        Answer("one slice only", [("mask > 0", "mask[:, mask.shape[1] // 2] > 0")], "and 0.3 was expected"),
        Answer("a text",
            "lambda mask, affine: f'{int((mask > 0).sum()) * voxel_mm3(affine) / 1000:.1f} mL'",
            "was expected"),
    ],
}  # fmt: skip
