# %% [markdown]
# # 05 · Pseudo-3-D and inter-slice attention: which slice matters?
#
# **45 minutes to read, 30 for the exercises; about a minute to run at `smoke`, 3 at `laptop`.** Difficulty ●●●○
#
# A scan is a volume, and a radiologist leafs through it: most slices say little, a few say nearly all. This notebook builds the two ideas of a network that grades [gliomas](glossary.md#glioma), low or high. **Pseudo-3-D** takes a convolution over 3×3×3 voxels apart, into one within the slice and one across slices. The **inter-slice attention module**, IAM, gives *each channel of each slice* a gate, and looks at the neighbouring slices to set it.
#
# You will count what the first saves, and find out what the second spends.

# %% [markdown]
# ## At the end you can
# - say which 3×3×3 convolutions a [pseudo-3-D](glossary.md#pseudo-3-d) pair can replace, and count what it saves;
# - compute [inter-slice attention](glossary.md#inter-slice-attention) with a pencil and write it as a module;
# - check a published table of shapes, and see what a number that was not printed costs;
# - show a task that needs to know the next slice, and destroy the result by editing the gates;
# - test whether a network for grading cares *which* slice, and train one beside a control that knows a few numbers.
#
# **You need** notebooks [02](02_squeeze_excitation.ipynb) (squeeze and gates) and [03](03_cbam.ipynb) (a map of places). New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # or "lgg", with DATA_ROOT the folder of the patients
DATA_ROOT = None

# %%
import numpy as np
import torch
from IPython.display import display
from torch import nn
from torch.nn import functional

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.evaluation import auc_interval, mean_interval, paired_auc_interval, proportion_interval

NUMBERS = scale_numbers(
    SCALE,
    smoke={"n": 60, "spacing_mm": 4.0, "shape": (40, 48, 44), "crop": (32, 32, 32), "iterations": 64, "heads": 24},
    laptop={"n": 120, "spacing_mm": 3.5, "shape": (48, 56, 50), "crop": (32, 40, 40), "iterations": 200, "heads": 80},
    paper={"n": 285, "spacing_mm": 1.0, "shape": (160, 192, 168), "crop": (128, 128, 128), "iterations": 4300, "heads": 80},
)
SMALL = {"layers": (1, 1, 1, 1), "width": 8 if SCALE == "smoke" else 12, "dropout": 0.2}
SIZES = {} if SCALE == "paper" else SMALL  # of the published class
GRADES = ("low grade", "high grade") if DATA == "phantom" else ("label 0", "label 1")
torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# As in the paper, a box is cut around each tumour, with the tumour in its middle. (Remember that an expert's outline was needed for this. It comes back in section 10.)
#
# Below, eight slices of one box, in T1ce: a high-grade tumour whose rim takes up contrast agent ([enhancement](glossary.md#enhancement)) around a dead core. The rim is what tells the grade.
#
# **Guess before you go on.** Describe each slice by its brightest spots. To tell the grade, would you take the mean over all slices, the strongest slice, or simply the middle one?

# %%
from medattn_lite.course import finer_head, labelled_heads
from medattn_lite.data import crop_around, open_dataset
from medattn_lite.training.tasks import tumour_features

phantom = {key: NUMBERS[key] for key in ("n", "shape", "spacing_mm")} | {"task": "grade", "seed": SEED}
dataset = open_dataset(DATA, DATA_ROOT, **(phantom if DATA == "phantom" else {}))
whole = labelled_heads(dataset)
boxes = [crop_around(sample, NUMBERS["crop"]) for sample in whole]

images = torch.stack([box["image"] for box in boxes])  # (N, C, D, H, W)
tumours = torch.stack([box["mask"][0] for box in boxes])  # (N, D, H, W)
grades = torch.tensor([int(box["label"]) for box in boxes])  # (N,)
channels = list(boxes[0]["channels"])
contrast = channels.index("t1ce") if "t1ce" in channels else len(channels) - 1  # with contrast agent
first, finer = int(grades.argmax()), 2 if DATA == "phantom" and SCALE != "paper" else 1  # the same head, in finer voxels
sample = finer_head(phantom, boxes[first]["subject"]) if finer == 2 else whole[first]
shown = crop_around(sample, [finer * side for side in NUMBERS["crop"]])
depths = np.linspace(0.25, 0.68, 8) * shown["image"].shape[1]
plots.show(plots.slice_montage(shown["image"][contrast], slices=depths.astype(int).tolist(), columns=4,
                               title=f"one of {len(boxes)} boxes: high grade, T1ce"))

# %% [markdown]
# *Figure 05.1.* Eight slices of one box, from bottom to top, in finer voxels than the network gets (phantoms at `smoke` and `laptop`). In how many do you see a bright rim around a dark core? Synthetic, unless `DATA` names real patients.

