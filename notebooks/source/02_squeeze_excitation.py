# %% [markdown]
# # 02 · Squeeze-and-excitation: which channel matters?
#
# **45 minutes to read, 25 for the exercises; about a minute to run at `smoke`, 8 at `laptop`.** Difficulty ●●○○
#
# You will build the smallest attention of this course: a block that gives **each channel one number between 0 and 1** and multiplies the channel by it. In 2017 it won ImageNet, a contest in naming what is on a photograph. It is the attention in SE-ResNeXt-50, the first network of the *survival deck*: slides of a study that predicts survival with glioma, a brain tumour.
#
# You need to know what a convolution is. A [tensor](glossary.md#tensor) is a box of numbers with a shape; wherever the shape changes, a comment says to what.

# %% [markdown]
# ## At the end you can
# - compute a [squeeze](glossary.md#squeeze), an [excitation](glossary.md#excitation) and a [gate](glossary.md#gate) with a pencil;
# - write the block for 2-D slices and 3-D volumes, and show that it equals the one in [MONAI](glossary.md#monai), the library of medical imaging;
# - say where it sits in a network, and what it costs;
# - train a network with and without it, split by patient, and say honestly whether it helped;
# - test whether the gates depend on the image, and whether the network needs that: first where it must, then on heads.
#
# **You need** notebook [01](01_attention_scores.ipynb), if only for one thought: its weights share one whole among all. The gates here do not share: each is its own decision. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # or "lgg", with DATA_ROOT the folder of the patients
DATA_ROOT = None

# %%
import torch
from IPython.display import display
from torch import nn

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers

NUMBERS = scale_numbers(
    SCALE,
    smoke={"n": 40, "spacing_mm": 3.0, "size": (64, 64), "per_subject": 8, "iterations": 120, "heads": 24},
    laptop={"n": 160, "spacing_mm": 2.0, "size": (96, 96), "per_subject": 10, "iterations": 600, "heads": 80},
    paper={"n": 1000, "spacing_mm": 1.5, "size": (128, 128), "per_subject": 16, "iterations": 20000, "heads": 80},
)
torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# A convolution layer turns one picture into many: its [**channels**](glossary.md#channel). One responds to bright spots, one to edges, one to dark fluid. The next layer reads all of them, with the same weights for every image.
#
# Below is one slice of a head with a tumour (yellow line) in FLAIR, a kind of MRI in which swollen tissue is bright and free fluid is dark. Beside it are four channels made by hand.
#
# **Guess before you go on.** The question is "is there a tumour in this slice?". Which channel would you turn up, which down?

# %%
from medattn_lite.course import open_slices

slices = open_slices(NUMBERS, data=DATA, root=DATA_ROOT, seed=SEED)
flair = slices.images[:, slices.channels.index("flair")]  # (N, H, W)
channels = torch.stack([
    flair.relu(),  # bright tissue
    (-flair).relu(),  # dark tissue and fluid
    flair.diff(dim=1, prepend=flair[:, :1]).abs(),  # edges from front to back
    (flair - flair.flip(-1)).relu(),  # brighter than the mirror image
], dim=1)  # (N, 4, H, W)
names = ["bright", "dark", "edges", "unlike its mirror"]
example = int(slices.masks.flatten(1).sum(1).argmax())
plots.show(plots.picture_table(
    [[flair[example], *channels[example]]], columns=["slice (FLAIR)", *names], maps_from=1, map_label="channel",
    limits=(0, float(channels[example, 0].amax())), outlines=[slices.masks[example]],
    alt="A FLAIR slice with its tumour outlined, and four channels made from it: "
    "bright tissue, dark tissue with the air, edges, and what is brighter than its mirror image.",
))

# %% [markdown]
# *Figure 02.1.* One slice, four channels. The air counts as dark; exercise 02.1 comes back to that. The heads are synthetic, unless `DATA` names real patients.
#
# How well does **one number per channel**, its mean over the whole picture, tell slices with tumour from slices without? The measure is the [AUC](glossary.md#auc): take one slice with tumour and one without; how often has the first the larger number? 0.5 is chance, 1 is perfect. The bar is a 95 % [interval](glossary.md#interval): how far the value would plausibly move with other patients.

# %%
from medattn_lite.evaluation import auc_interval

