# %% [markdown] slideshow={"slide_type": "slide"}
# # 00 · Start here: a notebook, an MRI volume, a phantom
#
# **30 minutes to read, 15 for the exercises; under a minute to run, at `smoke` and at `laptop`.** Difficulty ●○○○
#
# This course builds the attention mechanisms of medical imaging from scratch: each one by hand, in a loop, as
# a module, trained, and looked at critically. The pictures are MRI of the brain. So before any attention we look
# at what such a picture *is*: a box of numbers, with a place in a head, made in several ways that show
# different things.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## At the end you can
# - run a notebook, change its parameters, and get feedback on an exercise;
# - say what is bright and dark in four kinds of MRI, and roughly why;
# - find your way in a volume: axes, planes, left and right, millimetres;
# - measure a tumour from its mask;
# - tell the synthetic phantom from a real patient, and say what each is good for;
# - say why patients are split, and never slices.
#
# **You need** Python as far as lists, functions and `import`; no medicine. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # or "lgg", with DATA_ROOT the folder of the patients
DATA_ROOT = None

# %%
import numpy as np
import torch

from medattn_lite import plots, widgets
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.data import SliceSet, foreground, normalise, open_dataset, train_valid_test
from medattn_lite.data.phantom import Subject, glioma, healthy, meningioma, metastases, ms_lesions

print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 · How a notebook works
#
# A notebook is a page of **cells**. Grey ones hold Python. Click into one and press **Shift + Enter**: it runs,
# its result appears below, and the next cell is chosen. Cells share their variables, so run them **from top to
# bottom**. If a result looks odd: menu *Kernel → Restart Kernel and Run All Cells*.
#
# You can change every cell. You cannot break anything: the original stays where you got it.
#
# **Try it:** run the next cell, then change a number and run it again.

# %%
slices, rows, columns = 96, 112, 96
print("A volume of this size has", slices * rows * columns, "numbers.")

# %% [markdown]
# ### Parameters
#
# The first code cell of every notebook holds five settings, its [parameters](glossary.md#parameter). Change one, then run all cells again.
#
# | name | values | meaning |
# |---|---|---|
# | `SCALE` | `"smoke"`, `"laptop"`, `"paper"` | a quick look; a result worth looking at; the published size |
# | `DEVICE` | `"auto"`, `"cpu"`, `"cuda"` | where to compute |
# | `SEED` | any whole number | where chance starts: the same [seed](glossary.md#seed) gives the same numbers |
# | `DATA` | `"phantom"`, `"lgg"` | synthetic heads, or real patients; some notebooks know more |
# | `DATA_ROOT` | a folder | where the real patients lie |
#
# The line printed under it says what will really be used. In a terminal, `medattn doctor` says more.

# %% [markdown]
# ### Exercises and guesses
#
# An exercise is a cell with `...  # your code here`. Write your answer there, run it, and run the **check**
# below it. It says one of three things: *not attempted yet*; *passed*; or *not yet*, with what seems to be
# wrong. The notebook runs to its end in all three cases. Hints are folded; open one when you have been stuck
# for five minutes.
#
# Often the text asks you to **guess** before you run a cell. Do it, even if it feels silly. A guess that turned
# out wrong is what you remember.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2 · The question
#
# The next cell shows one [slice](glossary.md#slice) of one head, several times. Nothing moved between the pictures; only the
# machine's settings changed. Each setting is called a [contrast](glossary.md#contrast).
#
# This head has a brain tumour, a [glioma](glossary.md#glioma). The head is a [phantom](glossary.md#phantom), made by
# a program, unless you asked for real patients above.
#
# **Guess:** where is it? Which picture shows it best? And which parts of what you see are tumour, and which are
# swollen brain around it?

# %%
options = {"n": 6, "task": "segmentation", "seed": SEED} if DATA == "phantom" else {}
dataset = open_dataset(DATA, DATA_ROOT, **options)
sample = dataset[dataset.table()["label"].tolist().index(1)]    # the first of the higher grade
image, mask = sample["image"], sample["mask"]
depth = int((mask[0] > 0).sum(dim=(1, 2)).argmax())         # the slice with the largest tumour
plots.show(plots.contrasts_row(image, names=sample["channels"], position=depth, affine=sample["affine"]))