# %%
brightest = images[:, contrast].flatten(2).topk(20, dim=2).values.mean(2)  # (N, D): one number per slice
pools = {
    "mean over all slices": brightest.mean(1),
    "the strongest slice": brightest.amax(1),
    "the middle slice": brightest[:, brightest.shape[1] // 2],
}
single = {name: auc_interval(grades.numpy(), pool.numpy()) for name, pool in pools.items()}
plots.show(plots.forest(single, label="AUC of one number, low or high grade", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 05.2.* [AUC](glossary.md#auc) of the same numbers, slice by slice; only the way of putting slices together differs.
#
# In the synthetic heads, what a few slices show is lost in the mean over all. The strongest slice keeps it. And so does the *middle* one, for a suspicious reason: the box was centred by the outline, so the outline has chosen the slice already.
#
# We want a network that weighs slices by what is in them, **and** each kind of feature for itself: bright rims in one slice, dark cores in the next. That is a gate for each channel of each slice.

# %% [markdown]
# ## 2 · By hand
#
# **Pseudo-3-D.** Take one row of pixels in each slice, so that a "slice" is a row and a "volume" a picture. A full kernel has 3 slices × 3 pixels = 9 weights. The pair has 3 within the slice and 3 across slices. What does the pair compute, written as one kernel?

# %%
within = torch.tensor([1.0, 2.0, 1.0])  # in the slice: smooth
across = torch.tensor([1.0, 0.0, -1.0])  # across slices: the slice below minus the one above
product = across[:, None] * within  # (3 slices, 3 pixels): nine weights made of six
print(product)

x = torch.randn(1, 1, 6, 7)  # (B, C, D, W)
in_turn = functional.conv2d(functional.conv2d(x, within[None, None, None]), across[None, None, :, None])
torch.testing.assert_close(in_turn, functional.conv2d(x, product[None, None]))
print("the pair in turn equals one kernel: the table of products")
torch.set_printoptions(precision=2, sci_mode=False)
for name, kernel in (("table of products", product), ("a diagonal", torch.eye(3))):
    print(f"{name:18} rank {int(torch.linalg.matrix_rank(kernel))}")

# %% [markdown]
# A pair is a **table of products**. The *rank* of a table is the number of such products that must be added up to make it: 1 for the pair. A diagonal, "one pixel further in each slice", has rank 3: no single pair can do it. With many channels in between, several pairs add up, and with a ReLU between them they do what no single kernel can. So the pair is another function, not a cheaper copy.
#
# **Inter-slice attention.** Two channels, four slices, already averaged over each slice. Two convolutions along the slices, kernel 3; a ReLU between; a [sigmoid](glossary.md#sigmoid). Pencil first. (Outside there are zeros.)

# %%
means = torch.tensor([[0.0, 0.0, 4.0, 0.0], [1.0, 1.0, 1.0, 1.0]])  # (C, D)
w1 = torch.tensor([[[-1.0, 2.0, -1.0], [0.0, 0.0, 0.0]]])  # (1, C, 3): "channel 0, more than in its neighbours"
w2 = torch.tensor([[[0.0, 0.5, 0.0]], [[-0.25, 0.0, -0.25]]])  # (C, 1, 3)
hidden = functional.conv1d(means[None], w1, padding=1).relu()  # (1, 1, D)
logits = functional.conv1d(hidden, w2, padding=1)[0]  # (C, D)
print("hidden", hidden[0, 0], "\nlogits", logits, "\ngates", logits.sigmoid(), sep="\n")

# %% [markdown]
# Channel 0 opens in slice 2, where it stands out. Channel 1 is the same in every slice, yet it is nearly shut in slices 1 and 3: **because of what channel 0 does next door.** A gate that saw one slice at a time could not do this.
#
# ## 3 · From loops to a module
#
# $$\mathrm{P3D}(x) = f_{3\times 1\times 1}(f_{1\times 3\times 3}(x)) \tag{05.1}$$
# $$x^c = \mathrm{mean}_{H,W}\,x \tag{05.2}$$
# $$a^c = \sigma\big(f_{3\times 1\times 1}(\delta(f_{3\times 1\times 1}(x^c)))\big) \tag{05.3}$$
# $$a^s = \sigma\big(f_{3\times 3\times 3}(\mathrm{mean}_C\,(a^c \otimes x))\big) \tag{05.4}$$
# $$x' = a^s \otimes a^c \otimes x \tag{05.5}$$
#
# $f$ is a convolution with a kernel of that size, slices first; $\delta$ a [ReLU](glossary.md#relu), $\sigma$ the sigmoid; $\otimes$ multiplies, copying along axes of length 1. Between the two convolutions of (05.3) there are only $C/r$ channels; $r$ is the [reduction](glossary.md#reduction).

# %%
def slice_gate_loop(x, w1, w2):
    """x (C, D, H, W), w1 (C/r, C, 3), w2 (C, C/r, 3) → a^c (C, D), slice by slice."""

    def along(z, weights):  # z (channels, D): a convolution along the slices, zeros outside
        out = torch.zeros(weights.shape[0], z.shape[1])
        for o in range(weights.shape[0]):
            for d in range(z.shape[1]):
                for tap in (-1, 0, 1):
                    if 0 <= d + tap < z.shape[1]:
                        out[o, d] += weights[o, :, tap + 1] @ z[:, d + tap]
        return out

    means = torch.stack([x[:, d].mean(dim=(1, 2)) for d in range(x.shape[1])], dim=1)  # (05.2): (C, D)
    return along(along(means, w1).relu(), w2).sigmoid()  # (05.3)


# %% [markdown]
# After the mean there is one voxel per slice, so the 3×1×1 convolution of the formula is a plain `conv1d` along the slices:

# %% tags=["slide"]
def slice_gate(x, w1, w2):  # x (B, C, D, H, W)
    means = x.mean(dim=(3, 4))  # (05.2): (B, C, D)
    hidden = functional.conv1d(means, w1, padding=1).relu()  # (B, C/r, D)
    return functional.conv1d(hidden, w2, padding=1).sigmoid()[..., None, None]  # (05.3): (B, C, D, 1, 1)


x, w1, w2 = torch.randn(2, 6, 5, 4, 3), torch.randn(2, 6, 3), torch.randn(6, 2, 3)
torch.testing.assert_close(slice_gate(x, w1, w2)[1, :, :, 0, 0], slice_gate_loop(x[1], w1, w2))
print("loop and vectorised agree")

# %% [markdown]
# The module. First which channel in which slice, then where; the padding keeps the number of slices, which the paper leaves unsaid. Only means are taken, no maxima as in CBAM. (In the rest of the network the paper has a [leaky ReLU](glossary.md#leaky-relu).)

# %% tags=["slide", "define:MyIAM"]
class MyIAM(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        along = {"kernel_size": (3, 1, 1), "padding": (1, 0, 0)}
        self.reduce = nn.Conv3d(channels, channels // reduction, **along)
        self.expand = nn.Conv3d(channels // reduction, channels, **along)
        self.places = nn.Conv3d(1, 1, kernel_size=3, padding=1)

    def forward(self, x):  # (B, C, D, H, W)
        means = x.mean(dim=(3, 4), keepdim=True)  # (05.2): (B, C, D, 1, 1)
        x = x * self.expand(self.reduce(means).relu()).sigmoid()  # (05.3): (B, C, D, H, W) ⊗ (B, C, D, 1, 1)
        x = x * self.places(x.mean(dim=1, keepdim=True)).sigmoid()  # (05.4), (05.5): ⊗ (B, 1, D, H, W)
        return x


print("out:", tuple(MyIAM(32)(torch.randn(2, 32, 8, 12, 10)).shape))
plots.show(plots.data_flow("inter-slice"))

# %% [markdown]
# *Figure 05.3.* IAM as a drawing, with the shape of every tensor. Find the two boxes in which a slice learns of its neighbours on the way to $a^c$.
#
# ## 4 · Does it equal the real thing?
#
# There is no public code of IAM, so three other checks. The package's class, with your weights. A library, where the formula allows it: in a volume of **one slice** only the middle weight of each kernel meets anything, so $a^c$ must be squeeze-and-excitation; [MONAI](glossary.md#monai) has that. And the **reach**: two convolutions of 3 slices, so a gate should depend on two slices on either side, and on no more. The gradient tells.

# %%
from monai.networks.blocks import ChannelSELayer

from medattn_lite.attention import InterSliceAttention

mine, package = MyIAM(32), InterSliceAttention(32)
package.load_state_dict(dict(zip(package.state_dict(), mine.state_dict().values(), strict=True)))
x = torch.randn(2, 32, 9, 7, 5, requires_grad=True)
gradients = [torch.autograd.grad(block(x).square().sum(), x)[0] for block in (mine, package)]
torch.testing.assert_close(mine(x), package(x))
torch.testing.assert_close(*gradients)
print("equal to the package: output and gradient")

gate, se, one = package.channel, ChannelSELayer(3, 32, r=16), torch.randn(2, 32, 1, 7, 5)
middle = [p[:, :, 1, 0, 0] if p.ndim > 1 else p for layer in (gate.reduce, gate.expand) for p in layer.parameters()]
se.load_state_dict(dict(zip(se.state_dict(), middle, strict=True)))
torch.testing.assert_close(gate(one) * one, se(one))
print("one slice: equal to MONAI's squeeze-and-excitation")
reached = torch.autograd.grad(gate(x)[:, :, 4].sum(), x)[0].abs().sum((0, 1, 3, 4)) > 0  # (D,)
print("the gate of slice 4 depends on slices", reached.nonzero()[:, 0].tolist())

# %% [markdown]
# Deeper in the network a slice stands for many, so the reach grows. (The package's block with P3D equals a public PyTorch version of P3D, on numbers frozen from it: [table](../figures/parity.md), row `p3d_a_bottleneck_a`.)
#
# ## 5 · Your turn
#
# ### Exercise 05.1 · what pseudo-3-D saves
#
# *5 minutes, easy.* Count the weights of a 3×3×3 convolution from `c_in` to `c_out` channels, and of the pair (05.1) in its place. No biases.
#
# <details><summary>Hint 1</summary>A convolution has one kernel for each pair of an input and an output channel.</details>
# <details><summary>Hint 2</summary>The first of the pair already gives <code>c_out</code> channels. How many does the second one read?</details>

# %% tags=["exercise"]
def weights(c_in, c_out):
    """Returns two whole numbers: weights of 3×3×3, weights of 1×3×3 and then 3×1×1."""
    ### BEGIN SOLUTION
    full = 27 * c_in * c_out
    pseudo = 9 * c_in * c_out + 3 * c_out * c_out
    return full, pseudo
    ### END SOLUTION


# %%
check("05-count", weights)

# %% [markdown]
# ### Exercise 05.2 · a gate for each channel of each slice
#
# *12 minutes, needs thought.* Write (05.2) and (05.3) with two `nn.Conv3d`, with biases. Return the *gate*, (B, C, D, 1, 1), not the scaled features. Between the two convolutions there are `channels // reduction` channels.
#
# <details><summary>Hint 1</summary>The gate keeps two axes of the volume's features: channels and slices. Over which axes do you take the mean?</details>
# <details><summary>Hint 2</summary><code>kernel_size=(3, 1, 1)</code> is for (D, H, W). Without <code>padding=(1, 0, 0)</code> each convolution loses two slices.</details>

# %% tags=["exercise"]
class InterSliceGate(nn.Module):
    """(B, C, D, H, W) to its gates (B, C, D, 1, 1)."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.reduce = nn.Conv3d(channels, channels // reduction, (3, 1, 1), padding=(1, 0, 0))
        self.expand = nn.Conv3d(channels // reduction, channels, (3, 1, 1), padding=(1, 0, 0))
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        means = x.mean(dim=(3, 4), keepdim=True)  # (B, C, D, 1, 1)
        return self.expand(self.reduce(means).relu()).sigmoid()  # (B, C, D, 1, 1)
        ### END SOLUTION


# %%
check("05-channel", InterSliceGate)

# %% [markdown]
# ## 6 · Where it sits, and what it costs
#
# The pair takes the place of the middle convolution in each of the sixteen [residual blocks](glossary.md#residual-block) of a ResNet-50. IAM sits where all gates of this course sit: on the branch, before the addition.

# %%
plots.show(plots.kernel_voxels({"3×3×3": (3, 3, 3), "1×3×3": (1, 3, 3), "then 3×1×1": (3, 1, 1)}))
plots.show(plots.residual_block("inter-slice", middle="conv 1×3×3\nconv 3×1×1"))

# %% [markdown]
# *Figures 05.4 and 05.5.* Above: which neighbours a voxel reads. Below: a block of the network.
#
# A paper prints a table so that you can build the thing. Does it work out? The published network, built on the device `meta` (shapes without numbers), against the paper's Table 1: a box of 128³ voxels goes in.

# %%
from medattn_lite.networks import p3d_resnet50

printed = {"conv1": (64, 64), "layer1": (256, 32), "layer2": (512, 16), "layer3": (1024, 8), "layer4": (2048, 4)}
shapes = {}
with torch.device("meta"):
    network = p3d_resnet50(in_channels=4, num_classes=2).eval()
    for name in printed:
        network.get_submodule(name).register_forward_hook(lambda m, i, o, name=name: shapes.update({name: o.shape[1:]}))
    network(torch.empty(1, 4, 128, 128, 128))
for name, (count, side) in printed.items():
    print(f"{name:8}{tuple(shapes[name])}", "as printed" if shapes[name] == (count, *[side] * 3) else "NOT as printed")

# %% [markdown]
# All five as printed. Only the last row of that table does not fit the rest: an average pool with "k = 4, d = 2" to "4 × 4", from a feature map of 4×4×4. (The package takes the mean over all three axes.)
#
# Now the costs. Guess first: how much smaller does P3D make the network, and how much of that does IAM take back? Its reduction $r$ is **not printed**.

# %%
from torch.utils.flop_counter import FlopCounterMode


def published_cost(**options):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = p3d_resnet50(in_channels=4, num_classes=2, **options).eval()
        network(torch.empty(1, 4, 128, 128, 128))
    return sum(p.numel() for p in network.parameters()) / 1e6, counter.get_total_flops() / 2e9


full, pseudo = published_cost(attention=False, pseudo_3d=False), published_cost(attention=False)
reductions = (2, 4, 8, 16, 32)
with_iam = {r: published_cost(reduction=r) for r in reductions}
for name, (parameters, products) in {"3×3×3": full, "P3D": pseudo, "P3D + IAM, r = 16": with_iam[16]}.items():
    record(f"{name}: million parameters", parameters)
    record(f"{name}: billion multiplications", products)
series = {"P3D + IAM": [with_iam[r][0] for r in reductions], "full 3×3×3": [full[0]] * 5, "P3D": [pseudo[0]] * 5}
plots.show(plots.lines(reductions, series, xlabel="reduction r of IAM", ylabel="million parameters", log_x=True))

# %% [markdown]
# *Figure 05.6.* How large the network is for each reduction $r$.
#
# P3D saves 41 % of the parameters and 22 % of the multiplications. (Not the factor 2.25 of exercise 05.1: the 1×1×1 convolutions stay as they are.) IAM costs next to nothing in multiplications. In parameters it gives back 40 % of what P3D saved, if $r = 16$; and with $r = 4$ or less the "reduced" network is **larger than the full one**.

# %% [markdown]
# ## 7 · Where it must win
#
# A **positive control**: a task that needs a gate which knows the next slice. A spot is a lesion only if the slice *above* it shows no large vessel; else it is a branch of that vessel. The vessel lies far from the spot in the plane, and a vessel in the spot's own slice says nothing.

# %%
from medattn_lite.data.controls import CONTROLS, LESION
from medattn_lite.explain import PLACE_EDITS, SLICE_EDITS, slice_gates, under_edits

right = lambda hits: mean_interval(hits.float().mean(1), bounds=(0, 1))  # the share of a volume's four spots
volume = CONTROLS["slice-above"].draw(1, seed=SEED)  # images (1, 1, D, H, W)
plots.show(plots.picture_table(
    [list(volume.images[0, 0]), [(level == LESION).float() for level in volume.objects[0]]], maps_from=None,
    names=["slices", "lesions"], columns=[f"slice {d}" for d in range(volume.images.shape[2])],
    alt="The slices of one volume in a row, some with a large disc, some with a spot; below, which spots are lesions."))

# %% [markdown]
# *Figure 05.7.* One volume, slice by slice from below; under it, the spots that are lesions. Check one: what does the slice to its right show? The network: two convolutions within the slice, then nothing, SE or IAM, then 1×1×1 convolutions. A kernel of 3×1×1 alone would not help, since the vessel is not above the spot but far away in the plane. **A mean over each slice, passed to the next one, would:** (05.2) and (05.3).
#
# **Guess** the share of spots judged right without attention, with SE and with IAM; chance is one half.

# %%
from medattn_lite.positive_controls import object_hits, train_control, without_cue

for kind in ("none", "se", "iam"):
    run = train_control("slice-above", kind, seed=SEED, scale=SCALE)
    record(f"control: spots judged right, attention {kind!r}", right(run.right))
by_slice = {name: gates[:, :, 1:].transpose(1, 2).flatten(0, 1) for name, gates in
            slice_gates(run.network, run.test.images).items()}  # layer → (N · slices, C); the first has none above it
plots.show(plots.gates_by_layer(by_slice, labels=run.test.state[:, 1:].flatten().int(),
                                class_names=["no vessel above", "vessel above"]))

# %% [markdown]
# *Figure 05.8.* Mean gate of each channel over all slices, with and without a vessel in the slice *above*. Where the lines part, a gate knows the neighbour.
#
# ### Exercise 05.3 · a test of your own
#
# *12 minutes, changes the experiment.* The edit *the same in every slice* gives each slice its channel's mean gate. It takes away places **and** values: which of the two was needed? Write an edit that changes **only the place**: each channel of each volume keeps exactly its gates, and no slice keeps its own. Many answers are right.
#
# <details><summary>Hint 1</summary>Upside down: with an odd number of slices, the middle one stays.</details>
# <details><summary>Hint 2</summary>What if every slice gets its neighbour's gate?</details>

# %% tags=["exercise"]
def my_test(gates):
    """gates (B, C, D, 1, 1), D > 1 or nothing can move; returns a new table of the same shape."""
    ### BEGIN SOLUTION
    return gates.roll(1, dims=2)
    ### END SOLUTION


# %%
check("05-test", my_test)

# %%
from medattn_lite.course.exercises import another_place

mine = my_test if check("05-test", my_test).passed else another_place
EDITS, kind = SLICE_EDITS | {"another place": mine}, "channel×slice"  # functions: gates (B, C, D, 1, 1) to gates
on_control = under_edits(run.network, EDITS, lambda: right(object_hits(run.network, run.test)), kind=kind)
on_control["no vessels"] = right(object_hits(run.network, without_cue(run)))
plots.show(plots.forest(on_control, label="share of spots judged right", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 05.9.* Gates *unchanged*; the same in every slice; upside down; another volume's; all one half; *another place* (your test; until it is right, the package's); and unchanged without the vessels. **Defend a sentence:** does the network need the gates' places, or their values? Which bars say so? (More seeds: [the positive controls](../figures/positive_controls.md).)
#
# ## 8 · Heads, and a network that comes trained
#
# The package's P3D with IAM was trained on whole synthetic heads, without a box. The explorer shows a slice, its map of places, **a gate for each channel in each slice**, and the mean gate along the slices over the tumour's area. *Close* a slice, or move **towards mean**. Does the answer move?

# %%
from medattn_lite.explain import graded_heads, held_out
from medattn_lite.networks import load_trained
from medattn_lite.widgets import inter_slice_explorer

shipped = load_trained("grade_p3d_iam")
cases = list(held_out(shipped, limit=NUMBERS["heads"] // 2))  # high grades, with the voxels that make the grade
explorer = inter_slice_explorer(
    shipped.network, torch.cat([case.image for case in cases[:4]]), labels=[case.target.index for case in cases[:4]],
    names=shipped.facts["classes"], masks=torch.stack([case.signal for case in cases[:4]]),
    channels=shipped.facts["channels"],
)  # fmt: skip
explorer.set(background=shipped.facts["channels"].index("t1ce"), layer="layer3.0.iam.channel", towards_mean=1.0)
display(explorer)

# %% [markdown]
# *Figure 05.10.* The explorer, here with all slices alike. Outlined: the voxels that make the grade.
#
# The paper wants the model "to judge like the experts", who look at the slices that matter. So count. **Preference** is the mean gate over the slices of the signal (each weighted by its area) divided by the mean gate over all slices. 1 is chance. Beside it the same network, **untrained**.

# %%
from medattn_lite.explain import layer_box, spatial_gates, to_image_grid
from medattn_lite.networks import build

seen, share = torch.cat([case.image for case in cases]), torch.stack([case.signal for case in cases]).flatten(2).sum(2)
share = share / share.sum(1, keepdim=True)  # (N, D): of the signal in each slice


def preference(network):
    """Layer → for each head, mean gate on the signal's slices ÷ mean gate."""
    grids, intervals = [maps.shape[1:] for maps in spatial_gates(network, seen).values()], {}
    for (name, gates), grid in zip(slice_gates(network, seen).items(), grids, strict=True):
        fine = to_image_grid(gates.mean(1), share.shape[1:], box=[layer_box(network, seen, grid)[0]])  # (N, D)
        intervals[name.split(".")[0]] = mean_interval((fine * share).sum(1) / fine.mean(1), bounds=(0, np.inf))
    return intervals


torch.manual_seed(SEED)
untrained = build(shipped.facts["network"], **shipped.facts["options"]).eval()
measured = {f"{layer}, {word}": interval for word, network in (("trained", shipped.network), ("untrained", untrained))
            for layer, interval in preference(network).items()}
plots.show(plots.forest(measured, label="gate on the signal's slices ÷ chance", reference=1.0, reference_label="chance"))

# %% [markdown]
# *Figure 05.11.* Mind the axis: are the values far from 1, or does a narrow scale make them look so?
#
# A preference is not yet a need. The edits of figure 05.9, on heads of both grades that the network has never seen. **Guess** which of them costs it anything.

# %%
from medattn_lite.training import fit, predict_probabilities

heads, truths = graded_heads(shipped, limit=NUMBERS["heads"])  # (N, C, D, H, W), (N,)
graded = lambda: auc_interval(truths, predict_probabilities(shipped.network, heads, batch_size=len(heads))[:, 1])
on_heads = under_edits(shipped.network, EDITS, graded, kind=kind)
on_heads |= under_edits(shipped.network, {"flat maps of places": PLACE_EDITS["flat"]}, graded, kind="spatial")
plots.show(plots.forest(on_heads, label="AUC, low or high grade", reference=0.5, reference_label="chance"))
for name, interval in on_heads.items():
    record(f"shipped network, AUC, gates {name}", interval)

# %% [markdown]
# *Figure 05.12.* Compare with figure 05.9. If *the same in every slice* is as good as *unchanged*, the network may use *which channel*, not *which slice*: what is left of the module is squeeze-and-excitation, at a price. *All one half* asks whether even the channels matter. (What IAM gains in other tasks, over seeds: [the comparison](../figures/mechanisms.md).)
#
# ## 9 · Train it yourself, with and without
#
# Back to the boxes of section 1. The [control](glossary.md#control) knows no picture: a [logistic regression](glossary.md#logistic-regression) on a few numbers of the outlined tumour, its volume, and mean and spread of each contrast inside. The outline was needed for the box anyway.

# %%
from sklearn.linear_model import LogisticRegression

from medattn_lite.data import train_valid_test
from medattn_lite.networks import P3DResNet

patients = [box["subject"] for box in boxes]
split = train_valid_test(patients, grades.tolist(), fractions=(0.67, 0.0, 0.33), seed=SEED)
train, test = (torch.from_numpy(split.rows(side, patients)) for side in ("train", "test"))


def train_one(attention, seed=SEED):
    torch.manual_seed(seed)
    network = P3DResNet(in_channels=images.shape[1], num_classes=2, attention=attention, **SIZES)
    return network, fit(network, images[train], grades[train], iterations=NUMBERS["iterations"], batch_size=8,
                        learning_rate=3e-3 if SIZES else 3e-4, seed=seed, device=DEVICE)  # fmt: skip


runs = {"P3D": train_one(False), "P3D, second seed": train_one(False, SEED + 1), "P3D + IAM": train_one(True)}
model, truth = runs["P3D + IAM"][0], grades[test].numpy()
plots.show(plots.training_curve({name: history for name, (_, history) in runs.items()}))

# %%
scores = {name: predict_probabilities(network, images[test], batch_size=8)[:, 1].numpy() for name, (network, _) in runs.items()}
features = np.array([tumour_features(sample) for sample in whole])
features = (features - features[train].mean(0)) / features[train].std(0)
regression = LogisticRegression().fit(features[train], grades[train].numpy())
scores[f"control: {features.shape[1]} numbers"] = regression.predict_proba(features[test])[:, 1]
results = {name: auc_interval(truth, score) for name, score in scores.items()}
gains = {name: paired_auc_interval(truth, score, scores["P3D"]) for name, score in list(scores.items())[1:]}
plots.show(plots.forest(results, label="AUC on test patients", reference=0.5, reference_label="chance"))
for name, interval in (results | {f"gain, {name}": gain for name, gain in gains.items()}).items():
    record(f"AUC {name}", interval)
if 0.5 in results["P3D + IAM"] or not results["P3D + IAM"].is_given:
    print("It is not shown that your network with IAM grades better than chance: its interval holds 0.5, or there are too few "
          "patients for one. Nothing can be said of its gates. Use SCALE = \"laptop\", or the shipped network.")

# %% [markdown]
# *Figures 05.13 and 05.14.* The loss; AUC on the test patients. Look at three things before you believe a gain:
#
# - **the intervals**, where there are any: a patient is one label here;
# - **the second seed** of P3D. If it gains as much as IAM, you have seen luck: intervals cover the choice of test patients, not the start;
# - **the control**. A network that a regression on the outline beats has not shown what it is for.
#
# ## 10 · What goes wrong
#
# Five mistakes; all run. Each gets the same features, in which slice 3 is bright. *By slice*: how gates differ between slices. *Neighbours*: how far the gate of slice 3 moves when slice 2 changes. *If alone*: without its batch.

# %%
x = torch.rand(4, 16, 6, 8, 8, generator=torch.Generator().manual_seed(SEED))
x[:, :, 3] *= 4.0
torch.manual_seed(SEED)
w1, w2 = (torch.rand(4, 16, 3) - 0.45) / 2, torch.randn(16, 4, 3) / 3
one_tap = lambda w: w * torch.tensor([0.0, 1.0, 0.0])  # a kernel along another axis meets only its middle weight
raw = lambda x: torch.logit(slice_gate(x.double(), w1.double(), w2.double())).float()  # what the sigmoid was given
variants = {
    "right": lambda x: slice_gate(x, w1, w2),
    "slices averaged too": lambda x: slice_gate(x.mean(2, keepdim=True), w1, w2).expand(-1, -1, 6, -1, -1),
    "kernel along the width": lambda x: slice_gate(x, one_tap(w1), one_tap(w2)),
    "no sigmoid": raw,
    "softmax over slices": lambda x: raw(x).softmax(2),
    "softmax over the batch": lambda x: raw(x).softmax(0),
}
moved = x.clone()
moved[:, :, 2] += 1.0
print(f"{'variant':26}{'lowest':>8}{'highest':>9}{'by slice':>10}{'neighbours':>12}{'if alone':>10}")
for name, gate in variants.items():
    a = gate(x)
    change, alone = (gate(moved) - a)[:, :, 3].abs().max(), (gate(x[:1]) - a[:1]).abs().max()
    print(f"{name:26}{a.min():8.2f}{a.max():9.2f}{a.std(2).mean():10.2f}{change:12.2f}{alone:10.2f}")

# %% [markdown]
# | variant | symptom |
# |---|---|
# | slices averaged too | no difference by slice: squeeze-and-excitation |
# | kernel along the width | **runs, and looks right**; no gate depends on the neighbouring slices |
# | no sigmoid | values below 0 and above 1 |
# | softmax over slices | the slices of a channel share one whole: none opens as far as it did, and in a deep volume all fade |
# | softmax over the batch | a patient's result depends on the others |
#
# A sixth does not run: without padding, each convolution loses two slices, and the gate no longer fits.
#
# ## 11 · What the paper says, and what we found
#
# Its test accuracies first. Over five folds, 285 patients are tested. How many patients are the printed percentages, and how sure?

# %%
for name, printed_accuracy in (("P3D", 85.96), ("P3D + IAM", 89.47)):
    right = round(285 * printed_accuracy / 100)
    print(f"{name}: {right} of 285 is {100 * right / 285:.2f} %")
    record(f"printed accuracy, {name}", proportion_interval(right, 285))
record("always saying high grade (210 of 285)", 210 / 285)

# %% [markdown]
# | claim | what we found |
# |---|---|
# | P3D "significantly" reduces the model | holds: 46.2 → 27.4 million parameters |
# | IAM improves accuracy, 85.96 → 89.47 % | ten patients of 285 |
# | … on 150 phantoms, boxes, AUC | P3D + IAM − P3D: −0.031 [−0.083, 0.020] |
# | … on 80 LGG patients, grade 2 or 3, boxes, AUC | −0.021 [−0.175, 0.133] |
# | … on 80 phantoms, *whole heads*, AUC | 0.079 [0.027, 0.147] |
# | 3×3×3 "can be replaced" by the pair | AUC, P3D − full: phantoms −0.029 [−0.070, 0.015], LGG −0.030 [−0.188, 0.130]; phantoms' accuracy −0.073 [−0.133, −0.007] |
# | networks learn better features than hand-made ones | AUC, P3D + IAM − control: phantoms −0.134 [−0.201, −0.078], LGG −0.081 [−0.255, 0.100] |

# %% [markdown]
# Ours are `laptop` runs ([results](../figures/results.md)), small networks on few patients or on an earlier version of the phantom, each trained once per fold: they neither refute the paper nor confirm it. **Does it matter which slice?** Figure 05.9 says that it can, figure 05.12 whether it does in the shipped network; the same edits on five folds of an earlier run are in a [table](../figures/slice_order.md).

# %% [markdown]
# Four more things to know before you build on it:
#
# - The box is cut **from the annotation**, so a new patient needs an outline first.
# - Only low-grade images are mirrored while training. Then a mirrored head *means* low grade, and heads are not symmetrical: a [shortcut](glossary.md#shortcut) is laid. (Here all are mirrored.)
# - (05.4) is printed with a 3×1×3 kernel and described as 3×3×3; the learning rate as $3\times 10^4$.
# - Whether validation chose the tested state is not said.
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "A gate of IAM has the shape (B, C, D, 1, 1). What can it do that squeeze-and-excitation cannot?",
        ["Point at a place in a slice", "Open a channel in one slice and close it in the next", "Close a channel"],
        "Open a channel in one slice and close it in the next",
        ["Its axes for height and width have length 1; the second map, a^s, points.",
         "Yes: a gate for each channel of each slice.", "Squeeze-and-excitation does that, for all slices at once."],
    ),
    Question(
        "1×3×3 and then 3×1×1, as many channels in as out. The weights fall by a factor of …",
        ["27 / 12 = 2.25", "27 / (9 · 3) = 1", "3"],
        "27 / 12 = 2.25",
        ["Yes: 9 + 3 in place of 27. The whole network shrinks by less.",
         "The weights of two convolutions in turn add up.", "9 weights alone would be a third, without any slice next door."],
    ),
    Question(
        "With \"slices alike\" the AUC does not change. What do you conclude?",
        ["IAM is useless", "The network cannot tell slices apart", "It does not use the difference between slices"],
        "It does not use the difference between slices",
        ["Its channels' gates, or its map of places, may still matter. Take those away next.",
         "Its features can; these gates do not need to.",
         "Yes, in this network and on these patients. That is what was tested."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Pseudo-3-D**: 1×3×3, then 3×1×1. A table of products in place of a cube; 12 weights for 27.
# - **IAM**: mean over each slice, two convolutions *along* the slices, a gate for each channel of each slice; then a map of places.
# - What P3D saves, IAM partly spends; how much depends on the unprinted reduction.
# - Whether *which slice* matters is an experiment: make the slices alike.
# - Compare a network with a regression on the outline.
#
# **Next:** [06 · Non-local and recurrent slice attention](06_nonlocal_rsa.ipynb): every voxel looks at every other, and slices make that affordable.
#
# **Read on:** Du et al., *Pseudo-3D CNN with inter-slice attention for glioma grading*; Qiu, Yao, Mei, *Pseudo-3D residual networks* ([arXiv:1711.10305](https://arxiv.org/abs/1711.10305)). Words: [glossary](glossary.md).
