# %% [markdown]
# # 03 · CBAM: which channel, and where?
#
# **40 minutes to read, 30 for the exercises; about a minute to run at `smoke`, 8 at `laptop`.** Difficulty ●●○○
#
# Squeeze-and-excitation turns whole channels up and down. It can say *what*, never *where*. [CBAM](glossary.md#cbam), the "convolutional block attention module", does both: a gate for each channel, then a **map of places** that is multiplied onto every channel. It is the attention in ResNet-50-CBAM, the second network of the survival deck, slides of a study that predicts survival with glioma.
#
# You will also test the claim one would most like to believe: that the map lies on the tumour.

# %% [markdown]
# ## At the end you can
# - compute [channel attention](glossary.md#channel-attention) and [spatial attention](glossary.md#spatial-attention) with a pencil;
# - write both as a module, and name six mistakes that are easily made in it;
# - explain how the paper, its authors' code and the survival deck's code differ;
# - show a task where the map of places matters, and destroy the result by editing the map;
# - measure **how much of a map lies inside the tumour, against chance**, and test whether the network needs its places and its gates.
#
# **You need** notebook [02](02_squeeze_excitation.ipynb), for squeeze, gate, AUC and "it sits before the addition". New words link to the [glossary](glossary.md).

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
from torch.nn import functional

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.evaluation import auc_interval, mean_interval, paired_auc_interval, paired_mean_interval

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
# Below: a slice with a tumour (yellow line), and a channel that responds to bright tissue. A channel gate of one half gives the same picture, fainter. A **map** keeps some places and suppresses others; here one drawn by hand, from the true outline. The network has no outline. It must make its map from the features.
#
# **Guess before you go on.** CBAM describes a channel by its mean *and* its largest value. A small tumour in a large head: which of the two will notice it?

# %%
from medattn_lite.course import open_slices

slices = open_slices(NUMBERS, data=DATA, root=DATA_ROOT, seed=SEED)
flair = slices.images[:, slices.channels.index("flair")]  # (N, H, W)
bright = flair.relu()
example = int(slices.masks.flatten(1).sum(1).argmax())
by_hand = functional.avg_pool2d((slices.masks[example] > 0).float(), 7, stride=1, padding=3)[0]
plots.show(plots.picture_table(
    [[flair[example], bright[example], 0.5 * bright[example], by_hand * bright[example]]],
    columns=["slice (FLAIR)", "a channel", "× gate 0.5", "× a map"], maps_from=1, map_label="channel",
    outlines=[slices.masks[example]], alt="A slice, a channel, the channel at half strength, and only at the tumour."))

# %% [markdown]
# *Figure 03.1.* What a channel gate can do, and what a map can. The heads are synthetic, unless `DATA` names real patients.
#
# The answer to the guess, over all slices: how well does one number tell slices with tumour from slices without? (AUC: 0.5 is chance, 1 is perfect.)