# %% [markdown]
# *Figure 00.1.* One axial slice: a horizontal cut, seen from above, the face up. **L** and **R** are the patient's
# left and right, **A** is the front (anterior), **P** the back (posterior). The phantoms' skull has been cut away, as
# in many data sets. The real patients still have theirs: the bright ring is fat under the skin.

# %% [markdown]
# ### What MRI measures
#
# A strong magnet aligns some of the hydrogen nuclei of the body's water and fat. A radio pulse tips them over;
# now they turn in step, like the hands of many clocks, and together send a faint radio signal. Then two things
# happen. They **return** to the direction of the magnet, in a time called **T1**. And they **get out of step**, so
# that the signal fades, in a time called **T2**. Both times depend on what surrounds a nucleus: they are long in free
# water and shorter in tissue. By choosing *when* to pulse and *when* to listen, the machine makes a picture that
# depends mostly on T1 or mostly on T2.

# %% [markdown]
# ### Four contrasts
#
# | | fluid | grey matter | white matter | good for |
# |---|---|---|---|---|
# | **T1** | black | grey | light | anatomy |
# | **T1ce** | black | grey | light | leaks: after *contrast agent* (gadolinium), tissue with leaky vessels lights up |
# | **T2** | white | light | dark | fluid, and tissue with too much water |
# | **FLAIR** | black | light | dark | tissue with too much water: T2 with the free fluid's signal suppressed |

# %% [markdown]
# *Fluid* is the water around and inside the brain ([CSF](glossary.md#csf)). *Grey matter* is the folded
# cortex (and a few nuclei deep inside); *white matter* is the nerve fibres that connect it. Their sheaths, of myelin,
# shorten the T1 of the water beside them. That is why T1 shows white matter light.
#
# The real patients of this course, the [LGG patients](glossary.md#lgg-patients), have three channels: `pre` is T1,
# `flair` is FLAIR, `post` is T1ce.

# %% [markdown]
# A glioma shows in four ways:
#
# - tumour that **does not enhance** grows among the fibres: bright in T2 and FLAIR, rather dark in T1, no brighter in
#   T1ce;
# - [**oedema**](glossary.md#oedema) is water between the cells around a tumour. It looks nearly the same;
# - [**enhancing**](glossary.md#enhancement) tumour has leaky vessels: bright in T1ce and *not* in T1;
# - [**necrosis**](glossary.md#necrosis) is dead tissue: dark in T1ce, often inside an enhancing ring.
#
# A typical *low-grade* glioma is mostly the first, with little oedema. A typical *high-grade* one has all four.
# (There are exceptions.) A network that grades gliomas must find this pattern; section 6 shows both.
#
# **Guess** the signs below: is the marked tissue brighter (+) or darker (−) than the rest of the head?

# %%
inside = mask[0] > 0                                        # (D, H, W) bool: marked tissue
rest = foreground(image)[0] & ~inside                       # (D, H, W) bool: head, but not marked
for name, channel in zip(sample["channels"], normalise(image), strict=True):
    difference = 25 * (channel[inside].mean() - channel[rest].mean())   # normalised (section 7): 1 is 25 % of white matter
    record(f"{name}: marked tissue minus the rest", difference, "% of white matter's brightness")

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 · A volume is a box of numbers
#
# One contrast of one head is a stack of slices, a [volume](glossary.md#volume): a box of small cubes, the
# [voxels](glossary.md#voxel). Several
# contrasts make a fourth axis, the channels. Everywhere in this course:
#
# $$\text{image}[\,c,\; d,\; h,\; w\,] \tag{00.1}$$
#
# | letter | counts | runs from … to |
# |---|---|---|
# | C | channels (contrasts) | |
# | D | slices | inferior (neck) → superior (crown) |
# | H | rows | posterior (back) → anterior (nose) |
# | W | columns | the patient's left → right |

# %%
C, D, H, W = image.shape
print("C, D, H, W =", (C, D, H, W), " channels:", sample["channels"])

d, h, w = torch.nonzero(inside).float().mean(dim=0).round().int().tolist()     # the middle of the tumour
for name, value in zip(sample["channels"], image[:, d, h, w], strict=True):
    print(f"{name:6s} at voxel {(d, h, w)}, label {int(mask[0, d, h, w])}: {value:.1f}")

