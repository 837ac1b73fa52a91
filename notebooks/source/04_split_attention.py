# %% [markdown]
# # 04 · Split attention: two versions of every channel
#
# **45 minutes to read, 30 for the exercises; about a minute to run at `smoke`, 5 at `laptop`.** Difficulty ●●●○
#
# A gate turns a channel up or down. [Split attention](glossary.md#split-attention) makes **several versions of each channel** and lets them compete for one whole. It is the attention inside ResNeSt; a map of places on top makes it **ResNeSAt**, a network that asks two things of a slice: is there a tumour, and did it start in the brain or come from elsewhere?
#
# Its paper reports an [accuracy](glossary.md#accuracy) of 99 % over ten [folds](glossary.md#fold). You will also learn the question to ask of such a number: *what was divided into folds, patients or pictures?*

# %% [markdown]
# ## At the end you can
# - compute the [shares](glossary.md#share) of split attention with a pencil, and say what the [radix](glossary.md#radix) is;
# - write the block for slices and volumes, and show that with radix 1 it is squeeze-and-excitation;
# - show a task that no fixed mixture solves and split attention does, and destroy the result by editing the shares;
# - test whether a network for tumours needs its shares, and train one for presence and source;
# - show what a [leak](glossary.md#leak) between training and test does to a result, with labels drawn at random.
#
# **You need** notebooks [02](02_squeeze_excitation.ipynb) (squeeze, two layers, split by patient) and [03](03_cbam.ipynb) (map of places). Softmax is from [01](01_attention_scores.ipynb). New words link to the [glossary](glossary.md).

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
from medattn_lite.evaluation import auc, auc_interval, mean_interval

NUMBERS = scale_numbers(
    SCALE,
    smoke={"n": 40, "spacing_mm": 4.0, "size": (48, 48), "per_subject": 8, "iterations": 100, "source": 60, "heads": 24},
    laptop={"n": 120, "spacing_mm": 3.0, "size": (64, 64), "per_subject": 10, "iterations": 500, "source": 300, "heads": 60},
    paper={"n": 400, "spacing_mm": 0.8, "size": (256, 256), "per_subject": 16, "iterations": 20000, "source": 20000, "heads": 200},
)
SIZES = {} if SCALE == "paper" else {"layers": (1, 1, 1, 1), "width": 16, "stem_width": 8}  # of the published class
KINDS = ("primary", "metastasis") if DATA == "phantom" else ("label 0", "label 1")
torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# Below are two made-up images of one kind. The bar says how far they are zoomed in: **long**, zoomed out, and the *small* blobs are lesions; **short**, zoomed in, and the *large* ones are. Beside them two versions of the channel "bright": the **fine** one compares each pixel with its neighbours, the **broad** one takes the mean over a window.
#
# **Guess before you go on.** Which version marks the lesions of which image? And would *one* fixed mixture of the two do for both?

# %%
from medattn_lite.data.controls import CONTROLS, LESION