# %%
pools = {
    "mean over space": bright.mean(dim=(1, 2)), "max over space": bright.amax(dim=(1, 2)),
    "mean of the brightest 2 %": bright.flatten(1).topk(flair[0].numel() // 50).values.mean(1),
}
single = {name: auc_interval(slices.labels, pool, groups=slices.subjects) for name, pool in pools.items()}
plots.show(plots.forest(single, label="AUC of one number", reference=0.5, reference_label="chance"))
inside = slices.masks.flatten(1).gather(1, flair.flatten(1).argmax(1, keepdim=True))[:, 0] > 0  # (N,)
print(f"slices with tumour whose brightest pixel lies inside it: {inside[slices.labels == 1].float().mean():.0%}")

# %% [markdown]
# *Figure 03.2.* What is left of a tumour in one number. A small thing hardly changes the mean of a large head. It changes the maximum, but so does *whatever* is brightest.
#
# So it depends on the data. The phantoms have no scalp: where a slice has a tumour, its brightest pixel mostly lies inside it (the share is printed above), and the maximum wins. The LGG patients still have their scalp, and its fat is bright. With `DATA = "lgg"`, the cell above prints a much smaller share, and the mean wins. CBAM takes both and lets the network learn what to make of them. (The third bar, a pool in between, is not in CBAM.)

# %% [markdown]
# ## 2 · By hand
#
# **Channel attention.** Two channels; mean and max of each; *one* small network ([MLP](glossary.md#mlp): layer, ReLU, layer) for both descriptions; sum; [sigmoid](glossary.md#sigmoid).

# %%
x = torch.tensor([
    [[4.0, 0.0], [0.0, 0.0]],  # channel 0: mean 1, max 4
    [[2.0, 2.0], [2.0, 2.0]],  # channel 1: mean 2, max 2
])  # (C, H, W)
w0 = torch.tensor([[1.0, -1.0]])  # (1, 2): "channel 0 minus channel 1"
w1 = torch.tensor([[1.0], [-1.0]])  # (2, 1)
from_mean = w1 @ (w0 @ x.mean((1, 2))).relu()  # (C,)
from_max = w1 @ (w0 @ x.amax((1, 2))).relu()  # (C,)
torch.set_printoptions(precision=2, sci_mode=False)
print("after the MLP: from the mean", from_mean, "from the max", from_max)
print("gate", (from_mean + from_max).sigmoid())

# %% [markdown]
# From the means, 1 and 2, the MLP makes nothing: 1 − 2 is negative, and the ReLU drops it. From the maxima, 4 and 2, it makes a gate that opens channel 0.
#
# **Spatial attention.** Now the other axes: at each *place*, the largest and the mean value over the channels; a convolution that reads both; sigmoid. Five places in a row, and a kernel of 3 in place of 7×7. Compute the middle place with a pencil, then the first one. (Outside the row there are zeros, the [padding](glossary.md#padding). The number before a sigmoid is called a [logit](glossary.md#logit).)

# %%
row = torch.tensor([[0.0, 0.0, 4.0, 0.0, 0.0], [1.0, 1.0, 2.0, 1.0, 1.0]])  # (C, W): two channels, five places
described = torch.stack([row.amax(0), row.mean(0)])  # (2, W): max, mean
kernel = torch.tensor([[[-1.0, 2.0, -1.0], [0.0, 1.0, 0.0]]])  # (1, 2, 3): "more than my neighbours"
logits = functional.conv1d(described[None], kernel, padding=1)[0, 0]  # (W,)
print("max   ", described[0], "\nmean  ", described[1])
print("logits", logits, "\nmap   ", logits.sigmoid())

# %% [markdown]
# The middle is open, its neighbours are shut. But look at the **two ends**: they are open too, though nothing is there. Their neighbours outside are zeros from the padding, so the kernel finds them "more than my neighbours". Keep this in mind when a map is bright along the border of a picture.
#
# ## 3 · From loops to a module
#
# $$M_c = \sigma\big(\mathrm{MLP}(\mathrm{mean}_{\text{space}}\,F) + \mathrm{MLP}(\mathrm{max}_{\text{space}}\, F)\big) \tag{03.1}$$
# $$F' = M_c \otimes F \tag{03.2}$$
# $$M_s = \sigma\big(f^{7\times 7}[\mathrm{max}_{\text{channels}}\, F' \,;\, \mathrm{mean}_{\text{channels}}\,F']\big) \tag{03.3}$$
# $$F'' = M_s \otimes F' \tag{03.4}$$
#
# $F$ is the [feature map](glossary.md#feature-map), $f^{7\times 7}$ a convolution with a 7×7 [kernel](glossary.md#kernel), and $[a\,;\,b]$ lays two pictures side by side as channels. $\otimes$ multiplies number by number; where one side has a single number for a whole axis, it is used all along that axis.

# %%
def spatial_map_loop(x, kernel):
    """x (C, H, W), kernel (2, k, k) → map (H, W)."""
    _, height, width = x.shape
    half = kernel.shape[-1] // 2
    result = torch.empty(height, width)
    for i in range(height):
        for j in range(width):
            total = 0.0
            for di in range(-half, half + 1):
                for dj in range(-half, half + 1):
                    if 0 <= i + di < height and 0 <= j + dj < width:  # outside are zeros
                        place = x[:, i + di, j + dj]  # (C,)
                        total += kernel[0, half + di, half + dj] * place.max()
                        total += kernel[1, half + di, half + dj] * place.mean()
            result[i, j] = torch.sigmoid(total)  # (03.3)
    return result


# %% [markdown]
# The loops are a convolution, written out. The vectorised form does both halves, for a whole batch:

# %% tags=["slide"]
def channel_map(x, mlp):  # x (B, C, H, W)
    logits = mlp(x.mean(dim=(2, 3))) + mlp(x.amax(dim=(2, 3)))  # (B, C)
    return logits.sigmoid()[:, :, None, None]  # (03.1): (B, C, 1, 1)


def spatial_map(x, kernel):  # kernel (1, 2, k, k)
    described = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)  # (B, 2, H, W)
    return functional.conv2d(described, kernel, padding=kernel.shape[-1] // 2).sigmoid()  # (03.3): (B, 1, H, W)


x, kernel = torch.randn(1, 4, 6, 5), torch.randn(1, 2, 3, 3)
torch.testing.assert_close(spatial_map(x, kernel)[0, 0], spatial_map_loop(x[0], kernel[0]))
print("loop and vectorised agree")

# %% [markdown]
# And the module. The MLP is [shared](glossary.md#shared-mlp): called **twice and stored once**. The spatial map is made from `x` *after* the channels were scaled: first what, then where. The package's tested class is `CBAM`; it takes volumes too.

# %% tags=["slide", "define:MyCBAM"]
class MyCBAM(nn.Module):
    def __init__(self, channels, reduction=16, kernel_size=7):
        super().__init__()
        hidden = channels // reduction
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.convolution = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x):  # (B, C, H, W)
        x = x * channel_map(x, self.mlp)  # (03.2): (B, C, H, W) ⊗ (B, C, 1, 1)
        x = x * spatial_map(x, self.convolution.weight)  # (03.4): (B, C, H, W) ⊗ (B, 1, H, W)
        return x