# %% [markdown]
# These numbers have **no unit**: a 200 in one channel does not mean what a 200 means in another channel, or in
# another scan (section 7). Nor does one voxel stand for the tumour: this one lies in the middle, and its label says
# in which part (section 4).
#
# **Planes.** Hold one index still and you cut the box. Hold `d`: an **axial** slice, $(H, W)$. Hold `h`: a
# **coronal** one, seen from behind, $(D, W)$. Hold `w`: a **sagittal** one, seen from the side, $(D, H)$.
#
# **Guess:** which of the three shows only one half of the brain?

# %%
flair = image[sample["channels"].index("flair")]            # (D, H, W)
print("shapes:", *(tuple(plane.shape) for plane in (flair[d], flair[:, h], flair[:, :, w])))
plots.show(plots.three_planes(flair, position=(d, h, w), affine=sample["affine"], title="FLAIR"))

# %% [markdown]
# *Figure 00.2.* Three cuts through one voxel, under the cross. The planes are **linked**: move the voxel, and
# all three follow. (Most viewers show the patient's right on *your* left, as if you stood at their feet. Here
# left stays left. Read the letters, always.) The LGG patients look squashed from the side: their files do not say
# how thick a slice is.
#
# ### Millimetres
#
# Voxels are counted; heads are measured. The [affine](glossary.md#affine), a matrix of 4 × 4 numbers in the
# file, takes an index to a place: $x$ millimetres to the right, $y$ to the front, $z$ up.
#
# $$(x, y, z, 1)^\top = A\,(d, h, w, 1)^\top \tag{00.2}$$

# %%
A = np.array([[0.0, 0.0, 2.0, -90.0],        # x = 2 w − 90
              [0.0, 1.0, 0.0, -120.0],       # y = 1 h − 120
              [3.0, 0.0, 0.0, -70.0],        # z = 3 d − 70
              [0.0, 0.0, 0.0, 1.0]])
print("by hand: x =", 2 * 45 - 90, " y =", 1 * 100 - 120, " z =", 3 * 20 - 70)
print("matrix: ", A @ np.array([20, 100, 45, 1.0]))

# %% [markdown]
# The first three columns say how far one step along D, H and W goes, and which way. The last says where voxel
# (0, 0, 0) lies. In this example slices are 3 mm apart and columns 2 mm.
#
# ### Exercise 00.1 · from a voxel to millimetres
#
# *5 minutes, easy.* Write (00.2) for any affine and any index (d, h, w). Return the three numbers x, y, z.
#
# <details><summary>Hint 1</summary>The matrix has four columns, the index three numbers. Which fourth number lets the last column be added as it is?</details>
# <details><summary>Hint 2</summary><code>affine @ np.array([d, h, w, 1.0])</code> gives four numbers; the first three are the answer.</details>

# %% tags=["exercise"]
def voxel_to_mm(affine, index):
    """Place (x, y, z) in mm of the voxel with array index (d, h, w)."""
    ### BEGIN SOLUTION
    return (affine @ np.array([*index, 1.0]))[:3]
    ### END SOLUTION

# %%
check("00-millimetres", voxel_to_mm)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4 · Masks: where the tumour is
#
# A [mask](glossary.md#mask) is a box of the same size that holds a **label** per voxel: 0 for no tumour, other
# numbers for its parts. The phantom uses the numbers of [BraTS](glossary.md#brats). The real patients here have one
# label, drawn on FLAIR.
#
# | label | phantom, BraTS | LGG patients |
# |---|---|---|
# | 1 | necrotic core, or tumour that does not enhance | abnormal FLAIR |
# | 2 | oedema | |
# | 4 | enhancing tumour | |

# %%
plots.show(plots.contrasts_row(image, names=sample["channels"], position=depth, overlay=mask[0],
                               affine=sample["affine"], opacity=0.45))

# %% [markdown]
# *Figure 00.3.* The slice of figure 00.1 with its mask. Where was your guess?
#
# **From a loop to one line.** How many voxels does each label have? A loop over all voxels says exactly what
# counting means, and takes its time. `mask == label` compares all voxels at once, and `sum` counts the hits.
# Both must agree. This is how every notebook goes on: first a loop you can follow, then the fast form.

# %%
labels = [int(label) for label in mask.unique() if label > 0]
counted = dict.fromkeys(labels, 0)
for value in mask[0, depth].flatten().tolist():             # one slice; the volume would take a while
    if value > 0:
        counted[value] += 1
