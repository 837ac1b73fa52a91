"""Write a phantom cohort as files, in the layout BraTS has; and measure how long subjects take.

`OUT/HGG|LGG/CASE/CASE_{flair,t1,t1ce,t2,seg}.nii.gz`, `OUT/name_mapping.csv`,
`OUT/survival_data.csv`, `OUT/phantoms.csv`; subjects without a grade go to `OUT/cases/`.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from medattn_lite.data.phantom.anatomy import forget
from medattn_lite.data.phantom.pathology import glioma
from medattn_lite.data.phantom.subject import Subject
from medattn_lite.data.phantom.templates import load_atlas
from medattn_lite.errors import UserError

if TYPE_CHECKING:
    import torch

    from medattn_lite.data.phantom.cohort import PhantomCohort

SHAPES = ((64, 64, 64), (96, 112, 96), (128, 128, 128))
README = """These are synthetic images, made by medattn-lite. No patient was ever in them.
They are for learning and for testing software, not for medicine.
"""


def export_cohort(cohort: PhantomCohort, out: str | Path, *, progress: bool = True) -> Path:
    """Write every subject of a cohort as NIfTI.

    Args:
        cohort: A 3-D cohort.
        out: A folder that does not exist yet or is empty: nothing is ever overwritten.
        progress: Show a bar.

    Returns:
        The folder.

    Raises:
        UserError: The folder holds something, or the cohort is 2-D.
    """
    from tqdm.auto import tqdm

    from medattn_lite.data.nifti_io.volumes import save_volume

    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already: name a new folder, nothing is overwritten")
    if len(cohort.shape) != 3:
        raise UserError(f"shape={cohort.shape}: NIfTI files are volumes, make the cohort with a shape (D, H, W)")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.txt").write_text(README, encoding="utf-8")
    table = cohort.table()
    for index in tqdm(range(len(cohort)), desc="phantoms", disable=not progress):
        sample = cohort[index]
        case = sample["subject"]
        place = folder / (sample["meta"]["grade"] or "cases") / case
        place.mkdir(parents=True)
        for channel, name in enumerate(sample["channels"]):
            image = np.rint(sample["image"][channel].cpu().numpy()).astype(np.int16)
            save_volume(image, place / f"{case}_{name}.nii.gz", affine=sample["affine"])
        save_volume(sample["mask"][0].cpu().numpy(), place / f"{case}_seg.nii.gz", affine=sample["affine"])
    _write_tables(folder, table)
    return folder


def _write_tables(folder: Path, table) -> None:
    import pandas

    table.to_csv(folder / "phantoms.csv", index=False)
    graded = table[table["grade"] != ""] if "grade" in table else table.iloc[:0]
    if len(graded):
        mapping = pandas.DataFrame({"Grade": graded["grade"], "BraTS_2020_subject_ID": graded["subject"]})
        mapping.to_csv(folder / "name_mapping.csv", index=False)
    if "time" not in table:
        return
    known = table[table["time"].notna()]
    days = [
        f"{round(row.time)}" if row.event else f"ALIVE ({round(row.time)} days later)" for row in known.itertuples()
    ]
    extent = known["resection"].map({"gross total": "GTR", "subtotal": "STR", "biopsy": "NA"})
    survival = pandas.DataFrame(
        {"Brats20ID": known["subject"], "Age": known["age_years"], "Survival_days": days, "Extent_of_Resection": extent}
    )
    survival.to_csv(folder / "survival_data.csv", index=False)


def timings(
    *, device: str | torch.device = "cpu", n: int = 3, shapes: tuple[tuple[int, int, int], ...] = SHAPES
) -> dict[str, float]:
    """Seconds a subject (four sequences, one glioma) at three sizes, and for one counterfactual.

    The median of `n` new people each; the atlas is loaded before. "counterfactual" moves the tumour
    of a person who has been drawn already, at the second size.
    """
    if device == "auto":
        import torch

        device = "cuda" if torch.cuda.is_available() else "cpu"
    load_atlas()
    out = {}
    for shape in shapes:
        Subject(glioma(), 1).render(shape=shape, device=device)
        seconds = [_seconds(Subject(glioma(), 100 + k), shape, device) for k in range(n)]
        out["×".join(map(str, shape))] = round(statistics.median(seconds), 3)
        forget()
    person = Subject(glioma(), 5)
    person.render(shape=shapes[1], device=device)
    moved = [_seconds(Subject(glioma(site=(30.0, 4.0 * k, 25.0)), 5), shapes[1], device) for k in range(n)]
    return out | {"counterfactual " + "×".join(map(str, shapes[1])): round(statistics.median(moved), 3)}


def _seconds(subject: Subject, shape: tuple[int, ...], device: str | torch.device) -> float:
    start = time.perf_counter()
    sample = subject.render(shape=shape, device=device)
    sample["image"].sum().item()  # waits for the GPU
    return time.perf_counter() - start