print("out:", tuple(MyCBAM(32)(torch.randn(2, 32, 24, 20)).shape))

# %% [markdown]
# ## 4 · Does it equal the real thing?
#
# Which real thing? Three readings of CBAM are in use, and they are not the same function:
#
# | | paper's text | authors' code | survival deck's code |
# |---|---|---|---|
# | MLP | shared | shared, biases | shared, no biases |
# | described as | [mean ; max] | [max ; mean] | [mean ; max] |
# | before the map's sigmoid | nothing | a [batch norm](glossary.md#batch-normalisation) | nothing |
# | start of the map | – | exactly ½ everywhere | random |
#
# The survival deck prints the paper's formulas. The package's class has all three as options. Yours is the authors' without the batch norm.

# %%
from medattn_lite.attention import CBAM, SpatialAttention

mine, package = MyCBAM(32), CBAM(32, spatial_norm=False)
package.load_state_dict(dict(zip(package.state_dict(), mine.state_dict().values(), strict=True)))
x = torch.randn(2, 32, 9, 7, requires_grad=True)
gradients = [torch.autograd.grad(block(x).square().sum(), x)[0] for block in (mine, package)]
torch.testing.assert_close(mine(x), package(x))
torch.testing.assert_close(*gradients)
print("equal to the package: output and gradient")

swapped = CBAM(32, spatial_norm=False, pool_order="mean-max")
swapped.load_state_dict(package.state_dict())
print(f"the same weights, read as [mean ; max]: largest difference {(swapped(x) - mine(x)).abs().max():.2f}")
swapped.spatial.convolution.weight.data = package.spatial.convolution.weight.data.flip(1)
print(f"and with the kernel's two halves swapped: {(swapped(x) - mine(x)).abs().max():.0e}")
start = SpatialAttention(initial_gate=0.5)(x)
print(f"the authors' map at the start: from {start.min():.3f} to {start.max():.3f}")

# %% [markdown]
# So weights trained in one reading are **wrong in the other**, without any error message: only the order of two channels differs. (That the package equals the *authors'* code is checked in `tests/parity` on numbers frozen from it; no library installed here has CBAM.)
#
# The last line is the authors' start: their batch norm begins with weight 0, so the map is σ(0) at every place. It begins without preferring any place, and halves every branch. If you train from the start, the other weights can adapt to it. In a network that is trained already it changes all numbers; `initial_gate=0.99` is the gentler start.

# %% [markdown]
# ## 5 · Your turn
#
# ### Exercise 03.1 · a third description
#
# *5 minutes, easy.* Describe each place by the largest value, the mean **and the standard deviation** over the channels, in this order, for slices and for volumes. (`x.std(dim=…, unbiased=False)`.)
#
# <details><summary>Hint 1</summary>A map of places keeps all axes of space. Only one axis goes: which one?</details>
# <details><summary>Hint 2</summary><code>keepdim=True</code> leaves an axis of length 1 where the channels were; <code>torch.cat([…], dim=1)</code> puts three of them side by side.</details>

# %% tags=["exercise"]
def describe(x):
    """x (B, C, H, W) or (B, C, D, H, W); returns (B, 3, …): max, mean, standard deviation over the channels."""
    ### BEGIN SOLUTION
    largest = x.amax(dim=1, keepdim=True)  # (B, 1, …)
    mean = x.mean(dim=1, keepdim=True)  # (B, 1, …)
    spread = x.std(dim=1, keepdim=True, unbiased=False)  # (B, 1, …)
    return torch.cat([largest, mean, spread], dim=1)  # (B, 3, …)
    ### END SOLUTION


# %%
check("03-describe", describe)