at_once = {label: int((mask[0, depth] == label).sum()) for label in labels}
print("loop  ", counted, "\nat once", at_once, "\nequal:", counted == at_once)

# %% [markdown]
# ### Exercise 00.2 · how large is the tumour?
#
# *10 minutes, needs thought.* Return the volume of the whole tumour, all labels together, in millilitres. The helper `voxel_mm3` gives the size of one voxel in cubic millimetres.
# 1 mL = 1000 mm³.
#
# <details><summary>Hint 1</summary>Count voxels, do not add up labels: an enhancing voxel has label 4 and is still one voxel.</details>
# <details><summary>Hint 2</summary>(mask > 0).sum() voxels, times voxel_mm3(affine), divided by 1000.</details>

# %% tags=["exercise"]
def voxel_mm3(affine):
    """Volume of one voxel: the determinant of the affine's 3 × 3 corner, without its sign."""
    return abs(np.linalg.det(affine[:3, :3]))

def tumour_ml(mask, affine):
    """Volume in mL of all labels above 0 in a mask (1, D, H, W)."""
    ### BEGIN SOLUTION
    return int((mask > 0).sum()) * voxel_mm3(affine) / 1000
    ### END SOLUTION

# %%
check("00-volume", tumour_ml)

# %% [markdown]
# ### Parity
#
# Do we get what others get? *nibabel* is the library that reads most brain images. Its functions must give the
# same place and the same voxel size, for the affine of this very sample. `assert_allclose` stops with an error
# if they do not.

# %%
from nibabel.affines import apply_affine, voxel_sizes

affine = sample["affine"]
place = (affine @ np.array([d, h, w, 1.0]))[:3]
np.testing.assert_allclose(place, apply_affine(affine, [d, h, w]))
np.testing.assert_allclose(voxel_mm3(affine), np.prod(voxel_sizes(affine)))
print("voxel", (d, h, w), "lies at x, y, z =", place.round(1), "mm")
unit = "mL" if sample["meta"].get("voxel_size_mm", True) else "thousand voxels; the files say no size"
record("tumour volume", int(inside.sum()) * voxel_mm3(affine) / 1000, unit)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 · Look
#
# The slice explorer shows three linked planes. Move through the head, switch the contrast, lay the mask over it,
# change its opacity. The **window** says which numbers are drawn black and white; narrow it to see faint
# differences. A slider that has the focus also follows the arrow keys.
#
# Find three things: the fluid-filled ventricles in the middle; the darkest part of the tumour in FLAIR; and a
# plane in which the tumour looks smallest.

# %%
from IPython.display import display

explorer = widgets.slice_explorer(sample, title="")
explorer.set(channel="flair")
display(explorer)

# %% [markdown]
# *Figure 00.4.* The explorer, and under it the same state as a plain picture, for readers who do not
# run it.
#
# The same head in a viewer as radiologists use one. Click in a plane; then the mouse wheel moves through the slices. Turn the 3-D head.
# Take the overlay's opacity to 0 and back: did you see the tumour's border without its mask? (Without the
# extra `viewer`, and in the book, you see three planes, without 3-D.)

# %%
widgets.view_volume(sample, {"tumour": "mask"}, channel="flair")

# %% [markdown]
# ## 6 · The phantom, and what it is not
#
# Real scans need permission and a download. The [phantom](glossary.md#phantom) needs neither: a head made by a
# program from a map of an average brain, folded differently for every seed. It is **synthetic**. No person was
# scanned.
#
# You order a phantom: which disease, how large, which person. The next cells make six and shuffle them. **Guess**
# which is which: healthy; low-grade glioma; high-grade glioma; [metastases](glossary.md#metastasis), often
# several, each in its own oedema; [meningioma](glossary.md#meningioma), which grows from the membranes around the
# brain and presses inwards;
# [multiple sclerosis](glossary.md#multiple-sclerosis), many small spots along the ventricles.

# %%
SHAPE = scale_numbers(SCALE, smoke=(64, 80, 64), laptop=(96, 112, 96), paper=(128, 144, 128))
orders = {
    "healthy": healthy(), "low-grade glioma": glioma(grade="low", diameter_mm=40),
    "high-grade glioma": glioma(grade="high", diameter_mm=40), "metastases": metastases(),
    "meningioma": meningioma(diameter_mm=50), "multiple sclerosis": ms_lesions(load_ml=25.0),
}
people = {name: Subject(orders[name], seed=SEED + i).render(shape=SHAPE) for i, name in enumerate(orders)}

