# %% [markdown]
# # 12 · Your own data: from a folder of files to a model, a table and a map
#
# **45 minutes to read, 25 for the exercises; about a minute to run at `smoke`, 10 at `laptop`.** Difficulty ●●○○
#
# You have a folder of scans. Between that folder and a result that you may believe lie a dozen places where things go wrong without a word. This notebook walks the whole way, on a folder with faults planted in it, and then on yours.

# %% [markdown]
# ## At the end you can
# - read a NIfTI header: where a voxel lies, and how large it is;
# - describe your folder by one table, have it checked, and find by looking what no check finds;
# - split by patient, train a recipe of this course, and read its table with [intervals](glossary.md#interval);
# - ask what gives the label away besides the disease, and correct for the number of questions;
# - write a map as a NIfTI file that lies on the scan in any viewer;
# - start the same training on several GPUs, and test that it is the same training.
#
# **You need** notebooks [00](00_start_here.ipynb) (volumes, planes) and [02](02_squeeze_excitation.ipynb) (intervals, controls). New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # yours: "nifti" (any folder of NIfTI), "bids" or "brats"
DATA_ROOT = None  # and its folder, such as "/home/me/scans"

# %%
import csv
import shutil
import tempfile
from pathlib import Path

import nibabel
import numpy as np

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers

NUMBERS = scale_numbers(
    SCALE,
    smoke={"heads": 40, "repeats": 12, "patients": 14, "spacing_mm": 6.0, "epochs": 8, "folds": 2},
    laptop={"heads": 120, "repeats": 20, "patients": 60, "spacing_mm": 3.0, "epochs": 20, "folds": 5},
    paper={"heads": 300, "repeats": 20, "patients": 285, "spacing_mm": 1.0, "epochs": 100, "folds": 5},
)
WORK = Path(tempfile.mkdtemp(prefix="own-data-"))  # runs and maps of this notebook
np.set_printoptions(precision=1, suppress=True)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# Here is the folder of somebody who collected gliomas: four contrasts and a mask of each patient, and a table. (They are [phantoms](glossary.md#phantom), unless you named your own folder above.) **Five of the synthetic patients have a fault.**
#
# Guess before you go on: which faults would you look for? Which of them would stop a training, and which would only spoil it?

# %%
from medattn_lite.course import make_own_folder

MINE = DATA in ("nifti", "bids", "brats")  # other layouts are no NIfTI files by channel: the synthetic folder stands in
KIND = DATA if MINE else "nifti"
ROOT = Path(DATA_ROOT) if MINE else make_own_folder(WORK / "scans", n=NUMBERS["patients"], seed=SEED)
print("\n".join(sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file())[:8]), "\n…")
if (ROOT / "cases.csv").is_file():
    print("\n".join((ROOT / "cases.csv").read_text().splitlines()[:4]), "\n…")

# %% [markdown]
# That is all the package wants to know: **one row per scan**. Columns `image_NAME` name the channels' files, relative to the table; `mask`, `label` (0, 1, 2, …; here 0 is a low grade, 1 a high one), `time` and `event` (survival) are there if you have them. `subject` is the patient. It looks superfluous with one scan each; with two visits it decides whether your result is true (section 6).
#
# Without a table, every sub-folder is a patient and files are told apart by their names. Every other column is kept with the patient: `age`, `grade`, `idh` and `resection` are clinical values of the recipe `survival`, which says what it did not use.

# %% [markdown]
# ## 2 · A header by hand
#
# A [NIfTI](glossary.md#nifti) file is a block of numbers and a small header. The header's [affine](glossary.md#affine) says where each number lies in space: $x, y, z$ in millimetres, to the patient's **R**ight, **A**nterior and **S**uperior (RAS). A file counts along axes $i, j, k$ of its own; the package turns them to the $d, h, w$ of notebook 00 when it reads.
#
# $$\begin{pmatrix}x\\y\\z\\1\end{pmatrix} = A \begin{pmatrix}i\\j\\k\\1\end{pmatrix} \tag{12.1}$$
#
# Take a pencil. Where does voxel (0, 0, 0) lie, and where (10, 0, 0)? How large is a voxel?

# %%
affine = np.array([[-0.9, 0.0, 0.0, 90.0],
                   [0.0, 0.9, 0.0, -110.0],
                   [0.0, 0.0, 5.0, -60.0],
                   [0.0, 0.0, 0.0, 1.0]])