labels = slices.labels.numpy()
single = {
    name: auc_interval(labels, channels[:, c].mean(dim=(1, 2)).numpy(), groups=slices.subjects)
    for c, name in enumerate(names)
}
plots.show(plots.forest(single, label="AUC of the channel's mean", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 02.2.* What each channel's mean knows about the answer.
#
# Was your guess right? Two things matter here:
#
# - Channels are **not equally useful**. (Below one half is useful too: the less of it, the more tumour.)
# - One mean says something, and far from everything: no bar here reaches 1.
#
# So we want a gate for each channel. And the channel that helps with one slice need not help with the next, so the network should set the gates **from what it sees**. That is squeeze-and-excitation. (Whether it really uses this freedom is a question for sections 7 to 9.)

# %% [markdown]
# ## 2 · By hand
#
# Three channels of 2×2 pixels. Take a pencil, and look only then.
#
# 1. **Squeeze**: one number per channel, its mean.
# 2. **Excitation**: two small layers and a sigmoid. The first mixes the three numbers into one ("channel 0 minus channel 1 plus channel 2"), and a [ReLU](glossary.md#relu) drops what is negative. The second hands it back to three channels. The [sigmoid](glossary.md#sigmoid) $\sigma(t) = 1/(1+e^{-t})$ squashes each into 0…1: that is the **gate**.
# 3. **Scale**: multiply each channel by its gate.

# %%
u = torch.tensor([
    [[4.0, 0.0], [0.0, 0.0]],  # channel 0: one bright pixel
    [[2.0, 2.0], [2.0, 2.0]],  # channel 1: bright everywhere
    [[0.0, 0.0], [6.0, 6.0]],  # channel 2: a bright lower half
])  # (C, H, W) = (3, 2, 2)
w1 = torch.tensor([[1.0, -1.0, 1.0]])  # (1, 3): three numbers in, one out
w2 = torch.tensor([[1.0], [-1.0], [0.0]])  # (3, 1): one in, three out

z = u.mean(dim=(1, 2))  # (C,)
hidden = (w1 @ z).relu()  # (1,)
gate = (w2 @ hidden).sigmoid()  # (C,)
torch.set_printoptions(precision=2, sci_mode=False)
print("squeeze", z, "\nhidden ", hidden, "\ngate   ", gate)
print("scaled", u * gate[:, None, None], sep="\n")

# %% [markdown]
# Channel 0 is kept nearly whole, channel 1 is almost shut, channel 2 is halved.
#
# **Try it.** Make channel 1 stronger: fives in place of twos. What happens to `hidden`, and so to all three gates? Guess, then run the cell again.
#
# <details><summary>What you see</summary>The ReLU closes: every gate becomes σ(0), one half. One channel's strength has changed the gates of the <i>others</i>. That is what two layers can do and a threshold on each channel cannot.</details>

# %% [markdown]
# ## 3 · From loops to a module
#
# In the paper's letters: $u$ is the [feature map](glossary.md#feature-map), all channels together; $\delta$ is the ReLU; $W$ and $b$ are the weights and biases of the two layers. ($\sum_{i,j}$ adds up all pixels.)
#
# $$z_c = \frac{1}{HW}\sum_{i,j} u_c(i,j) \tag{02.1}$$
# $$s = \sigma\big(W_2\,\delta(W_1 z + b_1) + b_2\big) \tag{02.2}$$
# $$\tilde x_c = s_c\,u_c \tag{02.3}$$
#
# $W_1$ goes from $C$ to $C/r$ numbers, $W_2$ back. The [reduction](glossary.md#reduction) $r$ is 16 in the paper: this narrow waist, a [bottleneck](glossary.md#bottleneck), keeps the block small and makes it find what channels have in common. First with loops, as you would do it by hand:

# %%
import math


def recalibrate_loop(u, w1, b1, w2, b2):
    out = torch.empty_like(u)  # (B, C, H, W)
    for b in range(u.shape[0]):
        z = [sum(channel.flatten().tolist()) / channel.numel() for channel in u[b]]  # (02.1): C numbers
        hidden = []
        for weights, bias in zip(w1.tolist(), b1.tolist(), strict=True):
            total = sum(w * value for w, value in zip(weights, z, strict=True)) + bias
            hidden.append(max(total, 0.0))  # δ: C/r numbers
        for c, (weights, bias) in enumerate(zip(w2.tolist(), b2.tolist(), strict=True)):
            total = sum(w * value for w, value in zip(weights, hidden, strict=True)) + bias
            s = 1 / (1 + math.exp(-total))  # (02.2)
            out[b, c] = s * u[b, c]  # (02.3)
    return out


# %% [markdown]
# Then without loops. `mean(dim=(2, 3))` takes the mean over height and width; `[:, :, None, None]` gives the gate two axes of length 1, so that it multiplies every pixel.

# %% tags=["slide"]
def recalibrate(u, w1, b1, w2, b2):
    z = u.mean(dim=(2, 3))  # (02.1): (B, C)
    hidden = (z @ w1.T + b1).relu()  # (B, C/r)
    s = (hidden @ w2.T + b2).sigmoid()  # (02.2): (B, C)
    return u * s[:, :, None, None]  # (02.3): (B, C, H, W)


feature_map, weights = torch.randn(2, 6, 5, 4), [torch.randn(*shape) for shape in ((3, 6), (3,), (6, 3), (6,))]
torch.testing.assert_close(recalibrate(feature_map, *weights), recalibrate_loop(feature_map, *weights))
print("loop and vectorised agree")

# %% [markdown]
# Last as a module that learns its weights. `flatten(2)` lays all axes of space in one row, so the same class takes slices and volumes. It is named `SE`; the package's tested class is `SqueezeExcitation`.

# %% tags=["slide", "define:SE"]
class SE(nn.Module):
    def __init__(self, channels, reduction=16):
        super().__init__()
        self.reduce = nn.Linear(channels, channels // reduction)  # W1, b1
        self.expand = nn.Linear(channels // reduction, channels)  # W2, b2

    def forward(self, u):  # (B, C, H, W) or (B, C, D, H, W)
        z = u.flatten(2).mean(dim=2)  # (02.1): (B, C)
        hidden = self.reduce(z).relu()  # (B, C/r)
        s = self.expand(hidden).sigmoid()  # (02.2): (B, C)
        ones = [1] * (u.ndim - 2)
        return u * s.reshape(*s.shape, *ones)  # (02.3): (B, C, …)


print("slices ", tuple(SE(32)(torch.randn(2, 32, 24, 24)).shape))
print("volumes", tuple(SE(32)(torch.randn(2, 32, 12, 24, 24)).shape))

# %% [markdown]
# ## 4 · Does it equal the real thing?
#
# This is [parity](glossary.md#parity). Copy your weights into the package's class and into MONAI's, and compare outputs **and [gradients](glossary.md#gradient)**, in 2-D and in 3-D. Two blocks may agree in the first and differ in the second.
#
# In other people's code the two layers are often 1×1 convolutions. It is the same thing: a 1×1 convolution multiplies the channel vector at each pixel by one matrix, and after the squeeze there is one pixel left. The last lines check that too.

# %%
from monai.networks.blocks import ChannelSELayer

from medattn_lite.attention import SqueezeExcitation

for dims, size in ((2, (9, 7)), (3, (5, 9, 7))):
    mine = SE(32)
    ours = SqueezeExcitation(32, reduction=16, spatial_dims=dims)
    monai = ChannelSELayer(dims, 32, r=16)
    for other in (ours, monai):  # four tensors each, in the same order
        other.load_state_dict(dict(zip(other.state_dict(), mine.state_dict().values(), strict=True)))
    x = torch.randn(2, 32, *size, requires_grad=True)
    gradient = torch.autograd.grad(mine(x).square().sum(), x)[0]
    for name, other in (("the package", ours), ("MONAI", monai)):
        torch.testing.assert_close(mine(x), other(x))
        torch.testing.assert_close(gradient, torch.autograd.grad(other(x).square().sum(), x)[0])
        print(f"{dims}-D: equal to {name}'s, output and gradient")
linear, convolution, z = nn.Linear(32, 2), nn.Conv2d(32, 2, kernel_size=1), torch.randn(4, 32)
convolution.weight.data, convolution.bias.data = linear.weight.data[:, :, None, None], linear.bias.data  # (2, 32, 1, 1)
torch.testing.assert_close(linear(z), convolution(z[:, :, None, None]).flatten(1))
print("a linear layer equals a 1×1 convolution")

# %% [markdown]
# Where published codes differ, so that you are not surprised:
#
# | code | what is different |
# |---|---|
# | the paper's own (Caffe) | biases in both layers, as here |
# | MONAI `ChannelSELayer` | $r = 2$ unless you say `r=16` |
# | timm `SEModule` | 2-D only; rounds $C/r$ to a multiple of 8 |
# | `senet.pytorch`, much copied | no biases |
#
# (Caffe was a library of that time; timm and `senet.pytorch` are collections of networks for PyTorch.)

# %% [markdown]
# ## 5 · Your turn
#
# ### Exercise 02.1 · squeeze only the head
#
# *5 minutes, easy.* The air around the head is part of the mean. Take the mean over the pixels where `inside` is 1, for slices and volumes alike. You may leave an exercise for later: the notebook goes on without it.
#
# <details><summary>Hint 1</summary>A mean is a sum divided by a count. Multiply first, so that pixels outside add nothing.</details>
# <details><summary>Hint 2</summary><code>(u * inside).flatten(2).sum(dim=2)</code> is the sum, shape (B, C). The count is not H·W: it is the sum of <code>inside</code>, shape (B, 1), and it differs from image to image.</details>

# %% tags=["exercise"]
def squeeze_inside(u, inside):
    """u (B, C, H, W) or (B, C, D, H, W); inside (B, 1, …) with 0 and 1; returns (B, C)."""
    ### BEGIN SOLUTION
    total = (u * inside).flatten(2).sum(dim=2)  # (B, C)
    count = inside.flatten(2).sum(dim=2)  # (B, 1)
    return total / count
    ### END SOLUTION


# %%
check("02-squeeze", squeeze_inside)

# %% [markdown]
# ### Exercise 02.2 · the block with convolutions
#
# *12 minutes, needs thought.* Write the block for volumes with two `nn.Conv3d` of size 1 in place of the linear layers. Make them in `__init__`: the check gives your block the weights of a reference, and finds the layers by their shape.
#
# <details><summary>Hint 1</summary>Convolutions want all five axes. <code>keepdim=True</code> leaves axes of length 1 where the mean was taken, and then no reshaping is needed.</details>
# <details><summary>Hint 2</summary>Five steps: mean over (2, 3, 4), first convolution, ReLU, second convolution, sigmoid. Then one product. If the check speaks of the range of the gate, the sigmoid is missing or is not the last step.</details>

# %% tags=["exercise"]
class SEConv3d(nn.Module):
    """(B, C, D, H, W) to the same shape. Equal to `SE` with the same weights."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.reduce = nn.Conv3d(channels, channels // reduction, kernel_size=1)
        self.expand = nn.Conv3d(channels // reduction, channels, kernel_size=1)
        ### END SOLUTION

    def forward(self, u):
        ### BEGIN SOLUTION
        z = u.mean(dim=(2, 3, 4), keepdim=True)  # (B, C, 1, 1, 1)
        s = self.expand(self.reduce(z).relu()).sigmoid()  # (B, C, 1, 1, 1)
        return u * s
        ### END SOLUTION


# %%
check("02-se-conv", SEConv3d)

# %% [markdown]
# ## 6 · Where it sits
#
# A [residual block](glossary.md#residual-block) adds what its layers find, the *branch*, to its own input, the *shortcut*. The gate sits on the **branch, before the addition**. So a closed gate removes what the block *adds*, and not what came before. (Were it after the addition, sixteen gates of one half in a row would leave $1/65\,536$ of the input.)
#
# A ResNet is a stack of such blocks. ResNeXt is a ResNet whose middle convolution is [grouped](glossary.md#grouped-convolution): the channels are divided into 32 groups, and each output channel reads only its own group. Fewer links, so more channels for the same cost.

# %%
plots.show(plots.residual_block("squeeze-excitation"))
plots.show(plots.grouped_convolution((1, 2, 4)))

# %% [markdown]
# *Figure 02.3.* Above: a ResNeXt block with its gate. Below: a convolution of 8 channels in 1, 2 and 4 groups; a line is a weight (times the kernel's size).
#
# Stack 3, 4, 6 and 3 such blocks and you have **SE-ResNeXt-50**. The survival deck uses it in 3-D: four kinds of MRI in, 19 numbers out, one for each interval of time. Here it is built at its published size, on the device `meta` (shapes without numbers).
#
# *Efficient channel attention* (ECA, 2020) drops the two layers: gate $c$ reads only the means of $k$ neighbouring channels, $s_c = \sigma(\sum_j w_j\, z_{c+j})$. **Guess** what each costs. And if one channel of 64 doubles, how many gates of SE move, how many of ECA?

# %%
from torch.utils.flop_counter import FlopCounterMode

from medattn_lite import attention
from medattn_lite.networks import se_resnext50


def published_cost(**options):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = se_resnext50(spatial_dims=3, in_channels=4, num_classes=19, **options).eval()
        network(torch.empty(1, 4, 120, 120, 78))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() / 2


with_se, without = published_cost(), published_cost(attention="none")
record("parameters of the published network", with_se[0])
record("SE's share of the parameters", 100 * (with_se[0] / without[0] - 1), "%")
record("SE's share of the multiplications", 100 * (with_se[1] / without[1] - 1), "%")
record("ECA's share of the parameters", 100 * (published_cost(attention="eca")[0] / without[0] - 1), "%")
u, doubled = torch.rand(1, 64, 8, 8, 8), 1 + (torch.arange(64) == 20)[:, None, None, None]  # channel 20 doubles
for name in ("se", "eca"):
    block = attention.create(name, 64, spatial_dims=3)
    moved = (block.gate(u) - block.gate(u * doubled)).abs().flatten() > 1e-6  # (C,)
    print(f"{name}: {sum(p.numel() for p in block.parameters())} parameters, {int(moved.sum())} gates moved")

# %% [markdown]
# SE is nearly free in multiplications: it works on one number per channel. It is **not** free in parameters: its layers are as wide as the network. ECA is nearly free in both, but its "neighbours" are channels that happen to be next to each other.
#
# ## 7 · Where it must win
#
# With few patients one cannot tell a useless mechanism from a test that is too small. So first a **positive control**, a task that needs a gate.
#
# Fluid is bright in some MR sequences and dark in others. **Where the ventricle, the large disc, is bright, the bright spots are lesions; where it is dark, the dark spots are.** Two spots of four are lesions.

# %%
from medattn_lite.data.controls import CONTROLS, LESION

examples = CONTROLS["sequence"].draw(40, seed=SEED)
shown = [int(examples.state.int().argmax()), int(examples.state.int().argmin())]  # bright ventricle, dark ventricle
plots.show(plots.picture_table(
    [[examples.images[i, 0], (examples.objects[i] == LESION).float()] for i in shown], maps_from=1, map_label="1: lesion",
    names=["bright ventricle", "dark ventricle"], columns=["image", "lesions"], alt="Two images with one large disc, "
    "the ventricle, two bright and two dark spots. Beside each, its lesions: the spots as bright or dark as the disc."))

# %% [markdown]
# *Figure 02.4.* Two images of the control, and which spots are lesions. The network: two 3×3 convolutions, then SE or nothing, then 1×1 convolutions. **Without SE a pixel sees 5×5 pixels, and no ventricle is that near to a spot.** The squeeze is a mean over the whole image.
#
# **Guess** the share of spots that each network gets right. Chance is one half.

# %%
from medattn_lite.evaluation import mean_interval
from medattn_lite.explain import channel_gates
from medattn_lite.positive_controls import object_hits, train_control, without_cue

right = lambda hits: mean_interval(hits.float().mean(1), bounds=(0, 1))  # the share of an image's four spots
for kind in ("none", "se"):
    run = train_control("sequence", kind, seed=SEED, scale=SCALE)
    record(f"control: spots judged right, attention {kind!r}", right(run.right))
gates, names = channel_gates(run.network, run.test.images), ["dark ventricle", "bright ventricle"]
plots.show(plots.gates_by_layer(gates, labels=run.test.state.int(), class_names=names))

# %% [markdown]
# *Figure 02.5.* Mean gate of each channel, for test images with a dark and with a bright ventricle. Where the lines part, **the gate tells the spots what they cannot see.** Without SE more training would not help: what decides is not in view. (Would the means alone do, laid beside every pixel, without gates? [The positive controls](../figures/positive_controls.md) measure it.)
#
# ### Exercise 02.3 · freeze the gates
#
# *10 minutes, changes the experiment.* Give every image the *average* gate: row after row the same. Guess first: what share stays right?
#
# <details><summary>Hint 1</summary>Images are on axis 0, channels on axis 1. Which should lose its differences?</details>
# <details><summary>Hint 2</summary><code>keepdim=True</code>, then <code>.expand_as(gates)</code>.</details>

# %% tags=["exercise"]
def freeze(gates):
    """gates (B, C), one row per image; returns (B, C), every row the mean row."""
    ### BEGIN SOLUTION
    return gates.mean(dim=0, keepdim=True).expand_as(gates)  # (1, C) → (B, C)
    ### END SOLUTION


# %%
check("02-frozen-gates", freeze)

# %% [markdown]
# Six kinds of gates: unchanged; frozen (your function; until it is right, the package's); those of another image; all one half; the image's own, with the channels shuffled; all open. And unchanged gates on the same images *without the ventricle*.

# %%
from medattn_lite.explain import CHANNEL_EDITS, under_edits

if check("02-frozen-gates", freeze).passed:
    EDITS = CHANNEL_EDITS | {"frozen": lambda gates: freeze(gates.flatten(1)).reshape(gates.shape)}
else:
    EDITS = CHANNEL_EDITS  # six functions: gates (B, C, …) to gates of the same shape
on_control = under_edits(run.network, EDITS, lambda: right(object_hits(run.network, run.test)))
on_control["no ventricle"] = right(object_hits(run.network, without_cue(run)))
plots.show(plots.forest(on_control, label="share of spots judged right", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 02.6.* This is what a gate that **matters** looks like: fixed, it leaves chance, and another image's gates help only where that image has the same kind of ventricle. Keep the picture in mind.
#
# ## 8 · Heads, and a network that comes trained
#
# Now the medical data. The package brings an SE-ResNeXt that was trained to tell low from high grade on synthetic heads. The same edits, on heads it has never seen. **Guess** which of them costs it anything.

# %%
from medattn_lite.evaluation import auc_interval
from medattn_lite.explain import graded_heads
from medattn_lite.networks import load_trained
from medattn_lite.training import fit, predict_probabilities

shipped = load_trained("grade_se_resnext")
heads, grades = graded_heads(shipped, limit=NUMBERS["heads"])  # (N, C, D, H, W), (N,)


def graded():
    return auc_interval(grades, predict_probabilities(shipped.network, heads, batch_size=len(heads))[:, 1])


on_heads = under_edits(shipped.network, EDITS, graded)
for name, measured in on_heads.items():
    record(f"shipped network: AUC with gates {name}", measured)
plots.show(plots.forest(on_heads, label="AUC, low or high grade", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 02.7.* The same test as in figure 02.6, another answer. How to read it:
#
# - **frozen as good as unchanged**: the network does not need gates that fit *this* image;
# - **all one half as good, too**: nor does it need different gates for different channels;
# - **open worse**: that alone says little. Gates of 1 in place of one half double every branch.
#
# Where a network can do without a mechanism, the mechanism is free to do nothing. A high AUC *with* SE is no evidence that SE does anything.
#
# ## 9 · Train it yourself, with and without
#
# The same class, smaller, in 2-D. The task: **does this slice show tumour?** [Patients are split](glossary.md#split-by-patient), never slices.

# %%
from medattn_lite.data import train_valid_test
from medattn_lite.networks import SEResNeXt

pixels = slices.table().groupby("subject")["tumour_pixels"].mean()  # large and small tumours on both sides
split = train_valid_test(pixels.index, pixels > pixels.median(), fractions=(0.67, 0.0, 0.33), seed=SEED)
train, test = slices.subset(split.train), slices.subset(split.test)
SMALL = {"layers": (1, 1, 1, 1), "groups": 4, "base_width": 16, "stem_width": 16}
PUBLISHED = {"layers": (3, 4, 6, 3), "groups": 32, "base_width": 4, "stem_width": 64}


def new_network(seed, mechanism):
    torch.manual_seed(seed)
    return SEResNeXt(spatial_dims=2, in_channels=len(slices.channels), num_classes=2, attention=mechanism,
                     **(PUBLISHED if SCALE == "paper" else SMALL))


kinds = {"without SE": (SEED, "none"), "without SE, second seed": (SEED + 1, "none"), "with SE": (SEED, "se")}
networks = {name: new_network(*kind) for name, kind in kinds.items()}
budget = {"iterations": NUMBERS["iterations"], "device": DEVICE}
plots.show(plots.training_curve({name: fit(network, train.images, train.labels, seed=kinds[name][0], **budget)
                                 for name, network in networks.items()}))

# %% [markdown]
# *Figure 02.8.* The [loss](glossary.md#loss) on the training slices (faint: each step; bold: smoothed). It says how well the networks know their own patients. Now the others, beside a [control](glossary.md#control) that needs no network: how bright the slice is on average.

# %%
from medattn_lite.evaluation import paired_auc_interval

truth, patients = test.labels.numpy(), test.subjects
scores = {name: predict_probabilities(network, test.images)[:, 1].numpy() for name, network in networks.items()}
scores["control: brightness"] = test.images[:, test.channels.index("flair")].relu().mean((1, 2)).numpy()
results = {name: auc_interval(truth, score, groups=patients) for name, score in scores.items()}
gains = {name: paired_auc_interval(truth, scores[name], scores["without SE"], groups=patients) for name in list(kinds)[1:]}
plots.show(plots.forest(results, label="AUC on test patients", reference=0.5, reference_label="chance"))
for name, interval in (results | {f"gain, {name}": gain for name, gain in gains.items()}).items():
    record(f"AUC {name}", interval)
beaten = results["with SE"].value > results["control: brightness"].value
print("Your network beats the control." if beaten else "Your network does NOT beat the control: it has not learned "
      "enough for any statement about its gates. Use SCALE = \"laptop\".")

# %% [markdown]
# *Figure 02.9.* AUC on the test patients, with 95 % intervals where patients are enough.
#
# The **gains** printed below it are the fair comparison: both networks are scored on the same patients, so what makes a patient hard cancels out. If 0 lies inside the interval, these patients do not tell them apart. And compare the gain by SE with that of the **second seed**, the same network from another random start. The intervals cover the choice of patients, *not* the luck of training.
#
# Now look inside. Choose a slice and a layer; **switch channels off** (the hundred most open ones are off to begin with) and see whether the prediction moves.

# %%
from medattn_lite.widgets import gate_explorer

model, area = networks["with SE"], test.masks.flatten(1).sum(1)
shown = torch.cat([area.topk(6).indices, (area == 0).nonzero()[:6, 0]])  # six slices with tumour, six without
explorer = gate_explorer(model, test.images[shown], labels=test.labels[shown], names=["no tumour", "tumour"],
                         channels=test.channels)
explorer.set(background=test.channels.index("flair"), most_open=100)
display(explorer)

# %% [markdown]
# *Figure 02.10.* The explorer. Every bar is a gate; × marks the ones switched off. A gate near 1 says "passed on", not "important".
#
# One slice is an anecdote. The SE paper looked at the mean gate for each class, layer by layer. Do so, with the one control that it lacks: **the same network before training**. If trained mean gates are those of the random start (a correlation near 1), the network never learned them.

# %%
before, after = (channel_gates(network.eval(), test.images) for network in (new_network(SEED, "se"), model))
print(f"{'layer':10}{'classes apart':>15}{'spread over slices':>20}{'like the random start':>23}")
for name, layer in plots.short_names(after).items():
    gates, start = after[name], before[name].mean(0)  # (N, C), (C,)
    apart = (gates[truth == 1].mean(0) - gates[truth == 0].mean(0)).abs().mean()
    same = torch.corrcoef(torch.stack([gates.mean(0), start]))[0, 1]
    print(f"{layer:10}{apart:15.3f}{gates.std(dim=0).mean():20.3f}{same:23.2f}")

# %%
probabilities = lambda: predict_probabilities(model, test.images, batch_size=len(test.images))[:, 1]
outcome = under_edits(model, EDITS, lambda: auc_interval(truth, probabilities(), groups=patients))
for name, interval in outcome.items():
    record(f"your network: AUC with gates {name}", interval)

# %% [markdown]
# Read the six lines as in figure 02.7. If *all one half* is as good as *unchanged*, this network, too, works without its gates, and whatever pattern the table shows has no consequence. It is tempting to stop at *frozen* and to say "a fixed gate for each channel does the work". *All one half* tests that sentence: where it does as well, no particular gate does the work. After an experiment that agrees with your explanation, run one that could contradict it.

# %% [markdown]
# ## 10 · What goes wrong
#
# All of these run without an error, and some even train. Each wrong variant gets the same feature map and the same weights. The columns say
#
# - the lowest and the highest gate of one block;
# - how much the gates of an image move when it is looked at **alone**, without the rest of its batch;
# - what is left of the features after sixteen blocks (without shortcuts, to make it plain; `1e-05` is 0.00001).
#
# Which number gives each mistake away?

# %%
def run(images, squeeze=lambda u: u.mean((2, 3)), act=torch.relu, last=torch.sigmoid, join=torch.mul, blocks=16):
    generator, u, gates = torch.Generator().manual_seed(SEED), images, []
    for _ in range(blocks):
        w1, w2 = torch.randn(4, 32, generator=generator) / 4, torch.randn(32, 4, generator=generator)
        gates.append(last(act(squeeze(u) @ w1.T) @ w2.T))  # (B, C)
        u = join(u, gates[-1][:, :, None, None])
    return gates[0], float(u.std() / images.std())


images = torch.rand(4, 32, 24, 24) * torch.rand(4, 32, 1, 1)  # four feature maps, channels of unlike strength
variants = {
    "right": {},
    "no sigmoid": {"last": lambda t: t},
    "sum, not mean": {"squeeze": lambda u: u.sum((2, 3))},
    "softmax over channels": {"last": lambda t: t.softmax(1)},
    "softmax over the batch": {"last": lambda t: t.softmax(0)},
    "added, not multiplied": {"join": torch.add},
    "no ReLU": {"act": lambda t: t},
}
print(f"{'variant':24}{'lowest':>8}{'highest':>9}{'moves if alone':>16}{'left after 16':>15}")
for name, options in variants.items():
    (gate, left), (alone, _) = run(images, **options), run(images[:1], **options)
    print(f"{name:24}{gate.min():8.2f}{gate.max():9.2f}{(gate[:1] - alone).abs().max():16.2f}{left:15.1e}")

# %% [markdown]
# | variant | symptom |
# |---|---|
# | no sigmoid | gates below 0 and above 1; the size runs away or dies |
# | sum, not mean | gates stuck at 0 or 1, and changing with the picture's size |
# | softmax over channels | the gates share one whole, so all are small: the features fade far faster |
# | softmax over the batch | a patient's result depends on who else is in the batch |
# | added, not multiplied | nothing can be shut out |
# | no ReLU | **none in this table**: $W_2W_1$ is one matrix, and "close if channel 1 is strong" is lost |
#
# The last row is why the exercise checks compare numbers, not shapes.

# %% [markdown]
# ## 11 · What the paper says, and what we found
#
# The survival deck takes a number from the SE paper: computation grows by **0.26 %**, from 3.86 to 3.87 billion multiplications for a ResNet-50 and pictures of 224×224. Let us count, layer by layer.

# %%
stages = list(zip((3, 4, 6, 3), (64, 128, 256, 512), (56, 28, 14, 7), strict=True))  # blocks, width, side
base, wide_in = 3 * 64 * 7**2 * 112**2 + 2048 * 1000, 64  # stem and classifier
layers = squeezed = scaled = 0
for blocks, width, side in stages:
    out = 4 * width
    for block in range(blocks):
        pixels = side**2  # the stride sits on the first 1×1 convolution, as in the original
        base += (wide_in * width + 9 * width**2 + width * out) * pixels
        base += wide_in * out * pixels if block == 0 else 0  # the shortcut's 1×1
        layers += 2 * out * out // 16  # two linear layers
        squeezed += out * pixels  # additions of the mean
        scaled += out * pixels  # products with the gate
        wide_in = out
print(f"ResNet-50: {base / 1e9:.3f} billion")
for name, extra in (("two layers", layers), ("layers and squeeze", layers + squeezed), ("product too", layers + squeezed + scaled)):
    record(f"SE adds, counting the {name}", 100 * extra / base, "%")
record("the deck's number, from its two rounded ones", 100 * (3.87 / 3.86 - 1), "%")

# %% [markdown]
# So **0.26 % is no count**: it is $3.87 / 3.86$, two rounded numbers. The share depends on what you count. "Well under one per cent" holds.
#
# | claim | here |
# |---|---|
# | deck: computation grows by 0.26 % | right in size, a rounding in its digits |
# | deck: little extra computation | yes; but nearly a tenth more parameters (section 6) |
# | deck, paper: and it helps any network | the gains under figure 02.9: more than a second seed? Every mechanism by task: [comparison](../figures/mechanisms.md) |
# | paper: early gates are alike for all classes | the table under figure 02.10 |
# | gates depend on the image, and are needed | where they must be (figure 02.6); for grading, see figure 02.7 |
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "A feature map is (8, 64, 12, 24, 24). What shape has the squeeze?",
        ["(8, 64)", "(8, 12, 24, 24)", "(64,)"],
        "(8, 64)",
        ["Yes: one number for each image and channel.", "That is a mean over the channels: see notebook 03.",
         "Each image of the batch has its own."],
    ),
    Question(
        "Why a sigmoid and not a softmax?",
        ["It is faster", "Several channels may be wanted at once", "The gates must add up to 1"],
        "Several channels may be wanted at once",
        ["Both cost next to nothing here.", "Yes. A softmax makes channels compete; gates are independent decisions.",
         "That is what a softmax does; gates need not add up to anything."],
    ),
    Question(
        "AUC 0.84 with SE, 0.82 without; the interval of the difference is −0.03 to 0.07. What do you write?",
        ["SE improves the AUC by 0.02", "SE does not help", "These patients do not show a difference"],
        "These patients do not show a difference",
        ["The interval contains 0: a difference of this size comes up by chance.",
         "It might: 0.05 is inside the interval too. Not shown is not the same as not there.",
         "Yes. And you give the interval, so that the reader sees what is still possible."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Squeeze**: the mean of each channel. **Excitation**: two layers and a sigmoid. **Scale**: multiply.
# - The same class serves slices and volumes; linear layers and 1×1 convolutions are the same thing.
# - It sits on the branch. Nearly free in multiplications, not in parameters.
# - Whether it helps is a question for an interval, by patient. Whether it *attends* is a question for an experiment: change the gates. Where a task needs them, the network falls to chance.
#
# **Next:** [03 · CBAM](03_cbam.ipynb). A channel gate says *what*, never *where*; CBAM adds a map of places.
#
# **Read on:** Hu, Shen, Sun, *Squeeze-and-Excitation Networks* (CVPR 2018, [arXiv:1709.01507](https://arxiv.org/abs/1709.01507)); Xie et al., *Aggregated Residual Transformations* (ResNeXt, [arXiv:1611.05431](https://arxiv.org/abs/1611.05431)); Wang et al., *ECA-Net* (CVPR 2020, [arXiv:1910.03151](https://arxiv.org/abs/1910.03151)). Words: [glossary](glossary.md).