def widest_slice(sample):
    """Index of the slice with the largest lesion; the middle one where there is none."""
    areas = (sample["mask"][0] > 0).sum(dim=(1, 2))
    return int(areas.argmax()) if areas.any() else len(areas) // 2

# %%
shuffled = [list(people)[i] for i in np.random.default_rng(SEED).permutation(len(people))]
pictures = [people[name]["image"][3, widest_slice(people[name])] for name in shuffled]  # FLAIR, (H, W)
plots.show(plots.image_grid(torch.stack(pictures), titles=list("ABCDEF"), columns=3, orientation_labels=True,
                            title="Six phantoms (synthetic), FLAIR"))

# %% [markdown]
# *Figure 00.5.* Six synthetic people, each cut where the lesion is widest. Write down your six answers, then run
# the next cell.

# %%
lesions = [people[name]["mask"][0, widest_slice(people[name])] > 0 for name in shuffled]      # (H, W) each
answers = [f"{letter}  {name}" for letter, name in zip("ABCDEF", shuffled, strict=True)]
plots.show(plots.image_grid(torch.stack(pictures), titles=answers, columns=3, orientation_labels=True,
                            overlays=torch.stack(lesions).int(), labels={1: "lesion"}, title="The answers"))

# %% [markdown]
# *Figure 00.6.* The same six with their lesions in colour. FLAIR alone does not answer everything: the meningioma is
# hardly brighter than the brain beside it. A radiologist, too, would ask for T1ce here.
#
# A phantom can do what no patient can: be **the same person with another disease**. That is a
# [counterfactual](glossary.md#counterfactual). If a network's answer changes between the two pictures below, the
# tumour is the reason, for nothing else differs. Notebooks 09 to 11 are built on this.

# %%
from dataclasses import replace

person = Subject(glioma(grade="high", diameter_mm=36), seed=SEED + 7)
low_grade = replace(person, pathology=glioma(grade="low", diameter_mm=36))
pair = [subject.render(shape=SHAPE, contrasts=("t1ce",)) for subject in (person, low_grade)]
where = widest_slice(pair[0])
pictures = torch.stack([scan["image"][0, where] for scan in pair])      # (2, H, W)
plots.show(plots.image_grid(pictures, columns=2, orientation_labels=True, window=(0.0, pictures.max().item() * 0.8),
                            titles=["high grade", "the same person, low grade"], title="T1ce, synthetic"))
for scan, grade in zip(pair, ("high", "low"), strict=True):
    parts = {label: int((scan["mask"] == label).sum()) / int((scan["mask"] > 0).sum()) for label in (1, 2, 4)}
    print(f"{grade} grade: core that does not enhance {parts[1]:.0%}, oedema {parts[2]:.0%}, enhancing {parts[4]:.0%}")

# %% [markdown]
# *Figure 00.7.* A phantom, and the person it could have been. Everything is equal but the tumour: the bright ring is
# missing in the second picture. The lines under it say what the two tumours are made of. In the low grade, label 1 is
# living tumour; in the high grade it is necrosis. **The mask has one label for both**; only the scan tells them apart.

# %% [markdown]
# | | phantom | real patients |
# |---|---|---|
# | to learn a method | yes | yes |
# | to know the truth exactly | yes | no: masks are drawn by people, who differ |
# | to claim that something works on patients | **no** | only on many, from several hospitals |
#
# **Real patients:** `DATA = "lgg"` and `DATA_ROOT = "…/kaggle_3m"` show one in figures 00.1 to 00.4. They are lower-grade
# gliomas of the Cancer Genome Atlas. Each result of the course says which of the two it is about.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7 · What goes wrong
#
# | mistake | symptom | remedy |
# |---|---|---|
# | comparing raw numbers of two scans | "brain 1 is brighter" | normalise each scan; next cell |
# | left and right swapped | a tumour on the wrong side | read the affine, look at L and R |
# | voxels taken for millimetres | volumes off by a factor | `voxel_mm3` |
# | a mask resampled like an image | labels such as 2.7 | nearest voxel for masks |
# | slices split, not patients | test results too good to be true | section 8 |
#
# The first: MRI numbers have **no unit**. A scanner may double them all; the picture looks the same.
# **Guess** how far apart the means of three heads lie after [normalisation](glossary.md#normalisation).