for index in ((0, 0, 0), (10, 0, 0), (0, 0, 1)):
    print(index, "→", (affine @ [*index, 1])[:3], "mm")
print("the first axis runs to the", nibabel.aff2axcodes(affine)[0])

# %% [markdown]
# The −0.9 says that the first axis runs from right to **left**: an index that grows means a smaller $x$. Scanners and programs differ in this. A network that never reads the header sees some patients mirrored.
#
# And 0.9 × 0.9 × 5 mm: the voxel is a brick, five times as high as wide. To a convolution, which knows no millimetres, one step is one step.

# %% [markdown]
# ### Exercise 12.1 · voxel sizes
#
# *5 minutes, easy.* Return the three voxel sizes of *any* affine. The scan may lie oblique, so that no number of the affine is a size by itself.
#
# <details><summary>Hint 1</summary>Where do you get by one step along the first axis? The difference is the first column.</details>
# <details><summary>Hint 2</summary>A length is the root of the sum of squares: <code>np.sqrt((… ** 2).sum(axis=0))</code> over the 3×3 corner.</details>

# %% tags=["exercise"]
def sizes_of(affine):
    """An affine (4, 4); returns the three voxel sizes in mm."""
    ### BEGIN SOLUTION
    return np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    ### END SOLUTION


# %%
check("12-sizes", sizes_of)

# %% [markdown]
# ## 3 · Have it checked
#
# `medattn check-data` reads every file and says a line for each patient. The same as a function, so that you can go on with what it found:

# %%
from medattn_lite.data import check_dataset

report = check_dataset(KIND, ROOT, progress=False)
print(f"$ medattn check-data {KIND} --root {ROOT}\n".replace(str(WORK), "…"))
print(str(report).replace(f"{ROOT}/", "").replace(f"in {ROOT}", "in your folder"))
print("\nexit code", report.exit_code)

# %% [markdown]
# In the synthetic folder, three patients have a **PROBLEM**, each named with what to do (yours will have others, or none):
#
# - a mask with another affine than its image: somebody converted it with a program that had other ideas about left and right;
# - a channel that the table names and nobody can find;
# - one patient twice, under two names. If one of them is trained on and the other tested, the test is a memory test: a [leak](glossary.md#leak).
#
# And one **note** tells the fourth: not all voxels are of one size. Training resamples them; whoever does not, trains on a flattened head.
#
# That makes four of the five that were planted.

# %% [markdown]
# ## 4 · What no check finds
#
# The fifth has nothing wrong with its files. Its mask was mirrored *with* its header kept, so mask and image lie on one grid, all labels are known, and the mask lies in the head, since heads are symmetrical. **Look at your data.** All of it, once.
#
# Each picture is the slice with most of the mask. Which patient is it?

# %%
from medattn_lite.course import show_masked_slices, slice_with_most
from medattn_lite.data import normalise, open_dataset

CHANNEL = "flair"  # yours to change: a channel in which the disease is bright
dataset = open_dataset(KIND, ROOT)
broken = {case.subject for case in report.cases if any("affine" in text for text in case.problems)}
readable = dataset.subset([name for name in dataset.subjects if name not in broken][:12])
channel = readable.channels.index(CHANNEL) if CHANNEL in readable.channels else 0
slices, brighter = {}, {}
for sample in readable:
    image = normalise(sample["image"])[channel]  # (D, H, W)
    mask = sample["mask"][0] > 0 if sample.get("mask") is not None else image > image.max()  # none: empty
    k = slice_with_most(mask)
    slices[sample["subject"]] = image[k], mask[k]
    brighter[sample["subject"]] = float(image[mask].mean() - image[mask.flip(-1)].mean())  # than at the mirrored place
show_masked_slices(slices, title=CHANNEL)

# %% [markdown]
# *Figure 12.1.* One slice of each patient, and the mask that claims to lie on the tumour. In one of them the bright place is on the *other* side.
#
# A dozen pictures can be looked at. For a thousand, let a number choose which to look at first: how much brighter is the mask than the **same place mirrored**? (For your data: choose `CHANNEL` so that disease is bright in it. A disease on both sides, such as MS, needs another number.) The unit: per cent of the brightness of white matter.

# %%
for name, difference in sorted(brighter.items(), key=lambda item: item[1])[:3]:
    print(f"{name}: brighter than its mirror image by {25 * difference:+.0f} % of white matter")