# %% [markdown]
# ### Exercise 03.2 · channel attention for volumes
#
# *12 minutes, needs thought.* Write (03.1) with two `nn.Conv3d` of size 1 **without biases**, as the survival deck's code does. Return the *map*, not the scaled features. Between the two convolutions there are `channels // reduction` channels.
#
# <details><summary>Hint 1</summary>Two convolutions in all, not four. Both descriptions go through the same two.</details>
# <details><summary>Hint 2</summary>Where does the sigmoid stand in (03.1): around each MLP, or around their sum? Two sigmoids that are added reach up to 2.</details>

# %% tags=["exercise"]
class ChannelAttention3d(nn.Module):
    """(B, C, D, H, W) to its channel map (B, C, 1, 1, 1)."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        ### BEGIN SOLUTION
        self.first = nn.Conv3d(channels, channels // reduction, kernel_size=1, bias=False)
        self.second = nn.Conv3d(channels // reduction, channels, kernel_size=1, bias=False)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        pools = (x.mean(dim=(2, 3, 4), keepdim=True), x.amax(dim=(2, 3, 4), keepdim=True))  # (B, C, 1, 1, 1) each
        logits = sum(self.second(self.first(pool).relu()) for pool in pools)  # (B, C, 1, 1, 1)
        return logits.sigmoid()
        ### END SOLUTION


# %%
check("03-channel", ChannelAttention3d)

# %% [markdown]
# ## 6 · Where it sits
#
# Just where squeeze-and-excitation sits: on the branch, before the addition, in each of the sixteen [residual blocks](glossary.md#residual-block) of a ResNet-50.

# %%
from torch.utils.flop_counter import FlopCounterMode

from medattn_lite.networks import OFFICIAL_CBAM, resnet50_cbam

count = lambda network: sum(p.numel() for p in network.parameters())


def published_cost(**options):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:  # shapes without numbers
        network = resnet50_cbam(spatial_dims=3, in_channels=4, num_classes=19, **options).eval()
        network(torch.empty(1, 4, 120, 120, 78))
    return count(network), counter.get_total_flops() / 2


plots.show(plots.residual_block("cbam", middle="conv 3×3"))
with_cbam, without = published_cost(), published_cost(attention=False)
with torch.device("meta"):
    for attention_of_2d in (True, False):
        options = OFFICIAL_CBAM if attention_of_2d else {"attention": False}
        official = resnet50_cbam(spatial_dims=2, in_channels=3, num_classes=1000, **options)
        record(f"ResNet-50 in 2-D, CBAM {attention_of_2d}", count(official) / 1e6, "million parameters")
record("parameters of the published network", with_cbam[0])
record("CBAM's share of the parameters", 100 * (with_cbam[0] / without[0] - 1), "%")
record("CBAM's share of the multiplications", 100 * (with_cbam[1] / without[1] - 1), "%")
record("parameters of one spatial map, 7×7×7", 2 * 7**3)

# %% [markdown]
# *Figure 03.3.* A residual block with CBAM. The first two numbers are the paper's 2-D ResNet-50, the others the survival deck's 3-D network: four kinds of MRI in, 19 intervals of time out. Nearly all of CBAM's parameters are the channel MLPs. The map of places has a few hundred: the fewest, in the part everyone shows in pictures.
#
# **What came after.** In CBAM a channel gate has no place, and all channels share the map of places. *Coordinate attention* (2021) gates every channel along each axis: by its row and by its column (in 3-D, a reading of ours, by its slice as well). **Guess:** can rows times columns draw a diagonal?

# %%
from medattn_lite import attention
from medattn_lite.explain import capture_attention

block = attention.create("coordinate", 16, spatial_dims=2)
with capture_attention(block) as maps:
    block(torch.eye(12).expand(1, 16, 12, 12))  # a diagonal in every channel
rows, columns = (maps[f"gates.{axis}"].values for axis in ("height", "width"))  # (B, C, H, 1), (B, C, 1, W)
record("rank of a channel's own map of places", int(torch.linalg.matrix_rank((rows * columns)[0]).max()))

# %% [markdown]
# Each channel has a map of its own, but of **rank 1**: a column times a row. It can draw a box, or a cross that is brightest in its middle, never a diagonal.
#
# ## 7 · Where it must win
#
# First a **positive control** again: a task that this network's 3×3 convolutions cannot solve, and that CBAM can. In multiple sclerosis, a small vein in the middle of a lesion, dark in some MR sequences, tells it from look-alikes. So here: **a ring is a lesion only if there is a dark dot in its middle.** Of four rings two are lesions; dots elsewhere count for nothing. Every *pixel of a ring* must be judged.

# %%
from medattn_lite.data.controls import CONTROLS, LESION

example = CONTROLS["central-vein"].draw(2, seed=SEED)
plots.show(plots.picture_table(
    [[image[0], (objects == LESION).float()] for image, objects in zip(example.images, example.objects, strict=True)],
    columns=["image", "lesions"], maps_from=1, map_label="1: lesion", alt="Two images with four bright rings each. "
    "Two rings have a dark dot in the middle; beside each image those two are drawn as lesions."))

# %% [markdown]
# *Figure 03.4.* Two images of the control. Can you see the dots? The network: two 3×3 convolutions, then CBAM or nothing, then 1×1 convolutions. **Without CBAM a ring's pixel sees 5×5 pixels, and the middle is further away.** The map's 7×7 kernel reaches 3 pixels more: together they reach the middle.
#
# **Guess** the share of rings judged right (chance is one half), and where the map will be open.

# %%
from medattn_lite.positive_controls import object_hits, train_control, without_cue

right = lambda hits: mean_interval(hits.float().mean(1), bounds=(0, 1))  # the share of an image's four rings
for kind in ("none", "se", "cbam"):
    run = train_control("central-vein", kind, seed=SEED, scale=SCALE)
    record(f"control: rings judged right, attention {kind!r}", right(run.right))

# %%
from medattn_lite.explain import spatial_gates, to_image_grid

(open_at,) = spatial_gates(run.network, run.test.images[:2]).values()  # (N, H, W)
plots.show(plots.picture_table(
    [[run.test.images[i, 0], (run.test.objects[i] == LESION).float(), open_at[i]] for i in (0, 1)], maps_from=1,
    columns=["image", "lesions", "map"], map_label="map", alt="Two test images, their lesions, and their spatial maps."))

# %% [markdown]
# *Figure 03.5.* The map of two test images, beside their lesions. SE has no places. (A plain 7×7 convolution [solves it as well](../figures/positive_controls.md): CBAM wins because it reaches the middle.)
#
# ### Exercise 03.3 · which sentence may you write?
#
# *10 minutes, needs thought.* *Edited minus unchanged* score has a 95 % interval, `low` to `high`. Changes up to `margin` do not matter. Return `"needed"` if the whole interval lies below −margin, `"better without"` if above margin, `"not needed"` if within both (ends included), else `"open"`. NaN means: no interval.
#
# <details><summary>Hint 1</summary>−0.5 to 0.5 holds 0. Does it show that the map is not needed?</details>
# <details><summary>Hint 2</summary>No interval shows nothing; <code>low != low</code> finds NaN.</details>

# %% tags=["exercise"]
def verdict(low, high, margin):
    """low and high of an interval, the margin that does not matter; returns one of four sentences."""
    ### BEGIN SOLUTION
    if low != low or high != high:  # no interval
        return "open"
    if high < -margin:
        return "needed"
    if low > margin:
        return "better without"
    return "not needed" if -margin <= low and high <= margin else "open"
    ### END SOLUTION


# %%
check("03-verdict", verdict)

# %% [markdown]
# The experiment: *unchanged* maps; *flat* ones, every place with the map's own mean; maps *shifted* by half a picture; and unchanged maps on images whose dark dots (the veins) were removed. Under the figure stands your sentence for *flat* and for *shifted* (until your function is right, the package's), margin 0.05.

# %%
from medattn_lite.course.exercises import print_sentences, sentence_for
from medattn_lite.explain import CHANNEL_EDITS, PLACE_EDITS, under_edits

sentence = verdict if check("03-verdict", verdict).passed else sentence_for
hits = under_edits(run.network, PLACE_EDITS, lambda: object_hits(run.network, run.test).float().mean(1), kind="spatial")
hits["no veins"] = object_hits(run.network, without_cue(run)).float().mean(1)
on_control = {name: mean_interval(right, bounds=(0, 1)) for name, right in hits.items()}
plots.show(plots.forest(on_control, label="share of rings judged right", reference=0.5, reference_label="chance"))
print_sentences({name: paired_mean_interval(hits[name], hits["unchanged"]) for name in ("flat", "shifted")}, sentence)

# %% [markdown]
# *Figure 03.6.* **This is what a map that matters looks like**: take its places away, and what is left is chance. (If every image loses the same, there is no interval, and your rule says *open*: look at the bars.) Other seeds: [the positive controls](../figures/positive_controls.md).
#
# ## 8 · Heads, and a network that comes trained
#
# The package's ResNet-50-CBAM was trained to tell low from high grade on synthetic heads, whole volumes. The same edits of its maps, on heads it has never seen; then the edits of notebook 02 for its *channel* gates. **Guess** which cost it more. (In notebook 02 you asked whether the SE network did as well with all gates at one half: look at figure 02.7 again.)

# %%
from medattn_lite.explain import graded_heads
from medattn_lite.networks import load_trained
from medattn_lite.training import fit, predict_probabilities

shipped = load_trained("grade_resnet_cbam")
heads, grades = graded_heads(shipped, limit=NUMBERS["heads"])  # (N, C, D, H, W), (N,)
high_grade = lambda: predict_probabilities(shipped.network, heads, batch_size=len(heads))[:, 1]
places = under_edits(shipped.network, PLACE_EDITS, high_grade, kind="spatial")
channel = under_edits(shipped.network, CHANNEL_EDITS, high_grade, kind="channel")
for name, module in shipped.network.named_modules():
    if getattr(module, "kind", "") == "channel":
        only = under_edits(shipped.network, {"": CHANNEL_EDITS["frozen"]}, high_grade, kind="channel", layer=name)
        channel[f"frozen in {name.split('.')[0]} only"] = only[""]
scores = {f"map: {name}": score for name, score in places.items()} | {f"channels: {name}": score for name, score in channel.items()}
on_heads = {name: auc_interval(grades, score) for name, score in scores.items()}
plots.show(plots.forest(on_heads, label="AUC, low or high grade", reference=0.5, reference_label="chance"))
apart = {name: paired_auc_interval(grades, score, places["unchanged"]) for name, score in scores.items() if "unchanged" not in name}
print_sentences(apart, sentence)
for name, interval in on_heads.items():
    record(f"shipped network, AUC, {name}", interval)

# %% [markdown]
# *Figure 03.7.* One network, two answers. Its **map of places** flat or shifted, the AUC hardly moves: may you write *not needed*? (With few heads it stays *open*.) Below, its **channel gates**: *frozen* (at their mean over the heads), all one half, another head's; then frozen layer by layer. If the AUC falls towards one half, the grade went through these gates. Through which layer's?
#
# Another answer than in figure 02.7? Perhaps (not tested) because CBAM's gate also reads the *maximum* of a channel, and a small bright rim is a maximum (figure 03.2).
#
# ## 9 · Train it yourself, with and without
#
# As in notebook 02: does this slice show tumour? Split by patient; the published class, smaller.

# %%
from medattn_lite.course import split_by_patient
from medattn_lite.networks import ResNetCBAM

train, test = split_by_patient(slices, seed=SEED)


def new_network(seed=SEED, attention=True):
    torch.manual_seed(seed)
    size = {"layers": (3, 4, 6, 3), "width": 64} if SCALE == "paper" else {"layers": (1, 1, 1, 1), "width": 16}
    return ResNetCBAM(spatial_dims=2, in_channels=len(slices.channels), num_classes=2, attention=attention, **size)


seeds = {"without CBAM": SEED, "without CBAM, second seed": SEED + 1, "with CBAM": SEED}
networks = {name: new_network(seed, attention=name == "with CBAM") for name, seed in seeds.items()}
budget = {"iterations": NUMBERS["iterations"], "device": DEVICE}
histories = {
    name: fit(network, train.images, train.labels, seed=seeds[name], **budget) for name, network in networks.items()
}
model = networks["with CBAM"]
plots.show(plots.training_curve(histories))

# %%
truth, patients = test.labels.numpy(), test.subjects
flair_test = test.images[:, test.channels.index("flair")]  # (N, H, W)
scores = {name: predict_probabilities(network, test.images)[:, 1].numpy() for name, network in networks.items()}
scores["control: brightest pixel"] = flair_test.amax((1, 2)).numpy()
results = {name: auc_interval(truth, score, groups=patients) for name, score in scores.items()}
base = scores["without CBAM"]
gains = {name: paired_auc_interval(truth, scores[name], base, groups=patients) for name in list(networks)[1:]}
plots.show(plots.forest(results, label="AUC on test patients", reference=0.5, reference_label="chance"))
for name, interval in (results | {f"gain, {name}": gain for name, gain in gains.items()}).items():
    record(f"AUC {name}", interval)
beaten = results["with CBAM"].value > results["control: brightest pixel"].value
measure_auc = lambda: auc_interval(truth, predict_probabilities(model, test.images)[:, 1], groups=patients)
outcome = under_edits(model, PLACE_EDITS, measure_auc, kind="spatial")
for name, interval in outcome.items():
    record(f"your network: AUC with maps {name}", interval)
print("Your network beats one pixel." if beaten else "Your network does NOT beat one pixel: it has not learned enough for "
      "any statement about its maps. Use SCALE = \"laptop\".")

# %% [markdown]
# *Figures 03.8 and 03.9.* The [loss](glossary.md#loss) while training; AUC on the test patients, with 95 % [intervals](glossary.md#interval) by patient where there are enough.
#
# Compare with the [control](glossary.md#control), the brightest pixel of the slice. And compare the gain by CBAM with that of the **second seed**: a gain of about that size may be luck, even when its own interval leaves out 0.
#
# Now look: one slice's way through all gates and maps. Switch channels off (the hundred most open ones are off to begin with), and watch the prediction. The colour over the second picture is the map.

# %%
from medattn_lite.widgets import gate_explorer

area = test.masks.flatten(1).sum(1)
shown = torch.cat([area.topk(6).indices, (area == 0).nonzero()[:6, 0]])  # six slices with tumour, six without
explorer = gate_explorer(model, test.images[shown], labels=test.labels[shown], names=["no tumour", "tumour"],
                         channels=test.channels)
explorer.set(background=test.channels.index("flair"), most_open=100)
display(explorer)

# %% [markdown]
# *Figure 03.10.* The explorer. Every bar is a gate; × marks the ones switched off.
#
# Now several patients side by side. A map has the size of its layer. With stride 32 its cells look at pixels 0, 32, 64, …; merely enlarged, the first cell's centre would lie at pixel 15½, too far to the front and right. `layer_box` says which part of the slice the layer looks at.

# %%
from medattn_lite.explain import layer_box


def on_slices(values):  # maps (N, h, w) laid where their layer looks: (N, H, W)
    return to_image_grid(values, flair_test.shape[1:], box=layer_box(model, test.images, values.shape[1:]))


maps, chosen = spatial_gates(model, test.images), area.topk(24).indices[::6]  # layer → (N, h, w); four slices
rows = [[flair_test[i], *(on_slices(values)[i] for values in maps.values())] for i in chosen]
plots.show(plots.picture_table(
    rows, columns=["slice (FLAIR)", *plots.short_names(maps).values()], outlines=test.masks[chosen], maps_from=1,
    map_label="map", alt="Four slices, tumours outlined, and beside each its spatial maps, from fine to coarse."))

# %% [markdown]
# *Figure 03.11.* Spatial maps of four test slices, tumour outlined; all maps on one scale of colours.
#
# It is easy to see what one hopes for. So count. The *mass* of a map is the sum of its values. **What share of it lies inside the tumour, compared with the tumour's share of the head?** This ratio is the [concentration](glossary.md#concentration). 1 is chance: a map that is the same everywhere. Above 1, the map prefers the tumour; below 1, it avoids it.
#
# Two controls: the same network **before training**, and the plain **brightness** of the slice, which needs no network.

# %%
from medattn_lite.data import foreground


def concentration(values, tumour, head):
    """Mass of a map inside the tumour, over chance. All (H, W)."""
    share = (values * tumour).sum() / (values * head).sum()
    return float(share / (tumour.sum() / head.sum()))


def over_slices(values):
    """The mean over all test slices with tumour, and its interval by patient."""
    fine = on_slices(values)
    ratios = [concentration(fine[i], test.masks[i, 0] > 0, heads[i]) for i in with_tumour]
    return mean_interval(ratios, bounds=(0, float("inf")), groups=[patients[i] for i in with_tumour])


with_tumour = (test.labels == 1).nonzero()[:, 0].tolist()
heads = torch.cat([foreground(image - image.amin(dim=(1, 2), keepdim=True)) for image in test.images])  # (N, H, W)
before = spatial_gates(new_network().eval(), test.images)
layers = plots.short_names(maps)
measured = {f"{layers[name]}, trained": over_slices(values) for name, values in maps.items()}
measured |= {f"{layers[name]}, untrained": over_slices(values) for name, values in before.items()}
measured["brightness"] = over_slices(flair_test - flair_test.amin())
plots.show(plots.forest(measured, label="mass in the tumour ÷ chance", reference=1.0, reference_label="chance"))
for name, interval in measured.items():
    record(f"concentration on the tumour: {name}", interval)

# %% [markdown]
# *Figure 03.12.* How much the maps prefer the tumour.
#
# Read three things. Is a layer's interval clear of 1? Is the trained map clear of its **untrained** [copy](glossary.md#re-initialised-copy)? Is it clear of plain **brightness**? A value below 1 is not a fault: later layers can read a low value as well as a high one, so a network may turn down exactly the place that matters.

# %% [markdown]
# ## 10 · What goes wrong
#
# Six mistakes that are easily made in CBAM. All run. Each gets the same features. `lowest` and `highest` are of the map, `size ÷ input` compares the spread of the features after and before. Which number gives each mistake away?

# %%
x, block = torch.rand(4, 32, 24, 24) * 2, MyCBAM(32)
mlp, other, kernel = block.mlp, MyCBAM(32).mlp, block.convolution.weight
mean, largest, channel, place = x.mean((2, 3)), x.amax((2, 3)), channel_map(x, mlp), spatial_map(x, kernel)
logits = torch.logit(place)
variants = {
    "right, channels": (channel, x * channel),
    "no sigmoid": ((mlp(mean) + mlp(largest))[:, :, None, None], x * (mlp(mean) + mlp(largest))[:, :, None, None]),
    "two MLPs": (c := (mlp(mean) + other(largest)).sigmoid()[:, :, None, None], x * c),
    "two sigmoids, summed": (c := (mlp(mean).sigmoid() + mlp(largest).sigmoid())[:, :, None, None], x * c),
    "right, places": (place, x * place),
    "softmax over places": (m := logits.flatten(2).softmax(2).view_as(logits), x * m),
    "pooled over space, not channels": (m := (x.amax((2, 3), True) + x.mean((2, 3), True)).sigmoid(), x * m),
    "added, not multiplied": (place, x + place),
}
print(f"{'variant':34}{'lowest':>8}{'highest':>9}{'size ÷ input':>14}  shape of the map")
for name, (gate, out) in variants.items():
    size = out.std() / x.std()
    print(f"{name:34}{gate.min():8.3f}{gate.max():9.3f}{size:14.3f}  {tuple(gate.shape)}")

# %% [markdown]
# | variant | symptom |
# |---|---|
# | no sigmoid | values below 0 or above 1 |
# | two MLPs | **none in the numbers**; count the parameters: twice as many |
# | two sigmoids, summed | gates near 1 at the start, up to 2 |
# | softmax over places | each place gets about $1/HW$: the features all but vanish |
# | pooled over space | a map of the wrong shape: it cannot point anywhere |
# | added | a closed place still passes its features |
#
# A seventh does not run: without `padding` the map is smaller than its picture.

# %% [markdown]
# ## 11 · What the papers say, and what we found
#
# | claim | what we found |
# |---|---|
# | Woo et al.: 25.56 million parameters grow to 28.09 | the same, counted in section 6 |
# | Woo et al.: the cost is negligible | in parameters: the map's, yes; the channel MLPs add about a tenth in 2-D |
# | Woo et al.: CBAM improves every network | figure 03.9: more than a second seed? [Several tasks](../figures/mechanisms.md) |
# | the map tells where to look | where it must (figure 03.6); for heads see figures 03.7 and 03.12 |
# | survival deck: with CBAM a [C-index](glossary.md#c-index) of 0.763 [0.743, 0.782], SE-ResNeXt-50 0.733 [0.712, 0.754] (all gliomas) | no test of CBAM against SE: only one of the two has grouped convolutions |
#
# ## Quiz
#
# Every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "Your channel attention has twice as many parameters as the paper's. What happened?",
        ["The MLP is not shared", "The kernel is too large", "The sigmoid is missing"],
        "The MLP is not shared",
        ["Yes: one MLP for both descriptions; it is called twice and stored once.",
         "A 7×7 kernel over two channels is 98 numbers; that does not double anything.",
         "A sigmoid has no parameters."],
    ),
    Question(
        "Weights trained with [max ; mean] are loaded into a block that reads [mean ; max]. What do you see?",
        ["An error", "Nothing at all", "No error, other numbers"],
        "No error, other numbers",
        ["Both have the shape (1, 2, 7, 7), so torch is content.", "Look at section 4 again: the difference is large.",
         "Yes, the worst kind of bug. Swap the kernel's two halves with `.flip(1)`."],
    ),
    Question(
        "A map has 1.0 times its chance mass inside the tumour. What does that say of the network?",
        ["It cannot see the tumour", "Its map does not prefer the tumour", "It is broken"],
        "Its map does not prefer the tumour",
        ["It may well: features can carry the tumour while the map stays flat.",
         "Yes, and no more. What the network uses is another question.", "Its AUC would tell you that, not its map."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Channel attention**: mean and max over space, one shared MLP, sum, sigmoid. **Spatial attention**: max and mean over channels, one convolution, sigmoid. First what, then where.
# - Three readings of CBAM are in use; weights of one are wrong in another, without any error message.
# - The map is a few hundred parameters; the channel MLPs cost the rest.
# - A map is a part of the computation. Whether it lies on the tumour, and whether the network needs it, are two questions; you have measured both.
#
# **Next:** [04 · Split attention](04_split_attention.ipynb), where several versions of a channel share weights that sum to 1.
#
# **Read on:** Woo et al., *CBAM* (ECCV 2018, [arXiv:1807.06521](https://arxiv.org/abs/1807.06521)); Hou et al., *Coordinate Attention* (CVPR 2021, [arXiv:2103.02907](https://arxiv.org/abs/2103.02907)). Words: [glossary](glossary.md).