# %%
if DATA == "phantom":
    cohort = open_dataset(DATA, n=12, task="segmentation", seed=SEED, shape=(48, 56, 48))
else:
    cohort = open_dataset(DATA, DATA_ROOT)
    cohort = cohort.subset(sorted(set(cohort.subjects))[:12])       # twelve people are enough here

for number in range(3):
    other = cohort[number]
    inside_head, channel = foreground(other["image"])[0], other["channels"].index("flair")
    raw, scored = (values[channel][inside_head] for values in (other["image"], normalise(other["image"])))
    print(f"head {number + 1}: FLAIR, raw mean {raw.mean():5.0f} and spread {raw.std():4.0f};"
          f" normalised mean {scored.mean():+.2f} and spread {scored.std():.2f}")

# %% [markdown]
# `normalise` finds the most frequent tissue deep in the head, which is white matter, and puts it at 0; the
# background goes to −4. Why not subtract the mean and divide by the standard deviation (a z-score)? A large tumour
# changes both, and so the numbers of healthy tissue far away. Does white matter hold still, as `normalise` assumes? Test it on
# three people, each healthy and with tumours of 30, 50 and 70 mm: by how much do voxels change in which
# **nothing has changed**? **Guess.**

# %%
scores = {"z-score": lambda image, head: (image - image[head].mean()) / image[head].std(),
          "normalise": lambda image, head: normalise(image)}
diameters, moved = (30.0, 50.0, 70.0), {name: np.zeros(3) for name in scores}
for seed in range(SEED + 7, SEED + 10):
    well = Subject(healthy(), seed=seed).render(shape=(48, 60, 48), contrasts=("flair",))
    for place, diameter in enumerate(diameters):
        ill = Subject(glioma(grade="high", diameter_mm=diameter), seed=seed).render(shape=(48, 60, 48), contrasts=("flair",))
        heads = [foreground(scan["image"]) for scan in (well, ill)]            # (1, D, H, W) each
        same = heads[0] & heads[1] & (ill["image"] == well["image"])         # the same tissue, with the same number
        for name, score in scores.items():
            before, after = (score(scan["image"], head) for scan, head in zip((well, ill), heads, strict=True))
            moved[name][place] += 100 * ((after - before)[same].mean() / before[same].std()).abs() / 3
plots.show(plots.lines(diameters, moved, xlabel="diameter of the tumour, mm", ylabel="moved by, % of their spread"))

# %% [markdown]
# *Figure 00.8.* How far unchanged voxels move, mean of three people. Is one line far below the other? A large tumour
# takes away much of the white matter that `normalise` looks for. **No normalisation is safe by its name**: look at
# what it does to tissue that did not change.
#
# ## 8 · Split patients, never slices
#
# To test a network you keep some data aside. Neighbouring slices of one head are nearly the same picture. If one
# trains and one tests, the network can *recognise the person*.
#
# **Guess:** take a slice, and search among the slices of twelve people for the one most like it. How often does
# it belong to the same person?

# %%
many = SliceSet(cohort, size=(48, 48), per_subject=6, seed=SEED)

flat = many.images.flatten(1)                               # (N, numbers in a slice)
distance = torch.cdist(flat, flat).fill_diagonal_(float("inf"))         # (N, N)
nearest = distance.argmin(dim=1)                            # (N,)
same_person = [many.subjects[i] == many.subjects[j] for i, j in enumerate(nearest.tolist())]
by_chance = np.mean([(many.subjects.count(s) - 1) / (len(many) - 1) for s in many.subjects])
record("most similar slice is of the same person", np.mean(same_person))
record("the same by chance", by_chance)

# %% [markdown]
# Compare the two numbers. A network that remembers people gets such slices right without knowing anything about
# tumours. Notebook 04 will show what a paper's result looks like with and without this mistake.
#
# So the package splits by patient, and **only** by patient. There is no function that splits slices.

# %%
split = train_valid_test(cohort.subjects, cohort.table()["label"], fractions=(0.6, 0.2, 0.2), seed=SEED)
for name in ("train", "valid", "test"):
    people_in = getattr(split, name)
    print(f"{name:6s} {len(people_in)} people, {len(many.subset(people_in))} slices")