# %% [markdown]
# In the synthetic folder one is below 0: its mask lies on ordinary brain. (In yours, look: a dark core does it, too.) Nothing would have stopped. The network would have learned that healthy tissue is tumour, and a test on that patient would have counted a right answer as wrong.
#
# ## 5 · Mend it, in a copy
#
# Never in the only copy, always by a program that says later what was done. In a new folder, a header is set right, a mask mirrored back, and two rows leave the table: one lacks a channel, one is there twice. From here on, `ROOT` is that folder.
#
# (For your own folder this cell mends nothing. Write your repairs here.)

# %%
if not MINE:
    ROOT = Path(shutil.copytree(WORK / "scans", WORK / "mended", dirs_exist_ok=True))
    for name in ("p03", "p05"):
        scan, path = nibabel.load(ROOT / name / "t1.nii.gz"), ROOT / name / "mask.nii.gz"
        voxels = np.asarray(nibabel.load(path).dataobj)
        voxels = voxels[::-1].copy() if name == "p05" else voxels  # the first axis runs left to right
        nibabel.save(nibabel.Nifti1Image(voxels, scan.affine), path)
    rows = (ROOT / "cases.csv").read_text().splitlines()
    (ROOT / "cases.csv").write_text("\n".join(row for row in rows if row[:3] not in ("p08", "p10")) + "\n")
report = check_dataset(KIND, ROOT, progress=False)
print(report.lines[-1], "· exit code", report.exit_code)

# %% [markdown]
# ## 6 · Your turn
#
# ### Exercise 12.2 · who is tested
#
# *10 minutes, needs care.* A table of scans, some patients with several visits. Choose the first `n` **patients** of the alphabet for the test, and mark all their scans.
#
# <details><summary>Hint 1</summary>Two steps: choose patients first, then ask of each scan whether its patient was chosen.</details>
# <details><summary>Hint 2</summary><code>sorted(set(subjects))</code> has each patient once.</details>

# %% tags=["exercise"]
def tested(subjects, n):
    """The patient of each scan, and how many patients to test; returns one True (tested) or False per scan."""
    ### BEGIN SOLUTION
    chosen = sorted(set(subjects))[:n]
    return [subject in chosen for subject in subjects]
    ### END SOLUTION


# %%
check("12-split", tested)

# %% [markdown]
# What a leak is worth, you saw in notebook [04](04_split_attention.ipynb): slices of one patient on both sides, and a network that has learned nothing looks good. The package splits by `subject` and has no other way. But it believes your table: **two names for one person are two persons to it.** Ask whoever collected the data about repeated scans, and about patients who were in two of the data sets that you joined.
#
# (The alphabet was for the exercise. In a training, patients are drawn at random, with a seed, and each part gets its share of every class.)

# %% [markdown]
# ## 7 · Train it, with a control
#
# One command trains, validates, tests and compares. What it needs of you is a [**recipe**](glossary.md#recipe) whose question fits your labels: `grading` (notebook [05](05_p3d_iam.ipynb)) for two classes, `lesions` or `fusion` for masks, `survival` for times. `choose_recipe` looks at the table and the masks, and says why; masks labelled 1, 2, 3 are read as 1, 2, 4 (`--set label_map=…`).
#
# Always take a [control](glossary.md#control) **without a network** into the comparison. `tumour features` is a [logistic regression](glossary.md#logistic-regression) on volume and mean intensities. What a network cannot beat, you do not need a network for.

# %%
from medattn_lite.cli import main
from medattn_lite.course import choose_recipe, run_medattn

labelled = {label for case in report.cases for label in case.mask_labels}
LABEL = ""  # yours, for a BIDS tree: the column of participants.tsv that holds the class
choice = choose_recipe(open_dataset(KIND, ROOT, **({"label": LABEL} if LABEL else {})), labelled)
RECIPE, VARIANTS = choice.recipe, choice.variants  # yours to change
print(f"{RECIPE}, since there are {choice.because}")
RUN, SETTINGS = WORK / "run", f"--data {KIND} --root '{ROOT}' --scale {SCALE} --seed {SEED} --device {DEVICE} --quiet"
flags = f"--folds {NUMBERS['folds']} --set spacing_mm={NUMBERS['spacing_mm']} {choice.words}"
if RECIPE == "grading":
    flags += f" --set epochs={NUMBERS['epochs']}" + (f" --label '{LABEL}'" if LABEL else "")
    flags += " --set milestones=(6,) --set learning_rate=0.001" if SCALE == "smoke" else ""