def window(x, side=5):  # (N, H, W): the mean over side × side pixels
    return functional.avg_pool2d(functional.pad(x[:, None], [side // 2] * 4, mode="replicate"), side, stride=1)[:, 0]


drawn = CONTROLS["zoom"].draw(100, seed=SEED)
image, out = drawn.images[:, 0], drawn.state  # (N, H, W), (N,): True where zoomed out
fine, broad = image - window(image), window(image)
examples = [int(out.int().argmax()), int(out.int().argmin())]
plots.show(plots.picture_table(
    [[image[i], fine[i], broad[i], 0.5 * fine[i] + 0.5 * broad[i]] for i in examples], maps_from=1, map_label="channel",
    columns=["image", "fine", "broad", "half and half"], names=["zoomed out", "zoomed in"],
    outlines=list(drawn.objects[examples] == LESION), alt="Two images with a bar, two small and two large blobs, "
    "lesions outlined; beside each a fine version, a broad version and the mean of the two."))

# %% [markdown]
# *Figure 04.1.* Two versions of one channel, and their mean; lesions outlined. Which version is brighter *inside the outlines* than at the other blobs?
#
# Now mix them, from all fine to all broad, and take the mean of the mixture over each blob. How well does this one number tell lesions from look-alikes? The measure is the [AUC](glossary.md#auc): 0.5 is chance, 1 is perfect.

# %%
from medattn_lite.positive_controls import object_labels, object_logits

part_broad, lesion = [0.1 * step for step in range(11)], object_labels(drawn)  # (N, 4) blobs
curves = {"zoomed out": [], "zoomed in": [], "all images": []}
for name, rows in {"zoomed out": out, "zoomed in": ~out, "all images": out | ~out}.items():
    for w in part_broad:
        blob = object_logits(((1 - w) * fine + w * broad)[:, None], drawn.numbers)  # (N, 4): mean over each blob
        curves[name].append(auc(lesion[rows].flatten().numpy(), blob[rows].flatten().numpy()))
plots.show(plots.lines(part_broad, curves, xlabel="part of the broad version", ylabel="AUC of one number", ylim=(0, 1)))

# %% [markdown]
# *Figure 04.2.* Each version is right for one zoom and wrong for the other. **No fixed mixture does for both**: over all images it is chance, whatever the part. The right mixture depends on something far from the blobs, the bar.
#
# **Split attention sets the mixture for each image, and for each channel, from the image itself.** Section 7 shows that it solves this task. Whether tumours pose such a task is another question; sections 8 and 9 ask it.

# %% [markdown]
# ## 2 · By hand
#
# Two channels, each in two versions, called [splits](glossary.md#split). Take a pencil.
#
# 1. **Describe.** Add up the splits, then take the mean over space: one number per channel, as in a [squeeze](glossary.md#squeeze).
# 2. **Two layers** make from it one [logit](glossary.md#logit) for each split *and* channel: R × C numbers.
# 3. **Softmax over the splits.** In each channel, the R shares sum to 1.
# 4. **Mix.**

# %%
u = torch.tensor([
    [[[4.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]],  # split 1: channel 0, channel 1
    [[[0.0, 0.0], [0.0, 4.0]], [[3.0, 3.0], [3.0, 3.0]]],  # split 2
])  # (R, C, H, W) = (2, 2, 2, 2)
w1 = torch.tensor([[-1.0, 1.0]])  # (1, C): "channel 1 minus channel 0"
w2 = torch.tensor([[0.5], [0.0], [-0.5], [1.0]])  # (R·C, 1): split 1 for both channels, then split 2

z = u.sum(0).mean((1, 2))  # (C,)
hidden = (w1 @ z).relu()  # (1,)
logits = (w2 @ hidden).reshape(2, 2)  # (R, C)
a = logits.softmax(0)  # (R, C): each column sums to 1
torch.set_printoptions(precision=2, sci_mode=False)
print("described", z, " hidden", hidden)
print("logits, one row per split", logits, "shares", a, "mixture", (a[:, :, None, None] * u).sum(0), sep="\n")
print("sigmoid of the difference of the logits:", (logits[0] - logits[1]).sigmoid())

# %% [markdown]
# Channel 0 keeps nearly all of split 1, channel 1 nearly all of split 2. Look at the last line: **with two splits the softmax is a sigmoid of a difference**. One gate, and what it takes from one split it gives to the other.
#
# **Try it.** Make channel 1 of split 2 weaker: ones in place of threes. Guess, then run the cell again.
#
# <details><summary>What you see</summary>z becomes (2, 2), the ReLU closes, all logits are 0 and all shares one half: the plain mean. The shares of channel 0 have moved although channel 0 did not change.</details>

# %% [markdown]
# ## 3 · From loops to a module
#
# $$u_r = \delta(\mathrm{BN}(f_r^{3\times 3}(x_r))) \qquad r = 1 \dots R \tag{04.1}$$
# $$z = \mathrm{mean}_{\text{space}} \textstyle\sum_r u_r \tag{04.2}$$
# $$a = \mathrm{softmax}_r\big(W_2\,\delta(\mathrm{BN}(W_1 z))\big) \tag{04.3}$$
# $$x' = \textstyle\sum_r a_r \otimes u_r \tag{04.4}$$
#
# $R$ is the **radix**, the number of splits; $\delta$ the [ReLU](glossary.md#relu); BN a [batch norm](glossary.md#batch-normalisation). The small print is in $x_r$: the channels of $x$ are **divided into R parts, and split $r$ reads only part $r$**, a [grouped convolution](glossary.md#grouped-convolution). The versions differ in what they read, not only in their weights.

# %%
def mix_loop(u, logits):
    """u (R, C, H, W), logits (R, C) → (C, H, W): (04.3) and (04.4), number by number."""
    radix, channels, height, width = u.shape
    out = torch.zeros(channels, height, width)
    for c in range(channels):
        whole = sum(torch.exp(logits[s, c]) for s in range(radix))
        for r in range(radix):
            share = torch.exp(logits[r, c]) / whole  # a_r of this channel
            for i in range(height):
                for j in range(width):
                    out[c, i, j] += share * u[r, c, i, j]
    return out


# %% [markdown]
# Vectorised, for a batch. The splits get an axis of their own, right behind the batch:

# %% tags=["slide"]
def mix(u, logits):  # u (B, R, C, H, W), logits (B, R, C)
    a = logits.softmax(dim=1)  # (04.3): (B, R, C)
    return (a[:, :, :, None, None] * u).sum(dim=1)  # (04.4): (B, C, H, W)


u, logits = torch.randn(2, 3, 4, 6, 5), torch.randn(2, 3, 4)
torch.testing.assert_close(mix(u, logits)[1], mix_loop(u[1], logits[1]))
print("loop and vectorised agree, for three splits too")

# %% [markdown]
# And the module. One convolution with `groups=radix` makes all splits at once: R·C channels, block after block. The layers have the names of the authors' code. The hidden layer is never narrower than 32.

# %% tags=["slide", "define:MySplitAttention"]
class MySplitAttention(nn.Module):
    def __init__(self, channels, radix=2):
        super().__init__()
        self.radix, hidden = radix, max(channels * radix // 4, 32)
        self.conv = nn.Conv2d(channels, radix * channels, 3, padding=1, groups=radix, bias=False)
        self.bn0 = nn.BatchNorm2d(radix * channels)
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.bn1 = nn.BatchNorm2d(hidden)
        self.fc2 = nn.Conv2d(hidden, radix * channels, 1)

    def forward(self, x):  # (B, C, H, W)
        u = self.bn0(self.conv(x)).relu()  # (04.1): (B, R·C, H, W)
        u = u.unflatten(1, (self.radix, -1))  # (B, R, C, H, W)
        z = u.sum(dim=1).mean(dim=(2, 3), keepdim=True)  # (04.2): (B, C, 1, 1)
        hidden = self.bn1(self.fc1(z)).relu()  # (B, hidden, 1, 1)
        logits = self.fc2(hidden).flatten(1).unflatten(1, (self.radix, -1))  # (B, R, C)
        return mix(u, logits)  # (B, C, H, W)


print("out:", tuple(MySplitAttention(32)(torch.randn(2, 32, 24, 20)).shape))

# %% [markdown]
# ## 4 · Does it equal the real thing?
#
# Copy your weights into the package's class, and compare outputs and gradients. The package's class equals the *authors'* code on numbers frozen from it ([table](../figures/parity.md), row `split_attention_a`).
#
# Then a check by a library, from an unexpected side. With **radix 1** there is nothing to share; by the authors' rule the softmax becomes a sigmoid. What is left is a convolution with a gate for each channel. Is it squeeze-and-excitation? [MONAI](glossary.md#monai) will tell.

# %%
from monai.networks.blocks import ChannelSELayer

from medattn_lite.attention import SplitAttention

mine, package = MySplitAttention(32), SplitAttention(32, 32)
package.load_state_dict(mine.state_dict())
x = torch.randn(4, 32, 9, 7, requires_grad=True)
gradients = [torch.autograd.grad(block(x).square().sum(), x)[0] for block in (mine, package)]
torch.testing.assert_close(mine(x), package(x))
torch.testing.assert_close(*gradients)
print("equal to the package: output and gradient")

one, se = SplitAttention(128, 128, radix=1, norm=False), ChannelSELayer(2, 128, r=4)
squeezed = [p.flatten(1) if p.ndim > 1 else p for layer in (one.fc1, one.fc2) for p in layer.parameters()]
se.load_state_dict(dict(zip(se.state_dict(), squeezed, strict=True)))
x = torch.randn(2, 128, 9, 7)
torch.testing.assert_close(one(x), se(one.conv(x).relu()))
print("radix 1 equals MONAI's squeeze-and-excitation behind a convolution")
print("in 3-D:", tuple(SplitAttention(8, 8, spatial_dims=3)(torch.randn(2, 8, 4, 6, 6)).shape))

# %% [markdown]
# So notebook 02 is the special case R = 1. (One trap: in training a batch of 1 fails, since the second batch norm then sees one number per channel.)
#
# ## 5 · Your turn
#
# ### Exercise 04.1 · shares of one whole
#
# *5 minutes, easy.* The two layers give R·C logits in a row: all channels of split 1, then all of split 2, and so on. Turn them into shares.
#
# <details><summary>Hint 1</summary>Two steps: give the splits an axis of their own, then a softmax. Over which axis do the shares sum to 1?</details>
# <details><summary>Hint 2</summary><code>unflatten</code> gives an axis; in which order do the R·C numbers stand?</details>

# %% tags=["exercise"]
def shares(logits, radix):
    """logits (B, R·C); returns (B, R, C), which sum to 1 over the splits."""
    ### BEGIN SOLUTION
    return logits.unflatten(1, (radix, -1)).softmax(dim=1)  # (B, R·C) → (B, R, C)
    ### END SOLUTION


# %%
check("04-shares", shares)

# %% [markdown]
# ### Exercise 04.2 · split attention for volumes
#
# *15 minutes, needs thought.* Write (04.1) to (04.4) for volumes, without the two batch norms. In `__init__`: the 3×3×3 convolution without bias, then two convolutions of size 1 with their biases, `channels` → `hidden` → R·C.
#
# <details><summary>Hint 1</summary>How many channels come out of the first convolution, and which inputs may split 2 read?</details>
# <details><summary>Hint 2</summary>Keep axes of length 1 (<code>keepdim=True</code>) all the way: after the second layer the logits are (B, R·C, 1, 1, 1), and <code>unflatten(1, (radix, -1))</code> makes them fit the splits (B, R, C, D, H, W).</details>

# %% tags=["exercise"]
class SplitAttention3d(nn.Module):
    """(B, in_channels, D, H, W) to (B, channels, D, H, W)."""

    def __init__(self, in_channels, channels, radix=2, hidden=32):
        super().__init__()
        ### BEGIN SOLUTION
        self.radix = radix
        self.conv = nn.Conv3d(in_channels, radix * channels, 3, padding=1, groups=radix, bias=False)
        self.fc1 = nn.Conv3d(channels, hidden, 1)
        self.fc2 = nn.Conv3d(hidden, radix * channels, 1)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        u = self.conv(x).relu().unflatten(1, (self.radix, -1))  # (B, R, C, D, H, W)
        z = u.sum(dim=1).mean(dim=(2, 3, 4), keepdim=True)  # (B, C, 1, 1, 1)
        logits = self.fc2(self.fc1(z).relu()).unflatten(1, (self.radix, -1))  # (B, R, C, 1, 1, 1)
        return (logits.softmax(dim=1) * u).sum(dim=1)  # (B, C, D, H, W)
        ### END SOLUTION


# %%
check("04-split", SplitAttention3d)

# %% [markdown]
# ## 6 · Where it sits, and what the radix costs
#
# Split attention takes the place of the middle convolution of a [residual block](glossary.md#residual-block): that is **ResNeSt**. ResNeSAt puts CBAM's [spatial attention](glossary.md#spatial-attention) on the branch, before the addition:
#
# $$x'' = \sigma\big(f^{7\times 7}[\mathrm{max}_{\text{channels}}\,x' \,;\, \mathrm{mean}_{\text{channels}}\,x']\big) \otimes x' \tag{04.5}$$

# %%
plots.show(plots.split_attention(radix=2))
plots.show(plots.residual_block("spatial attention", middle="split\nattention"))

# %% [markdown]
# *Figure 04.3.* Above: split attention with two splits. Below: a block of ResNeSAt.
#
# Now the published network, ResNeSt-50, with 1, 2 and 4 splits. Guess first: does radix 4 cost four times as much?

# %%
from torch.utils.flop_counter import FlopCounterMode

from medattn_lite.networks import resnesat50, resnest50


def published_cost(make, **options):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # shapes without numbers
        network = make(**options).eval()
        network(torch.empty(1, 3, 256, 256))
    weights = sum(p.numel() for name, p in network.named_parameters() if name.endswith("conv2.conv.weight"))
    return sum(p.numel() for p in network.parameters()), weights, counter.get_total_flops() / 2


for radix in (1, 2, 4):
    parameters, weights, products = published_cost(resnest50, radix=radix)
    print(f"radix {radix}: {parameters / 1e6:.2f} million parameters, {weights / 1e6:.2f} of them in the 3×3 "
          f"convolutions; {products / 1e9:.2f} billion multiplications")
extra = published_cost(resnesat50)[0] - published_cost(resnest50)[0]
record("parameters of ResNeSAt's sixteen maps, 7×7 each", extra)

# %% [markdown]
# The convolutions cost the same at any radix: R times as many channels come out, and each reads one R-th of what goes in. **Two versions for the price of one, because each reads half.** What grows are the two layers of (04.3). The sixteen maps of places are nearly free: 98 numbers each.
#
# ## 7 · Where it must win
#
# Back to the zoom of section 1, now as a **positive control**. The network: two 3×3 convolutions, then split attention or, for comparison, *the same two versions averaged*, then 1×1 convolutions. Its convolutions see 7×7 pixels, and no bar is that near to a blob. **Guess** the share of blobs judged right; chance is one half.

# %%
from medattn_lite.explain import split_shares, under_edits
from medattn_lite.positive_controls import object_hits, train_control, without_cue

right = lambda hits: mean_interval(hits.float().mean(1), bounds=(0, 1))  # the share of an image's four blobs
for kind in ("averaged", "split"):
    run = train_control("zoom", kind, seed=SEED, scale=SCALE)
    record(f"control: blobs judged right, {kind} ({run.parameters} parameters)", right(run.right))
first = {name: values[:, 0] for name, values in split_shares(run.network, run.test.images).items()}  # (N, C)
plots.show(plots.gates_by_layer(first, labels=run.test.state.int(), class_names=["zoomed in", "zoomed out"]))

# %% [markdown]
# *Figure 04.4.* The share of split 1 in each channel, for images zoomed in and out. Where the lines part, the mixture follows the zoom.
#
# Now break it: **even** shares; **frozen** ones, each channel's mean over the images; those of **another** image; **swapped**, so that the weaker version wins; and unchanged shares on images without the bar. **Try it:** add an edit of your own, for instance all or nothing, `lambda a: (a > 0.5).float()`.

# %%
from medattn_lite.explain import SHARE_EDITS

EDITS = {**SHARE_EDITS}  # functions: shares (B, R, C, …) to shares; put your own beside them
on_control = under_edits(run.network, EDITS, lambda: right(object_hits(run.network, run.test)), kind="split")
on_control["no bar"] = right(object_hits(run.network, without_cue(run)))
plots.show(plots.forest(on_control, label="share of blobs judged right", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 04.5.* **This is what competition that matters looks like.** Swapped shares are worse than chance: the network then does the opposite of what it has learned. (Could something cheaper do it? In [the positive controls](../figures/positive_controls.md) a global mean laid beside every pixel stays at chance, and non-local attention comes near. Split attention in other tasks: [the comparison](../figures/mechanisms.md).)
#
# ## 8 · Heads, and a network that comes trained
#
# The package brings a ResNeSAt that was trained to say whether a slice shows tumour. Here it meets fresh synthetic heads. The same edits, and two of its maps of places. **Guess** first.

# %%
from medattn_lite.data import SliceSet, open_dataset
from medattn_lite.explain import PLACE_EDITS, spatial_gates, to_image_grid
from medattn_lite.networks import load_trained
from medattn_lite.training import fit, predict_probabilities

shipped = load_trained("presence_resnesat")
kind_of_head = shipped.facts["settings"]["phantom"] | {"task": "presence", "seed": shipped.facts["seed"] + 1}
fresh = SliceSet(open_dataset("phantom", n=NUMBERS["heads"], **kind_of_head), size=shipped.size, per_subject=8)

# %%
presence = lambda network, data: auc_interval(
    data.labels, predict_probabilities(network, data.images, batch_size=len(data))[:, 1], groups=data.subjects)
ask = lambda: presence(shipped.network, fresh)
on_heads = under_edits(shipped.network, EDITS, ask, kind="split")
on_heads |= under_edits(shipped.network, {"flat maps of places": PLACE_EDITS["flat"]}, ask, kind="spatial")
plots.show(plots.forest(on_heads, label="AUC, tumour in the slice", reference=0.5, reference_label="chance"))
for name, interval in on_heads.items():
    record(f"shipped network, AUC, {name}", interval)

# %% [markdown]
# *Figure 04.6.* Compare with figure 04.5. If *even* is as good as *unchanged*, the competition is not needed here: a plain mean of the versions is enough. *Swapped* may still cost something: the network has learned with its own shares, and swapping disturbs what follows. Needing a mechanism and being used to it are two things.
#
# Look at single slices: both splits of a channel, their shares, the mixture. Move **towards uniform**: all shares go towards one half. Does the prediction care?

# %%
from medattn_lite.widgets import split_explorer

areas = fresh.masks.flatten(1).sum(1)
chosen = torch.cat([areas.topk(6).indices, (areas == 0).nonzero()[:6, 0]])  # six slices with tumour, six without
explorer = split_explorer(shipped.network, fresh.images[chosen], labels=fresh.labels[chosen],
                          names=["no tumour", "tumour"], channels=fresh.channels)
explorer.set(background=fresh.channels.index("flair"), channel=3, even=1.0)
display(explorer)

# %% [markdown]
# *Figure 04.7.* The explorer, here with all shares uniform. Each bar is a channel: blue the share of split 1, orange that of split 2.
#
# The paper's own claim is about the maps: that ResNeSAt "pays more attention to the tumor area". Measure it as in notebook 03, by the [concentration](glossary.md#concentration): a map's mass inside the tumour over chance. Beside it, the same network **untrained**, and plain brightness.

# %%
from medattn_lite.data import foreground
from medattn_lite.explain import concentration, layer_box
from medattn_lite.networks import build

heads = torch.cat([foreground(image - image.amin((1, 2), keepdim=True)) for image in fresh.images])  # (N, H, W)


def on_tumour(maps):
    """Mass of the maps (N, h, w) in the tumour ÷ chance, over the slices with tumour, laid where the layer looks."""
    box = layer_box(shipped.network, fresh.images, maps.shape[1:])
    fine, rows = to_image_grid(maps, shipped.size, box=box), (fresh.labels == 1).nonzero()[:, 0].tolist()
    ratios = {i: concentration(fine[i], fresh.masks[i, 0] > 0, within=heads[i]) for i in rows}
    kept = [i for i in rows if np.isfinite(ratios[i])]  # the others: a map that is 0 all over the head
    return mean_interval([ratios[i] for i in kept], bounds=(0, np.inf), groups=[fresh.subjects[i] for i in kept])


torch.manual_seed(SEED)
untrained, flair = build(shipped.facts["network"], **shipped.facts["options"]).eval(), fresh.channels.index("flair")
measured = {f"{name.split('.')[0]}, {word}": on_tumour(maps)
            for word, network in (("trained", shipped.network), ("untrained", untrained))
            for name, maps in spatial_gates(network, fresh.images).items()}
measured["brightness"] = on_tumour(fresh.images[:, flair] - fresh.images[:, flair].amin())
plots.show(plots.forest(measured, label="mass in the tumour ÷ chance", reference=1.0, reference_label="chance"))

# %% [markdown]
# *Figure 04.8.* Does ResNeSAt pay more attention to the tumour? Is a trained layer clear of 1, of its **untrained** copy, and of plain brightness? And remember what *flat* maps cost in figure 04.6.
#
# ## 9 · Train it yourself
#
# **Presence.** ResNeSt, a second seed of it, and ResNeSAt; the published class, only smaller. Two thirds of the patients train, one third tests.

# %%
from medattn_lite.data import SliceSet, open_dataset

size = NUMBERS["size"]
phantom = {"n": NUMBERS["n"], "shape": (size[0] * 3 // 4, *size), "spacing_mm": NUMBERS["spacing_mm"]}  # (D, H, W)
dataset = open_dataset(DATA, DATA_ROOT, **(phantom | {"task": "source", "seed": SEED} if DATA == "phantom" else {}))
slices = SliceSet(dataset, size=size, per_subject=NUMBERS["per_subject"], seed=SEED)
tumour = slices.labels  # (N,): 1 where the slice shows tumour
kind_of = dict(zip(*dataset.table()[["subject", "label"]].dropna().to_numpy().T, strict=True))
print(f"{len(slices)} slices of {len(set(slices.subjects))} heads, {int(tumour.sum())} with tumour")

# %%
from medattn_lite.course import split_by_patient
from medattn_lite.networks import ResNeSt


def train_one(images, labels, *, seed=SEED, spatial=True, iterations=None):
    torch.manual_seed(seed)
    network = ResNeSt(in_channels=images.shape[1], num_classes=2, spatial_attention=spatial, **SIZES)
    fit(network, images, labels, iterations=iterations or NUMBERS["iterations"], seed=seed, device=DEVICE)
    return network


train, test = split_by_patient(slices, seed=SEED)
options = {"ResNeSt": {"spatial": False}, "ResNeSt, second seed": {"spatial": False, "seed": SEED + 1}, "ResNeSAt": {}}
runs = {name: train_one(train.images, train.labels, **option) for name, option in options.items()}
control = test.images[:, test.channels.index("flair")].amax((1, 2))  # the brightest pixel
results = {name: presence(network, test) for name, network in runs.items()}
results["control: brightest pixel"] = auc_interval(test.labels, control, groups=test.subjects)
results |= {f"ResNeSAt, shares {name}": interval for name, interval in under_edits(
    runs["ResNeSAt"], EDITS, lambda: presence(runs["ResNeSAt"], test), kind="split").items()}
plots.show(plots.forest(results, label="AUC, presence, test patients", reference=0.5, reference_label="chance"))
for name, interval in results.items():
    record(f"presence, AUC {name}", interval)
beaten = results["ResNeSAt"].value > results["control: brightest pixel"].value
print("Your network beats one pixel." if beaten else "Your network does NOT beat one pixel: it has not learned enough.")

# %% [markdown]
# *Figure 04.9.* AUC on the test patients. Compare ResNeSAt − ResNeSt with what the second seed makes of ResNeSt, and the networks with the [control](glossary.md#control), one pixel. A network that does not beat it allows no statement about its shares: `laptop` trains longer.
#
# **Source.** The second question goes to slices *with* tumour only: glioma or metastasis? Here the label belongs to the **patient**; all slices of a head have the same answer. Train twice, with the same network and budget. Once split by patient. Once with the **slices** shuffled and split, as is quickly done when pictures lie in one folder. Guess the two figures.

# %%
own_kind = torch.tensor([int(kind_of.get(subject, -1)) for subject in slices.subjects])  # (N,): -1 unknown
shown = ((tumour == 1) & (own_kind >= 0)).nonzero()[:, 0]  # slices with tumour
tested = torch.tensor([slices.subjects[i] in test.subjects for i in shown])
shuffled = tested[torch.randperm(len(shown), generator=torch.Generator().manual_seed(SEED))]
leaks = {}
for name, aside in (("split by patient", tested), ("LEAKY: split by slice", shuffled)):
    fits, kept = slices[shown[~aside]], slices[shown[aside]]
    network = train_one(fits.images, own_kind[shown[~aside]], iterations=NUMBERS["source"])
    predicted = predict_probabilities(network, kept.images)[:, 1].numpy()
    leaks[name] = auc_interval(own_kind[shown[aside]].numpy(), predicted, groups=kept.subjects)
    known = np.mean([subject in set(fits.subjects) for subject in kept.subjects])
    print(f"{name}: {100 * known:.0f} % of the tested slices are of patients who were trained on")
    record(f"{KINDS[0]} or {KINDS[1]}, AUC, {name}", leaks[name])
plots.show(plots.forest(leaks, label=f"AUC, {KINDS[0]} or {KINDS[1]}", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 04.10.* One question, one network, one budget. The LEAKY bar is not a better network: it has met its test patients. (Where much is learned honestly, the gap is small.)
#
# ### Exercise 04.3 · split patients, not slices
#
# *10 minutes, changes the experiment.* Assign slices to folds so that **all slices of a patient get the same fold number**. Shuffle the patients by the seed first; the folds' numbers of patients differ by one at most.
#
# <details><summary>Hint 1</summary>List the patients, each once. Give <i>them</i> fold numbers; then give each slice its patient's.</details>
# <details><summary>Hint 2</summary><code>np.random.default_rng(seed).permutation(sorted(set(subjects)))</code> shuffles the patients, <code>number % folds</code> counts 0, 1, …, folds − 1 again and again.</details>

# %% tags=["exercise"]
def assign_folds(subjects, folds, seed):
    """subjects: the patient of each slice (N,); returns a fold number, 0 to folds - 1, for each slice (N,)."""
    ### BEGIN SOLUTION
    people = np.random.default_rng(seed).permutation(sorted(set(subjects)))
    fold_of = {patient: number % folds for number, patient in enumerate(people)}
    return [fold_of[subject] for subject in subjects]
    ### END SOLUTION


# %%
check("04-folds", assign_folds)

# %% [markdown]
# The experiment: **ten folds, without any network.** The "model" only looks things up: it answers with the label of the most similar slice of the other nine folds, its [nearest neighbour](glossary.md#nearest-neighbour). It is asked for presence, for source, and for a **random label** that was drawn for each patient: there is nothing to be learned. (Until your function is right, the package's is used.)

# %%
from medattn_lite.course.exercises import folds_by_patient

assign = assign_folds if check("04-folds", assign_folds).passed else folds_by_patient
looks = slices.images.flatten(1)
looks = functional.normalize(looks - looks.mean(1, keepdim=True), dim=1)  # (N, pixels): similar = large product
heads = sorted(set(slices.subjects))
drawn = np.random.default_rng(SEED).permutation(len(heads)) % 2  # half of the heads get a 1
by_chance = torch.tensor([int(drawn[heads.index(subject)]) for subject in slices.subjects])


def look_up(labels, folds, rows):
    answers = torch.empty(len(rows))
    for fold in folds.unique():
        tested, known = rows[folds == fold], rows[folds != fold]
        answers[folds == fold] = labels[known][(looks[tested] @ looks[known].T).argmax(1)].float()
    return answers.numpy()


intervals, every = {}, torch.arange(len(slices))
for name, labels, rows in (("presence", tumour, every), ("source", own_kind, shown), ("a random label", by_chance, every)):
    people = [slices.subjects[i] for i in rows]
    by_slice = torch.arange(len(rows))[torch.randperm(len(rows), generator=torch.Generator().manual_seed(SEED))] % 10
    for way, folds in (("LEAKY, by slice", by_slice), ("by patient", torch.as_tensor(assign(people, 10, SEED)))):
        intervals[f"{name}, {way}"] = auc_interval(labels[rows].numpy(), look_up(labels, folds, rows), groups=people)
        record(f"ten folds, look-up, AUC {name}, {way}", intervals[f"{name}, {way}"])
plots.show(plots.forest(intervals, label="AUC of a look-up, ten folds", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 04.11.* What a leak does. The look-up "predicts" a random label, because it finds the same head in the other folds. Split by patient, that is gone; what presence and source keep is real. (A little *below* one half is no skill either: with a patient left out, the other label is more frequent among those that remain.)
#
# On glioma patients, ResNeSAt at `laptop`, AUC ([results](../figures/results.md)):
#
# | | by patient | LEAKY, by slice |
# |---|---|---|
# | presence: 80 people, ten folds | 0.912 [0.873, 0.943] | 0.955 [0.939, 0.970] |
# | [IDH mutation](glossary.md#idh-mutation), a label of the patient: 75 people, five folds | 0.636 [0.448, 0.805] | 0.997 [0.993, 1.000] |
#
# The second row is the lesson: from near chance to near perfect, and nothing learned for the next patient.

# %% [markdown]
# ## 10 · What goes wrong
#
# All of these run. Each gets the same splits and logits. *Lowest sum* and *highest* are of the shares over the splits; *size* the spread of the output against the right one's; *moves if alone* how far an image's output moves without the rest of its batch. Which number gives each mistake away?

# %%
u = torch.rand(8, 2, 16, 12, 12, generator=torch.Generator().manual_seed(SEED))  # (B, R, C, H, W)
logits = 2 * torch.randn(8, 2, 16, generator=torch.Generator().manual_seed(SEED))  # (B, R, C)
in_turn = lambda t: t.flatten(1).unflatten(1, (-1, 2)).transpose(1, 2)  # one by one, not block by block
variants = {
    "right": lambda u, t: (t.softmax(1), u),
    "softmax over channels": lambda u, t: (t.softmax(2), u),
    "softmax over the batch": lambda u, t: (t.softmax(0), u),
    "sigmoids": lambda u, t: (t.sigmoid(), u),
    "no softmax": lambda u, t: (t, u),
    "logits in turn, not in blocks": lambda u, t: (in_turn(t).softmax(1), u),
    "even shares": lambda u, t: (torch.full_like(t, 0.5), u),
}
right = mix(u, logits)
print(f"{'variant':26}{'lowest sum':>11}{'highest':>9}{'size ÷ right':>14}{'moves if alone':>16}")
for name, variant in variants.items():
    (a, v), (b, w) = variant(u, logits), variant(u[:1], logits[:1])
    out, alone = ((weight[..., None, None] * part).sum(1) for weight, part in ((a, v), (b, w)))
    print(f"{name:26}{a.sum(1).min():11.2f}{a.sum(1).max():9.2f}{out.std() / right.std():14.2f}"
          f"{(out[:1] - alone).abs().max():16.2f}")

# %% [markdown]
# | variant | symptom |
# |---|---|
# | softmax over channels | sums below 1, some near 0: the features fade |
# | softmax over the batch | an image's result depends on the others |
# | sigmoids | sums up to 2 |
# | no softmax | negative "shares" |
# | logits in turn, not in blocks | **none in the numbers**: it trains, and reads published weights wrongly |
# | even shares | none: it is a convolution in groups, and perhaps all you need |
#
# Forgetting `groups=radix` shows in the parameters: the 3×3 convolution is R times as large.
#
# ## 11 · What the paper says, and what we found
#
# First two sums with the paper's own numbers: does a printed row fit the printed counts? (The words: [recall](glossary.md#recall), [specificity](glossary.md#specificity), [precision](glossary.md#precision).)

# %%
primary, secondary = 75 + 316 + 78 + 38, 226 + 818 + 285  # images, the paper's Table I
hit, spared, printed = 0.7927, 0.8684, 0.8718  # ResNeSt in its Table IV: recall, specificity, precision
ways = {"metastasis is positive": (secondary, primary), "primary is positive": (primary, secondary),
        "as many of both": (1, 1)}  # fmt: skip
for name, (positive, negative) in ways.items():
    precision = hit * positive / (hit * positive + (1 - spared) * negative)
    print(f"source: {name}: precision {precision:.3f}; printed {printed}")
record("ResNeSAt's extra parameters as 4-byte numbers", 4 * extra / 2**20, "MiB; printed: 97.46 − 97.45")
for where, by_edit in {"control, share right": on_control, "shipped network, AUC": on_heads}.items():
    print(f"{where}: " + ", ".join(f"{by_edit[name].value:.2f} {name}" for name in EDITS))

# %% [markdown]
# | claim of the paper | what we found |
# |---|---|
# | almost no larger: 97.45 → 97.46 MB | holds: 1,568 parameters |
# | presence: accuracy 0.9751 → 0.9918 with the maps | not seen. 80 LGG patients, by patient: AUC difference 0.003 [−0.005, 0.012] |
# | source: recall, [F1](glossary.md#f1), accuracy improve | specificity and precision fall in the same table. Phantoms: AUC 0.038 [−0.015, 0.095] |
# | the printed precision of the source | fits neither way of counting its Table I: the balance is not stated |
# | pays more attention to the tumour | figure 04.8, with controls; and figure 04.6: is it needed? |
# | ten folds: 99 % | 3,670 images of 70 patients; it is not said which of the two were split |
#
# Ours are `laptop` runs ([results](../figures/results.md)), not the paper's sizes or patients; earlier phantoms.

# %% [markdown]
# One more fact about the last row. All 1,834 images without tumour are from **11 people**, the images with tumour from 59 others. So presence, too, is a label of the *patient* there: who knows the head knows the answer. This does not prove a leak. It says what must be reported.
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "Radix 4 in place of 2, as many channels. What happens to the parameters of the 3×3 convolution?",
        ["They double", "They stay the same", "They halve"],
        "They stay the same",
        ["Twice as many channels come out, but each reads half as many.",
         "Yes: R times the outputs, each from one R-th of the inputs.", "Twice as many channels come out."],
    ),
    Question(
        "With two splits, the share of split 1 in a channel is 0.9. What is that of split 2?",
        ["0.1", "Anything from 0 to 1", "0.9 as well, if the image needs both"],
        "0.1",
        ["Yes: one whole, shared. A sigmoid for each would allow the other two.",
         "That would be two gates; a softmax shares one whole.", "Then nothing would compete. The shares sum to 1."],
    ),
    Question(
        "Ten folds, 3,670 slices of 70 patients, accuracy 0.99. What do you ask first?",
        ["Which optimiser was used?", "Were patients split, or slices?", "How many parameters are there?"],
        "Were patients split, or slices?",
        ["That may move an accuracy by a little.",
         "Yes. Figure 04.11: split by slice, even a random label can be \"predicted\".",
         "It does not change what the accuracy means."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Split attention**: R versions of every channel, each from its own part of the input; one description; a softmax over the splits; one mixture.
# - Radix 1 is squeeze-and-excitation; with radix 2 the softmax is one gate and its complement.
# - The convolutions cost the same at any radix.
# - Whether the competition matters is an experiment: even shares.
# - **Split patients.** With slices of one head on both sides, even a random label is "found".
#
# **Next:** [05 · Pseudo-3-D and inter-slice attention](05_p3d_iam.ipynb): the whole volume, and which *slice* of it matters.
#
# **Read on:** Zhang H. et al., *ResNeSt* ([arXiv:2004.08955](https://arxiv.org/abs/2004.08955)); Zhang Y. et al., *Brain tumors classification for MR images* ([arXiv:2104.02331](https://arxiv.org/abs/2104.02331)). Words: [glossary](glossary.md).