print("in two parts at once:", set(split.train) & set(split.test) or "nobody")

# %% [markdown]
# ## 9 · What the deck says, and what we found
#
# The *survival deck*, slides of a study that predicts survival with glioma, is the first of our papers. It introduces
# the contrasts so:
#
# | deck | here |
# |---|---|
# | T1 shows anatomy; water is dark | yes: the fluid in figure 00.1 is black |
# | T2 shows lesions; water is white | yes, in the phantom; the LGG patients have no T2 |
# | FLAIR shows lesions better still | beside fluid, yes (figure 00.1); elsewhere compare the numbers of section 2 |
# | in T2 and FLAIR, fat is dark | not in general: in today's usual *fast* sequences fat is bright, unless it is suppressed |
#
# The last row matters for the scalp: the brain's myelin gives hardly any signal.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 10 · The road
#
# | | notebook | the question in it |
# |---|---|---|
# | 00 | start here | you are here |
# | 01 | [attention scores and softmax](01_attention_scores.ipynb) | who looks at whom? |
# | 02 | [squeeze-and-excitation](02_squeeze_excitation.ipynb) | which channel? |
# | 03 | [CBAM](03_cbam.ipynb) | which channel, and where? |
# | 04 | [split attention](04_split_attention.ipynb) | which version of a channel? |
# | 05 | [pseudo-3-D and inter-slice attention](05_p3d_iam.ipynb) | which slice? |
# | 06 | [non-local and slice attention](06_nonlocal_rsa.ipynb) | the whole head, for how much? |
# | 07 | [dual fusion](07_dual_fusion.ipynb) | which of two networks to trust, and where? |
# | 08 | [survival](08_survival.ipynb) | how long? |
# | 09 | [maps and Grad-CAM](09_attention_maps_gradcam.ipynb) | where did it look? |
# | 10 | [is attention an explanation?](10_is_attention_an_explanation.ipynb) | is the map true? |
# | 11 | [explore](11_explore.ipynb) | what if? |
# | 12 | [your own data](12_your_own_data.ipynb) | and my patients? |

# %% [markdown]
# The five papers behind it are networks for glioma survival, tumour presence, glioma grading, lesions of multiple
# sclerosis, and tumour segmentation (outlining a tumour voxel by voxel). Each has a kind of attention of its own.
#
# You need not go in order after 03: each notebook names those it builds on.
#
# ## Quiz
#
# Four questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "Tissue is bright in T1ce and not in T1. What is it?",
        ["Enhancing tumour", "Fluid", "Oedema"], answer=0,
        feedback=["Right: the agent leaked there.",
                  "Fluid is dark in both.",
                  "Oedema is dark in both, bright in FLAIR."]),
    Question(
        "What does image[:, d] of a volume (C, D, H, W) give?",
        ["One contrast", "A coronal slice in all contrasts", "An axial slice in all contrasts"], answer=2,
        feedback=["That is image[c].", "Coronal holds h still: image[:, :, h].", "Right: (C, H, W)."]),
    Question(
        "A mask has 500 voxels of label 4; a voxel has 2 mm³. The volume?",
        ["4 mL", "1 mL", "2 mL"], answer=1,
        feedback=["The label is a name, not an amount.",
                  "Right: 500 × 2 = 1000 mm³.",
                  "500 × 2 mm³, and 1000 mm³ are 1 mL."]),
    Question(
        "Why never split slices at random?",
        ["It is slower", "The same person is then in both parts", "Slices differ in size"], answer=1,
        feedback=["Speed is the same.",
                  "Right: the test then measures recognition.",
                  "They can be brought to one size."]),
])

# %% [markdown]
# ## Summary
#
# | word | in one line |
# |---|---|
# | volume | `image[c, d, h, w]`: contrast, up, forward, to the right |
# | contrast | T1 anatomy, T1ce leaky vessels, T2 fluid and watery tissue, FLAIR watery tissue alone |
# | affine | from index to millimetres |
# | mask | a label per voxel, 0 is background |
# | normalise | scans have no unit; give them one |
# | split | by patient |
#
# **Next:** [01 · Attention scores and softmax](01_attention_scores.ipynb): given a patch of this tumour, which other
# patches are worth looking at?