run_medattn(main, f"train {RECIPE} {SETTINGS} --variants '{','.join(VARIANTS)}' {flags} --out '{RUN}'", hide=WORK)

# %% [markdown]
# The files were read once, turned to one orientation, normalised, and **then** brought to voxels of one size. A box around the mask was cut out; [folds](glossary.md#fold) were drawn by patient. Training goes by [epochs](glossary.md#epoch). Stop it when you like: the same command goes on where it was.
#
# Everything is in the run's folder. As a table and a picture:

# %%
import json

from medattn_lite.evaluation import Interval

metrics = json.loads((RUN / "metrics.json").read_text())
by_variant = {name: {score: Interval.from_dict(value) for score, value in one["pooled"].items() if value["value"] is not None}
         for name, one in metrics["variants"].items()}
for name, scores in by_variant.items():
    print(f"{name:18}", "  ".join(f"{score} {value}" for score, value in list(scores.items())[:3]))
first = next(iter(next(iter(by_variant.values()))))  # the first score, AUC in this recipe
plots.show(plots.forest({name: scores[first] for name, scores in by_variant.items()}, label=f"{first} on tested patients",
                        **({"reference": 0.5, "reference_label": "chance"} if first in ("AUC", "C-index") else {})))
for name, scores in by_variant.items():
    record(f"{first}, {name}", scores[first])

# %% [markdown]
# *Figure 12.2.* The score of the run ([AUC](glossary.md#auc) for classes, [Dice](glossary.md#dice) for masks, [C-index](glossary.md#c-index) for survival), with 95 % intervals by patient.
#
# At `smoke` the network has seen a few patients for seconds, and they are too few for an interval, or it reaches from far below chance to far above. **That is the finding**: on a dozen patients you cannot tell a poor network from a fair one. In the synthetic folder the control, with ten numbers to learn, shows that the task can be done. Look at the width before you look at the value.
#
# How many patients would you need? The width shrinks with the root of their number.

# %%
interval, patients = by_variant[VARIANTS[0]][first], metrics["data_facts"]["patients"]
print(interval.text())
half = (interval.high - interval.low) / 2 if interval.is_given else 0.98 * (0.5 / patients) ** 0.5  # or at AUC 0.5, roughly
record(f"{first}: half the width of the interval, {patients} patients", half)
record("patients for half a width of 0.05, roughly", round(patients * (half / 0.05) ** 2))

# %% [markdown]
# `medattn results RUN` writes such tables as a page, with the settings, the guesses and the machine. [This project's own page](../figures/results.md) was made so. There, on 80 real patients, neither the networks nor the tumour's features told low from high grade: every interval of an AUC holds 0.5.
#
# ## 8 · Look: a map that lies on the scan
#
# What did the network look at? `medattn explain` takes a run and **a file of yours**, prepares it as the run prepared its own, and writes a map ([Grad-CAM](glossary.md#grad-cam)) on the file's grid. A patient who was *tested* in that fold, so that nothing was learned by heart:

# %%
place = RUN / VARIANTS[0] / "fold-0" / "predictions.json"
CASE = json.loads(place.read_text())["split"]["test"][0]  # yours to change: the name of a patient
case = next(case for case in open_dataset(KIND, ROOT).cases if case.subject == CASE)
files = " ".join(f"'{name}={path}'" for name, path in case.images.items())
crop = f"--mask '{case.mask}'" if case.mask and RECIPE == "grading" else ""  # the box around the tumour
CAM = WORK / "cam.nii.gz"
run_medattn(main, f"explain '{RUN}' --variant '{VARIANTS[0]}' --fold 0 --image {files} {crop} --out '{CAM}'", hide=WORK)

# %% [markdown]
# Believe no file that you have not read back. Three questions, asked with `nibabel` alone, as any viewer would: has it as many voxels; the same affine; and **where, in millimetres, is its peak**? That point should lie in the patient's head, where the scan is not 0 (air). If grid and affine fit and it does not, the place is right and the map points at nothing, as after a training of seconds; `medattn explain` says so above.

# %%
cam, scan = nibabel.load(CAM), nibabel.load(next(iter(case.images.values())))
peak = np.unravel_index(np.abs(np.asarray(cam.dataobj)).argmax(), cam.shape)  # (i, j, k) in the file's own axes
there = np.linalg.inv(scan.affine) @ cam.affine @ [*peak, 1]  # the same point as an index of the scan
print("voxels", cam.shape, scan.shape, "· peak at", (cam.affine @ [*peak, 1])[:3], "mm")
record("largest difference of the two affines", np.abs(cam.affine - scan.affine).max(), "mm")
record("intensity of the scan at the peak", np.asarray(scan.dataobj)[tuple(there[:3].round().astype(int))])

from IPython.display import display

from medattn_lite.data import load_volume
from medattn_lite.widgets import slice_explorer, view_volume

chosen = case.images[CHANNEL if CHANNEL in case.images else next(iter(case.images))]
shown, values = load_volume(chosen), load_volume(CAM).array  # both turned to one orientation
d, h, w = (int(i) for i in np.unravel_index(np.abs(values).argmax(), values.shape))
scanned = {"image": shown.array[None], "channels": [chosen.name], "affine": shown.affine}
explorer = slice_explorer(scanned, {f"Grad-CAM, {VARIANTS[0]}": values}, title=CASE)
explorer.set(axial=d, coronal=h, sagittal=w)
display(explorer)
view_volume(chosen, CAM if values.any() else None, title=CASE)

# %% [markdown]
# *Figure 12.3.* The map on the scan, through its peak: with sliders, and below in a viewer. Click from the peak to its mirror image in the other half: is the map warm there, too? Drop both files into ITK-SNAP, FSLeyes or 3D Slicer: they lie on each other there, too.
#
# The map is as coarse as the layer it comes from, and 0 outside the box. What such a map is worth, and how to test it, is what notebooks [09](09_attention_maps_gradcam.ipynb) and [10](10_is_attention_an_explanation.ipynb) are about. A map of a network that does not know the answer is a picture of nothing.

# %% [markdown]
# ## 9 · Several GPUs
#
# The same command, behind `accelerate launch`. Each process takes its share of every batch; the recipe's batch stays what it was, and so does the result:
#
# ```
# accelerate launch --multi_gpu --num_processes 4 -m medattn_lite.cli \
#     train fusion --data brats --root BRATS --scale paper --out runs/fusion-brats
# ```
#
# "So does the result" can be tested without a GPU: two processes on the CPU against one, with DynUNet, a [U-Net](glossary.md#u-net). Random numbers belong to a row of the batch and not to a process; so the two lists of [losses](glossary.md#loss) should agree up to rounding.

# %%
TWO = "train fusion --variants DynUNet --first-folds 1 --set epochs=2 --set spacing_mm=6"  # yours to change
TWO += f" --data {KIND} --root '{ROOT}' --scale smoke --device cpu --quiet {choice.words}"
run_medattn(main, f"{TWO} --out '{WORK / 'one'}'", hide=WORK)

import os
import shlex
import subprocess
import sys

launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
          "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0",
          "-m", "medattn_lite.cli", *shlex.split(TWO), "--out", str(WORK / "two")]
done = subprocess.run(launch, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
print("exit code", done.returncode)

# %%
logs = [WORK / name / "DynUNet" / "fold-0" / "log.csv" for name in ("one", "two")]
if all(log.is_file() for log in logs):
    losses = [[float(row["loss"]) for row in csv.DictReader(log.open())] for log in logs]
    for name, curve in zip(("one process", "two processes"), losses, strict=True):
        print(f"{name:14}", " ".join(f"{loss:.5f}" for loss in curve))
    record("largest difference of the losses, one process and two", max(abs(a - b) for a, b in zip(*losses, strict=True)))

# %% [markdown]
# Two limits. The number of processes must divide the batch. And Cox's likelihood (notebook 08) compares only the patients of one process. [**Batch normalisation**](glossary.md#batch-normalisation) is no limit: its means are taken over the batch of all processes, so that P3D and ResNet, too, end as with one process, up to rounding.

# %% [markdown]
# ## 10 · Other layouts
#
# | you have | command |
# |---|---|
# | BraTS, 2017 to now | `--data brats --root DIR` |
# | Medical Segmentation Decathlon, Task01 | `--data msd --root DIR` |
# | MS lesions, `open_ms_data` | `--data open-ms --root DIR` |
# | LGG set from Kaggle | `--data lgg --root DIR/kaggle_3m` |
# | class folders of 2-D pictures | `medattn check-data images --root DIR` |
# | BIDS | `--data bids --root DIR` |
# | NRRD, MetaImage (3D Slicer, ITK) | as NIfTI; `pip install "medattn-lite[nrrd,mha]"` |
# | DICOM | `medattn import DICOM_DIR OUT` first: one file per series, no names; then as here |
#
# In a raw study **each series has a grid of its own**. `onto_one_grid` brings them to one, by the millimetres of their headers. It registers nothing. Two series, one made coarser:

# %%
from nibabel.processing import resample_to_output

from medattn_lite.data import onto_one_grid

series = dict(list(case.images.items())[:2])
name, reference = list(series)[0], list(series)[-1]
original, series[name] = nibabel.load(series[name]), WORK / f"raw_{name}.nii.gz"
nibabel.save(resample_to_output(original, 1.5 * np.array(original.header.get_zooms()[:3]), order=1), series[name])
for title, paths in (("raw", series), ("one grid", onto_one_grid(series, reference, WORK / "one"))):
    print(f"{title:9}", {key: nibabel.load(path).shape for key, path in paths.items()})

# %% [markdown]
# ## 11 · What gives the label away?
#
# A network may be right for a reason that has nothing to do with the disease: one hospital's blur, one class's field of view. So ask simple questions first: does one single fact tell the label? Does a small model of **everything but the lesion**? `medattn audit` asks them of a folder of yours; with `--given age` it asks what the rest tells beyond age. Here, of phantoms, in which you may plant what it has to find.
#
# **Guess before you run:** the leak below smooths tissue by half a voxel. Would you see it?

# %%
from medattn_lite.audit import PlantedLeak, audit_dataset, declared_of
from medattn_lite.data import PhantomCohort

LEAK = "blur"  # yours to change: "noise", "intensity", "mark", "volume", "slices", "site" or "copied channel"
GROUPS = ("sharpness",)  # what models look at: also "outside", "normalised", "border", "background"
cohort = PhantomCohort(NUMBERS["heads"], shape=(24, 28, 24), seed=SEED)
heads = [cohort[row] for row in range(len(cohort))]
options = {"label": "grade", "classes": cohort.class_names, "declared": declared_of(cohort), "groups": GROUPS}
clean, planted = (audit_dataset(samples, repeats=NUMBERS["repeats"], **options, progress=False)
                  for samples in (heads, PlantedLeak(heads, LEAK)))
known = {finding.name for finding in clean.leaks}
for finding in planted.leaks:
    print("as before" if finding.name in known else "NEW", "·", finding.name, "·", finding.sentence)
record("audit of the planted leak: what tells the grade now and did not before",
       sum(finding.name not in known for finding in planted.leaks))
plots.show(plots.audit_view(planted.findings, title=f"planted: {LEAK}"))

# %% [markdown]
# *Figure 12.4.* Factors and models. Squares are what *should* tell; grey bars are models on shuffled labels. Diamonds tell the grade and should not. Plant another leak, or look at another group: **an audit finds what it looks at.**
#
# ### Exercise 12.3 · many questions, one error
#
# *8 minutes, needs care.* Of 40 factors that have nothing to do with the label, two have p < 0.05 on average. Holm's rule: the smallest of m p values must be at most level / m, the next level / (m − 1), …; **stop at the first that fails**.
#
# <details><summary>Hint 1</summary>Walk through the places in the order of their p values; keep the marks in the order of the factors.</details>
# <details><summary>Hint 2</summary><code>for step, at in enumerate(np.argsort(p_values))</code>; <code>break</code> where <code>p_values[at] &gt; level / (m - step)</code>.</details>

# %% tags=["exercise"]
def survivors(p_values, level):
    """M p values; returns M marks in the same order, True where a factor survives Holm's correction."""
    ### BEGIN SOLUTION
    marks = [False] * len(p_values)
    for step, at in enumerate(np.argsort(p_values)):
        if p_values[at] > level / (len(p_values) - step):
            break
        marks[at] = True
    return marks
    ### END SOLUTION


# %%
check("12-holm", survivors)

# %%
from medattn_lite.audit import holm

rule = survivors if check("12-holm", survivors).passed else lambda p, level: holm(p) <= level
deals = np.random.default_rng(SEED).uniform(size=(1000, planted.tests))  # p values of factors that know nothing
for name, alarm in (("each p below 0.05", lambda p: p.min() < 0.05), ("Holm", lambda p: any(rule(p, 0.05)))):
    share = np.mean([alarm(p) for p in deals])
    record(f"audits with a false alarm, {name}", float(share))

# %% [markdown]
# ## 12 · What goes wrong
#
# **Silently.** Two of the oldest mistakes, made on purpose. First: resample the raw image, then take its z-score (subtract the mean, divide by the standard deviation). The border of the head is smeared into the background, those dark voxels count as head, and everything else seems brighter. ([`normalise`](glossary.md#normalisation) measures deep in the head, and hardly notices.) Second: write the map with an identity for its affine, as if it were an array without a place.

# %%
from medattn_lite.data import resample

sample = open_dataset(KIND, ROOT).read(case)
wide = 2 * max(sample["meta"]["voxel_size_mm"])  # twice as coarse


def z_score(image):  # (C, D, H, W), over all that is not background
    head = image[channel][image[channel] != image[channel].min()]
    return (image - head.mean()) / head.std()


coarse = resample(sample, wide)
for name, step in (("z-score", z_score), ("normalise", normalise)):
    first, after = resample({**sample, "image": step(sample["image"])}, wide)["image"], step(coarse["image"])
    inside = coarse["mask"][0] > 0 if coarse.get("mask") is not None else after[channel] > 0
    means = [float(image[channel][inside].mean()) for image in (first, after)]
    print(f"mean in the mask: {name} first {means[0]:.2f}, after resampling {means[1]:.2f}")
print("peak of the map, its own affine:", (cam.affine @ [*peak, 1])[:3], "mm; with np.eye(4):", np.array(peak), "mm")

# %% [markdown]
# All of them look like numbers. The z-score after resampling shifts every patient by another amount, depending on how much border its head has. The second puts the map somewhere else, in any viewer that knows millimetres, and fits perfectly in `matplotlib`, which does not.
#
# **Loudly.** Each of these mistakes ends in one line, with exit code 2. Read the messages; can you say of each what to do?

# %%
(WORK / "bad").mkdir(exist_ok=True)
(WORK / "bad" / "cases.csv").write_text(f"image,label\n{case.images[next(iter(case.images))]},high\n")
for command in (
    f"check-data nifti --root '{WORK / 'nowhere'}'",
    f"check-data nifti --root '{WORK / 'bad'}'",
    f"train fusion {SETTINGS} --variants Magic --out '{WORK / 'x'}'",
    f"train grading {SETTINGS} --set epoch=3 --out '{WORK / 'x'}'",
    f"train grading --data phantom --out '{RUN}'",
    f"explain '{RUN}' --image '{case.mask}' --out '{WORK / 'y.nii.gz'}'",
    f"explain '{RUN}' --image {files} {crop} --out '{CAM}'",
):
    run_medattn(main, command, hide=WORK)

# %% [markdown]
# ### Before you believe your result
#
# | trap | how you notice |
# |---|---|
# | slices or visits of one patient on both sides | split by `subject`; ask about duplicates |
# | one patient under two names | `check-data` finds equal pictures, not equal people |
# | mask mirrored, headers in order | look; compare with the mirrored place |
# | bricks taken for cubes | the note on voxel sizes |
# | resampled, then standardised | compare means with and without |
# | labels 1, 2, 4 or 1, 2, 3? | "mask labels" in the report; `--set label_map=1:1,2:2,3:4` |
# | two scanners, two diseases | can a network tell the *hospital*? notebook [05](05_p3d_iam.ipynb) |
# | chosen on the test patients | count how often you looked |
# | a value without an interval | figure 12.2 |

# %% [markdown]
# ## 13 · Your own network
#
# The ways of looking inside a network work for other networks, too. `capture_attention` knows the attention of PyTorch and [MONAI](https://monai.io): a ViT's heads, Swin-UNETR's windows, AttentionUnet's gates, SE networks. Modules that it does not know are named by `register_adapter`; where it finds nothing, it says so. `explain_image` takes wrapped and compiled networks, several outputs, and a function as target.
#
# Each row of a head's matrix says where one token looks: in a ViT one of 64 patches or the class token, in Swin-UNETR one of the voxels of its window. Guess before you run: what do heads of networks look like that have learned nothing?

# %%
import torch
from monai.networks.nets import SwinUNETR, ViT

from medattn_lite.explain import capture_attention, explain_image, to_image_grid

torch.manual_seed(SEED)
brick = torch.nn.functional.interpolate(torch.as_tensor(shown.array).float()[None, None], size=(32, 32, 32))
brick = (brick - brick.mean()) / brick.std()
vit = ViT(1, (32, 32, 32), 8, hidden_size=48, mlp_dim=96, num_layers=2, num_heads=4, classification=True)
swin = SwinUNETR(in_channels=1, out_channels=2, feature_size=12, depths=(2, 1, 1, 1), norm_name="batch")
for network in (swin.eval(), vit.eval()):
    with torch.no_grad(), capture_attention(network) as maps:
        network(brick)
    for layer, captured in maps.items():
        highest = captured.values.amax(-1).mean() * captured.values.shape[-1]  # 1: a row looks at all tokens alike
        print(f"{layer:32}", dict(zip(captured.axes, captured.values.shape, strict=True)), f"highest ÷ even: {highest:.1f}")
rows = maps["blocks.1.attn"].values[0, :, 0, 1:]  # the class token's, (heads, patches)
heads = to_image_grid(rows.reshape(4, 4, 4, 4), (32, 32, 32))[:, 16]
plots.show(plots.image_grid(brick[0, 0, [16] * 4], titles=[f"head {n}" for n in range(4)], overlays=heads, columns=4))
answer = explain_image(vit, brick, target=lambda output: output[0][:, 1])
print(f"Grad-CAM at {answer.layer}: {answer.note}")

# %% [markdown]
# *Figure 12.5.* What the class token looks at in the last block, head by head, on the middle slice: weights drawn at random already prefer some patches to others, by the factor printed as *highest ÷ even*. A peak does not show that anything was learned: compare with the re-initialised network (notebook [10](10_is_attention_an_explanation.ipynb)). Give `vit` your trained weights and ask the same; `method="attention"` brings the heads' mean to the image.

# %% [markdown]
# ## 14 · What the papers say, and what we found
#
# Read the data section of a paper as you read the header of a file. Papers of this course leave out whether the images of one patient were kept together (04), which patients chose the state that was tested (05, 07), how many channels went in (05). None of these is a detail. [What was found](../figures/results.md) lists every guess that had to be made.
#
# Write your own section so that nobody has to guess: where from, who was left out and why, how files were prepared, who split and how, seeds, the command.
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "check-data says: 60 of 60 cases without a problem. What do you know?",
        ["The files can be read and fit together", "The masks are right", "No patient is there twice"],
        "The files can be read and fit together",
        ["Yes. What they mean, only looking and asking tells.",
         "A mask that is mirrored inside a symmetrical head passes.",
         "It finds equal pictures. A second visit looks different and is the same person."],
    ),
    Question(
        "A map fits the image in matplotlib and lies beside the head in a viewer. Why?",
        ["The viewer flips images", "The map's file has another affine", "The map is too coarse"],
        "The map's file has another affine",
        ["It draws where the header says.", "Yes. matplotlib lays arrays on each other and never reads a header.",
         "A coarse map is blurred, not displaced."],
    ),
    Question(
        "AUC 0.83 from 12 patients, interval 0.50 to 1.00. You double the epochs. What becomes of the interval?",
        ["It halves", "It stays about as wide", "It becomes narrower by the root of two"],
        "It stays about as wide",
        ["Epochs are not patients.", "Yes. Its width comes from the number of tested patients.",
         "That is what twice the patients would do."],
    ),
])

# %% [markdown]
# ## Summary
#
# - A header says where voxels lie. Read it, use it, write it back.
# - One table describes a folder: files, mask, label, and above all the **patient**.
# - A program finds what is broken, you find what is wrong: look, and audit.
# - A command trains and compares, with a control that needs no network. The width of the interval comes first.
# - A map is a file on the scan's grid; check the millimetres of its peak.
# - Several GPUs change the time only; test it.
#
# **Back** to the mechanisms: [squeeze](02_squeeze_excitation.ipynb), [CBAM](03_cbam.ipynb), [split attention](04_split_attention.ipynb), [slices](05_p3d_iam.ipynb), [lesions](06_nonlocal_rsa.ipynb), [fusion](07_dual_fusion.ipynb), [survival](08_survival.ipynb), [maps](09_attention_maps_gradcam.ipynb), [their truth](10_is_attention_an_explanation.ipynb), [play](11_explore.ipynb).
#
# **Read on:** NIfTI's [affine](https://nipy.org/nibabel/coordinate_systems.html), as nibabel explains it; Varoquaux and Cheplygina, *Machine learning for medical imaging: methodological failures* ([doi:10.1038/s41746-022-00592-y](https://doi.org/10.1038/s41746-022-00592-y)). Words: [glossary](glossary.md).
