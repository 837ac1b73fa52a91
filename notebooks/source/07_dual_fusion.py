# %% [markdown]
# # 07 · Dual fusion: two networks outline one tumour
#
# **55 minutes to read, 35 for the exercises; about a minute to run at `smoke`, 12 at `laptop`.** Difficulty ●●●○
#
# Two networks, DynUNet and SegResNet, have learned to outline a tumour. Both are relatives of the [U-Net](glossary.md#u-net), and each has its own blind spots. This notebook joins them: by a plain average, by a few convolutions, and by the **dual fusion** of Vo-Thanh and colleagues, in which each voxel of the one network looks at *every* voxel of the other.
#
# "Every voxel" is a large word. At the paper's size it means a table of 16 tebibytes, some 17,600 gigabytes. You will work that out, and then fit it into a laptop.

# %% [markdown]
# ## At the end you can
# - name the three regions of a brain tumour that are scored, and compute [Dice](glossary.md#dice) and the [Hausdorff distance](glossary.md#hausdorff-distance) with a pencil;
# - compute early fusion, global fusion and local attention for four voxels, and write them as a module;
# - say what attention over voxels costs, and show two ways in which it fits;
# - show a task that needs to look at *another* place of the other scan, and how far;
# - train two networks and what joins them, and compare with intervals by patient;
# - test whether the fusion needs to look around at all.
#
# **You need** notebooks [01](01_attention_scores.ipynb) (query, key, value) and [02](02_squeeze_excitation.ipynb) (intervals, controls). New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # or "brats", "msd", "lgg", with DATA_ROOT the folder of the patients
DATA_ROOT = None

# %%
import math

import torch
from IPython.display import display
from torch import nn
from torch.nn import functional

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.evaluation import mean_interval
from medattn_lite.training import pick_device

SMALL = {"filters": (8, 16, 32), "init_filters": 8, "channels": 8, "rate": 1e-2}
NUMBERS = scale_numbers(
    SCALE,
    smoke={"spacing_mm": 6.0, "n": 24, "window": 24, "tokens": 6, "steps": 70, "head_steps": 50, **SMALL},
    laptop={"spacing_mm": 4.0, "n": 60, "window": 32, "tokens": 8, "steps": 250, "head_steps": 150, **SMALL},
    paper={"spacing_mm": 1.0, "n": 285, "window": 128, "tokens": 16, "steps": 10000, "head_steps": 10000,
           "filters": (32, 64, 128, 256, 320, 320), "init_filters": 16, "channels": 32, "rate": 3e-4},
)
device = pick_device(DEVICE)
torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# [BraTS](glossary.md#brats), the yearly challenge in outlining brain tumours, scores three regions that lie inside each other:
#
# - [WT](glossary.md#whole-tumour), the whole tumour with the swelling around it;
# - [TC](glossary.md#tumour-core), its core, without the swelling;
# - [ET](glossary.md#enhancing-tumour), the part of the core that lights up after contrast agent.
#
# A voxel can be in all three. So a network answers three yes-or-no questions for each voxel, each with its own sigmoid.
#
# Below, two very simple "networks": everything bright in FLAIR, and everything bright in T1 after contrast agent (T1ce).
#
# **Guess before you go on.** Which one would you ask for which region? And what is the average of the two worth?

# %%
from medattn_lite.course import open_fusion_task

task = open_fusion_task(NUMBERS, scale=SCALE, data=DATA, root=DATA_ROOT, seed=SEED)
test_rows = task.rows(task.splits()[0], "test").tolist()
train_rows = sorted({*range(len(task.subjects))} - {*test_rows})  # rows are patients; none is on both sides
print(f"{len(train_rows)} patients to train on, {len(test_rows)} to test; regions {', '.join(task.regions)}")

# %%
from medattn_lite.data import normalise, open_dataset, tumour_regions

fine = {"n": NUMBERS["n"], "shape": (78, 96, 78), "spacing_mm": 2.0, "task": "segmentation", "seed": SEED}
dataset = open_dataset(DATA, DATA_ROOT, **(fine if DATA == "phantom" else {}))
largest = max(range(len(task.masks)), key=lambda row: int(task.masks[row][-1].sum()))
sample = dataset[dataset.subjects.index(task.subjects[largest])]  # the same person, in finer voxels
image, regions = normalise(sample["image"]), tumour_regions(sample["mask"], task.regions).bool()  # (C, …), (R, …)
after = "t1ce" if "t1ce" in task.channels else task.channels[-1]


def bright(picture, name):  # (C, D, H, W) → (D, H, W)
    return picture[task.channels.index(name)] > (1.2 if name == "flair" else 0.8)  # 1: a quarter of white matter


k = int(regions[-1].sum(dim=(1, 2)).argmax())  # the slice with most of the innermost region
contrasts = [image[task.channels.index(name), k] for name in ("flair", after)]
rules = [bright(image, name)[k].float() for name in ("flair", after)]
plots.show(plots.picture_table(
    [[*contrasts, *rules]] * len(task.regions), names=list(task.regions), outlines=regions[:, k], maps_from=2,
    columns=["flair", after, "flair > 1.2", f"{after} > 0.8"], map_label="1: found",
    alt="A slice in two contrasts, and what two simple rules find in it; the regions outlined, one per row."))

# %% [markdown]
# *Figure 07.1.* One slice, its true regions outlined, one per row (yellow), and what the two rules find. The heads are synthetic, unless `DATA` names real patients.
#
# The FLAIR rule finds what is bright, tumour and other tissue, and cannot tell the parts. The T1ce rule finds much of the bright ring and knows nothing of the swelling around it. Each is blind where the other sees.
#
# Their **average** is 1 where both say yes, ½ where one does, 0 elsewhere. A threshold makes "both" of it or "either", the same for every region. To do better, one must know *which network* to trust, *where*, and for *which region*. That is what a fusion network learns.

# %% [markdown]
# ## 2 · Two scores by hand
#
# "Better" needs a number. Take a pencil. Twelve voxels of 1 mm in a row; the truth is voxels 2, 3, 4, 5. Two answers: **shifted** says 3, 4, 5, 6; **speck** says 2, 3, 4, 5 and 11.
#
# - **Dice** is twice the overlap, divided by the sum of both sizes. 1 is perfect.
# - The **Hausdorff distance** is the longest walk from a voxel of the one to the nearest voxel of the other, in both directions. 0 mm is perfect.
#
# Which answer is better by the first, and which by the second?

# %%
truth = {2, 3, 4, 5}


def walks(here, there):
    """For each voxel of the one, the way to the nearest voxel of the other."""
    return [min(abs(i - j) for j in there) for i in here]


for name, answer in (("shifted", {3, 4, 5, 6}), ("speck", {2, 3, 4, 5, 11})):
    dice = 2 * len(answer & truth) / (len(answer) + len(truth))
    to_truth, to_answer = walks(answer, truth), walks(truth, answer)
    print(f"{name:8} Dice {dice:.2f}   walks {to_truth} and {to_answer}   Hausdorff {max(to_truth + to_answer)} mm")

# %% [markdown]
# They disagree. Dice likes the speck, which costs one voxel. Hausdorff does not: by this outline, tissue 6 mm away from the tumour is tumour.
#
# A single stray voxel should not decide everything, so the usual score leaves the farthest 5 % of the walks out: the **95 % Hausdorff distance**, HD95. It walks between *surfaces*, since the inside of two masks says little about their border.
#
# And **empty masks**? Many tumours have no enhancing part. BraTS' rule: both empty, Dice 1 and 0 mm; one of them empty, Dice 0 and the diagonal of the whole image.

# %%
from medattn_lite.evaluation import dice, hausdorff95


def scores_of(answer, truth, spacing):
    both, extra, missed = (answer & truth).sum(), (answer & ~truth).sum(), (truth & ~answer).sum()
    distance = hausdorff95(answer.numpy(), truth.numpy(), spacing_mm=spacing)
    return f"Dice {float(dice(both.numpy(), extra.numpy(), missed.numpy())):.2f}   HD95 {distance:5.1f} mm"


whole = regions[0, k]  # (H, W), voxels of 2 mm in a phantom
tiny, speck = whole.clone(), whole.clone()
tiny[12, 40], speck[10:16, 38:44] = True, True
answers = {"right": whole, "shifted": whole.roll(2, 1), "one stray voxel": tiny, "a stray blob": speck,
           "half": whole & (whole.cumsum(0) < whole.sum(0) / 2), "nothing": whole & False}
for name, answer in answers.items():
    print(f"{name:18}{scores_of(answer, whole, (2.0, 2.0))}")
plots.show(plots.picture_table(
    [[answer.float() for answer in answers.values()]], columns=list(answers), outlines=[whole], maps_from=0,
    limits=(0, 1), map_label="1: found", alt="Six answers for one tumour, whose true outline is drawn over each."))

# %% [markdown]
# *Figure 07.2.* One tumour (outlined) and six answers. A single stray voxel is forgiven by both scores. A stray blob costs little in Dice and much in HD95. So a paper that prints Dice alone, as this one does, leaves a question open.
#
# ## 3 · Fusion by hand
#
# Now the real thing, with four voxels in a row and one channel. The first network answers at voxels 1 and 2, the second at 2 and 3.
#
# **Early fusion** makes a block's answer from both maps (here: "only where both speak"), adds a shortcut (half of each), and takes the mean with the two maps themselves. Compute $V$ for each voxel.

# %%
n1 = torch.tensor([0.0, 3.0, 3.0, 0.0])  # (N,): what the first network says at four voxels
n2 = torch.tensor([0.0, 0.0, 3.0, 3.0])  # what the second one says
block = (n1 + n2 - 3).relu()  # only where both speak
early = block + 0.5 * (n1 + n2)  # and the shortcut
value = (early + n1 + n2) / 3
torch.set_printoptions(precision=2, sci_mode=False)
print("block", block, "\nearly", early, "\nV    ", value)

# %% [markdown]
# **Global fusion** is the attention of notebook 01. The *query* of a voxel comes from the first network, the *keys* from the second, the *values* are $V$: "I found something here. Where did you find something like it? Then tell me what we both think of that place." One more thing is new: the result is **multiplied** by $V$.
#
# **Local attention** is a small [residual block](glossary.md#residual-block): what stands out against its neighbours is added. (By the words of notebook 01 it is not attention: no place looks at another. The name is the paper's.)
#
# Guess first: what will voxel 3 ask for, and what does it get?

# %%
scores = n1[:, None] * n2[None, :] / math.sqrt(1)  # (N, N): row = who asks, column = who is asked
weights = scores.softmax(dim=1)
context = weights @ value  # (N,)
fused = context * value
print("weights", weights, sep="\n")
print("context", context, "\nG      ", fused)

contrast = functional.conv1d(functional.gelu(fused)[None, None], torch.tensor([[[-1.0, 2.0, -1.0]]]), padding=1)[0, 0]
print("L      ", fused + 0.5 * functional.gelu(contrast))  # GELU: a ReLU with a soft corner

# %% [markdown]
# Voxels 1 and 2 ask, and find 2 and 3. Voxel 3 has nothing to ask with: its query is 0, all scores are equal, and it gets the **mean of everything**. Only the second network has seen it, and only the first may ask. (Swap `n1` and `n2` in the first line, and voxel 1 has the empty query.)
#
# Look at voxel 0: whatever the context is, the product with $V = 0$ keeps it at 0. And look at the sizes: $V$ goes up to 4, $G$ up to 11. The product makes the result grow with the **square** of $V$. Keep that in mind for section 11.

# %% [markdown]
# ## 4 · From loops to a module
#
# $F_1, F_2$ are the last [feature maps](glossary.md#feature-map) of the two networks. $f_n$ is a convolution with a kernel of $n$ in each direction, and $[a\,;\,b]$ lays channels side by side. A plain $f$ is the number of channels inside; $\otimes$ multiplies number by number.
#
# $$N_1 = f_1(F_1), \quad N_2 = f_1(F_2) \tag{07.1}$$
# $$E = f_3 f_1 f_3\,[N_1; N_2] + f_1[N_1; N_2], \quad V = (E + N_1 + N_2)/3 \tag{07.2}$$
# $$A_{ij} = \mathrm{softmax}_j\big(N_1^{(i)} \cdot N_2^{(j)} / \sqrt f\big) \tag{07.3}$$
# $$G_i = \Big(\sum_j A_{ij} V_j\Big) \otimes V_i \tag{07.4}$$
# $$L = f_1 f_3 f_1\,G + G \tag{07.5}$$
# $$\text{logits} = f_1\,L \tag{07.6}$$
#
# Between the convolutions stand [ReLUs](glossary.md#relu) in (07.2) and [GELUs](glossary.md#gelu) in (07.5). Each letter $i$ or $j$ is a voxel. First (07.3) and (07.4) with loops, then without: `flatten(2)` lays all voxels in one row, and `transpose` puts the channels last, so that each voxel is a vector. (`reshape` would give the same *shape* and other numbers; section 11 shows it.)

# %% tags=["slide"]
def global_fusion_loop(q, k, v):  # three (f, N)
    channels, places = q.shape
    out = torch.empty_like(v)
    for i in range(places):  # who asks
        products = [sum(float(q[c, i] * k[c, j]) for c in range(channels)) for j in range(places)]  # j: who is asked
        scores = [product / math.sqrt(channels) for product in products]
        shares = [math.exp(score - max(scores)) for score in scores]
        for c in range(channels):
            context = sum(share * float(v[c, j]) for j, share in enumerate(shares)) / sum(shares)  # (07.3)
            out[c, i] = context * v[c, i]  # (07.4)
    return out


def global_fusion(q, k, v):  # three (B, f, D, H, W)
    queries, keys, values = (x.flatten(2).transpose(1, 2) for x in (q, k, v))  # (B, N, f)
    scores = queries @ keys.transpose(1, 2) / math.sqrt(q.shape[1])  # (B, N, N)
    weights = scores.softmax(dim=-1)  # (07.3)
    context = weights @ values  # (B, N, f)
    return context.transpose(1, 2).reshape(v.shape) * v  # (07.4): (B, f, D, H, W)


q, k3, v = (torch.randn(1, 3, 2, 3, 2) for _ in range(3))
by_loops = global_fusion_loop(*(x[0].flatten(1) for x in (q, k3, v)))  # (f, N)
torch.testing.assert_close(global_fusion(q, k3, v)[0].flatten(1), by_loops)
print("loop and vectorised agree")

# %% tags=["slide", "define:MyDualFusion"]
class MyDualFusion(nn.Module):
    def __init__(self, in_channels, channels, regions):
        super().__init__()
        f = channels
        self.first, self.second = (nn.Conv3d(count, f, 1) for count in in_channels)
        self.block = nn.Sequential(nn.Conv3d(2 * f, f, 3, padding=1), nn.ReLU(), nn.Conv3d(f, f, 1), nn.ReLU(),
                                   nn.Conv3d(f, f, 3, padding=1))
        self.shortcut = nn.Conv3d(2 * f, f, 1)
        self.local = nn.Sequential(nn.Conv3d(f, f, 1), nn.GELU(), nn.Conv3d(f, f, 3, padding=1), nn.GELU(),
                                   nn.Conv3d(f, f, 1))
        self.head = nn.Conv3d(f, regions, 1)

    def forward(self, f1, f2):  # (B, f₁, D, H, W), (B, f₂, D, H, W)
        n1, n2 = self.first(f1), self.second(f2)  # (07.1): (B, f, D, H, W)
        joined = torch.cat([n1, n2], dim=1)  # (B, 2f, D, H, W)
        early = self.block(joined) + self.shortcut(joined)  # (B, f, D, H, W)
        value = (early + n1 + n2) / 3  # (07.2)
        fused = global_fusion(n1, n2, value)  # (07.3), (07.4)
        local = self.local(fused) + fused  # (07.5)
        return self.head(local)  # (07.6): (B, R, D, H, W)


print("logits:", tuple(MyDualFusion((5, 3), 4, 3)(torch.randn(1, 5, 4, 6, 5), torch.randn(1, 3, 4, 6, 5)).shape))

# %% [markdown]
# ## 5 · Does it equal the real thing?
#
# The paper's code is not public, so there is nothing of the authors' to compare with. Two things remain: the attention inside must equal torch's `scaled_dot_product_attention`, and your module the package's class, which is tested part by part. Outputs **and** gradients.

# %%
from medattn_lite.attention import DualFusionAttention
from medattn_lite.networks import dual_fusion

q, k3, v = (torch.randn(2, 4, 3, 5, 4) for _ in range(3))
torchs = functional.scaled_dot_product_attention(*(x.flatten(2).transpose(1, 2) for x in (q, k3, v)))  # (B, N, f)
torch.testing.assert_close(global_fusion(q, k3, v), torchs.transpose(1, 2).reshape(v.shape) * v)

mine, package = MyDualFusion((5, 3), 4, 3), DualFusionAttention((5, 3), channels=4, token_grid=None)
package.load_state_dict(dict(zip(package.state_dict(), mine.state_dict().values(), strict=True)))
f1, f2 = torch.randn(2, 5, 4, 6, 5, requires_grad=True), torch.randn(2, 3, 4, 6, 5)
gradients = [torch.autograd.grad(head(f1, f2).square().sum(), f1)[0] for head in (mine, package)]
torch.testing.assert_close(mine(f1, f2), package(f1, f2))
torch.testing.assert_close(*gradients)
print("equal to torch's attention, and to the package: output and gradient")
with torch.device("meta"):  # shapes without numbers: counting costs nothing
    network = dual_fusion()
record("parameters, both networks and the head", sum(p.numel() for p in network.parameters()))
record("parameters of the head alone", sum(p.numel() for p in network.head.parameters()))
plots.show(plots.data_flow("dual fusion"))

# %% [markdown]
# *Figure 07.3.* The head, a third of one per cent of all parameters. What the paper leaves open, and how it is read here:
#
# | question | reading | the other |
# |---|---|---|
# | who asks? | DynUNet | `swap_query_key=True` |
# | "element-wise multiplication" | times $V$ | `residual="add"` |
# | do the networks go on learning? | no: "pre-trained" | `frozen=False` |
# | SegResNet's "last feature map" | behind its norm: section 11 | `normalised=False` |
# | every voxel, at 128³? | a grid of tokens: section 6 | `token_grid=None` |
#
# ## 6 · Sixteen tebibytes
#
# The paper trains on windows of 128×128×128 voxels, and the attention is "at every voxel". With a pencil: how many voxels, how many pairs of voxels, how many bytes at four bytes per number? (128 is $2^7$.)

# %%
voxels = 128**3  # 2^7 three times: 2^21
record("voxels", voxels)
record("one map A, every voxel with every voxel", 4 * voxels**2 / 2**40, "TiB")
record("multiplications for the scores and the context", 2 * voxels**2 * 32 / 1e12, "× 10¹²")
record("side of the largest cube whose map fits into 16 GB", int(math.sqrt(16e9 / 4) ** (1 / 3)))

# %% [markdown]
# $2^{21}$ voxels, $2^{42}$ pairs, $2^{44}$ bytes: **16 TiB** for one image, one head, before any gradient. No single GPU holds that. The paper does not say how it was done. Two ways are known.
#
# **Exact, in blocks.** A row of $A$ needs no other row. So take some queries, make their rows, use them, forget them. Torch's fused kernel does so over keys as well, and never writes a map at all. Memory shrinks, the work stays.
#
# **A grid of tokens.** Average the volume down to, say, 16×16×16 [tokens](glossary.md#token), let those look at each other, and interpolate the result back. Memory and work shrink, and it is **another function**.

# %%
from medattn_lite.attention import GlobalFusion
from medattn_lite.course import compare_on_cubes


def in_blocks(q, k, v, block=256):
    queries, keys, values = (x.flatten(2).transpose(1, 2) for x in (q, k, v))  # (B, N, f)
    scaled = keys.transpose(1, 2) / math.sqrt(q.shape[1])  # (B, f, N)
    context = [(some @ scaled).softmax(dim=-1) @ values for some in queries.split(block, dim=1)]  # (B, block, f) each
    return torch.cat(context, dim=1).transpose(1, 2).reshape(v.shape) * v


ways = {"whole map": global_fusion, "blocks of queries": in_blocks, "torch's kernel": GlobalFusion(token_grid=None),
        "tokens, 8×8×8": GlobalFusion(token_grid=8)}
sides = (8, 12, 16) if SCALE == "smoke" else (8, 12, 16, 20, 24)
costs = compare_on_cubes(ways, sides, channels=32)  # name → cost at each side; prints those of the largest
plots.show(plots.lines(sides, {name: [cost.mebibytes for cost in each] for name, each in costs.items()},
                       xlabel="side of the cube (voxels)", ylabel="peak memory (MiB)", log_y=True))
times = (voxels / sides[-1] ** 3) ** 2  # the work grows with the square of the voxels
record("torch's kernel at 128³, extrapolated from this computer", costs["torch's kernel"][-1].seconds * times / 3600, "hours")
record("tokens, 16×16×16: share of the exact work", 100 * (16**3 / voxels) ** 2, "%")

# %% [markdown]
# *Figure 07.4.* Memory alive at the highest point, counted tensor by tensor (32 channels, batch of one, on the processor). The table above it: the largest cube, also with a backward pass.
#
# - **Exact fits.** Blocks and torch's kernel give the same numbers as the whole map. What they do not save is time: the work grows with the square of the voxels, and 128³ takes hours here.
# - **Blocks save less in training.** The backward pass wants every block's weights again, and they are kept. Torch's kernel computes them anew.
# - **Tokens are cheap and not the same.** Random numbers, as here, are the worst case: neighbours have nothing in common. Section 10 asks what a trained network makes of it.

# %% [markdown]
# ## 7 · Your turn
#
# ### Exercise 07.1 · Dice by region
#
# *5 minutes, easy.* One Dice per region, with the rule for empty masks. You may leave an exercise for later: the notebook goes on without it.
#
# <details><summary>Hint 1</summary>Regions are axis 0 and stay. <code>predicted &amp; wanted</code> is true where both are; its sum is the overlap.</details>
# <details><summary>Hint 2</summary><code>.flatten(1).sum(1)</code> counts the voxels of each region. For the empty ones, <code>torch.where(sizes > 0, 2 * both / sizes, 1.0)</code>.</details>

# %% tags=["exercise"]
def dice_by_region(predicted, wanted):
    """Two masks (R, D, H, W) of True and False; returns (R,); 1 where both are empty."""
    ### BEGIN SOLUTION
    both = (predicted & wanted).flatten(1).sum(1)  # (R,)
    sizes = predicted.flatten(1).sum(1) + wanted.flatten(1).sum(1)  # (R,)
    return torch.where(sizes > 0, 2 * both / sizes, 1.0)
    ### END SOLUTION


# %%
check("07-dice", dice_by_region)

# %% [markdown]
# ### Exercise 07.2 · exact attention in blocks of keys
#
# *20 minutes, needs thought.* Blocks of queries still need all keys at once. Go over the **keys** block by block, as torch's kernel does. The catch: the softmax's sum runs over *all* keys.
#
# <details><summary>Hint 1</summary>A softmax is a weighted sum divided by a sum of weights, exp(score). Both can be added up block by block; divide once, at the end. Against overflow, subtract the largest score so far.</details>
# <details><summary>Hint 2</summary>Keep the largest score so far, <code>top</code>, one per query. When a block raises it to <code>new_top</code>, multiply both running sums by <code>exp(top − new_top)</code> before you add the block. Begin with −∞ and zeros.</details>

# %% tags=["exercise"]
def attend_in_key_blocks(query, key, value, block):
    """query (B, N, f), key and value (B, M, f); returns the context (B, N, f), with at most `block` keys at a time."""
    ### BEGIN SOLUTION
    top = torch.full_like(query[:, :, :1], -math.inf)  # (B, N, 1): largest score so far
    total, context = torch.zeros_like(top), torch.zeros_like(query)  # (B, N, 1), (B, N, f)
    for start in range(0, key.shape[1], block):
        some = key[:, start : start + block]  # (B, block, f)
        scores = query @ some.transpose(1, 2) / math.sqrt(query.shape[-1])  # (B, N, block)
        new_top = torch.maximum(top, scores.amax(dim=-1, keepdim=True))
        fade, weights = (top - new_top).exp(), (scores - new_top).exp()
        total = total * fade + weights.sum(dim=-1, keepdim=True)
        context = context * fade + weights @ value[:, start : start + block]
        top = new_top
    return context / total
    ### END SOLUTION


# %%
check("07-blocks", attend_in_key_blocks)

# %% [markdown]
# This is the idea of *FlashAttention*, which made long texts possible for language models. (On a graphics card, the blocks also stay in its small, fast memory.)
#
# ## 8 · Where it must win
#
# A **positive control**. Two scans of one patient are *not aligned*. A patch on scan A is a lesion if scan B shows patches whose fibres run in the **same direction**, wherever they are. Each scan has its own two convolutions; then late fusion, early fusion, or dual fusion. Early fusion compares the two scans at the *same* place, and there is nothing. **Guess** the share of patches judged right; chance is one half.

# %%
from medattn_lite.positive_controls import map_score, object_hits, train_control, without_cue

right = lambda hits: mean_interval(hits.float().mean(1), bounds=(0, 1))  # the share of an image's patches
for kind in ("early", "dual_fusion"):
    run = train_control("two-scans", kind, seed=SEED, scale=SCALE)
    record(f"control: patches judged right, {kind}", right(run.right))
plots.show(plots.picture_table([[*run.test.images[0], (run.test.objects[0] == 2).float()]], maps_from=2, map_label="1: lesion",
                               columns=["scan A", "scan B", "lesions on A"], alt="Two scans with patches, and the lesions."))
print("the map:", map_score(run))

# %% [markdown]
# *Figure 07.5.* One test image of the control. The last line: how much of a patch's weight lies on those of its direction, and how much would by chance. (Where dual fusion is at chance, too, try another `SEED`.)
#
# ### Exercise 07.3 · near places only
#
# *10 minutes, changes the experiment.* Let each token look only at tokens at most `reach` steps away along each axis, and share its whole among those. `steps_apart(grid)` gives the steps from each place to each, (d, h, w, d, h, w). How far must one see?
#
# <details><summary>Hint 1</summary>Set far weights to 0; then each query's must sum to 1 again.</details>
# <details><summary>Hint 2</summary>The keys are axes 4, 5 and 6.</details>

# %% tags=["exercise"]
from medattn_lite.course.exercises import steps_apart


def near_places(affinity, reach):
    """affinity (B, d, h, w, d, h, w): queries, then keys; returns the same shape."""
    ### BEGIN SOLUTION
    near = affinity * (steps_apart(affinity.shape[1:4]).to(affinity.device) <= reach)
    return near / near.sum(dim=(4, 5, 6), keepdim=True).clamp(min=1e-9)
    ### END SOLUTION


# %%
check("07-near-places", near_places)

# %%
from medattn_lite.course.exercises import near_only
from medattn_lite.explain import under_edits

mine = near_places if check("07-near-places", near_places).passed else near_only
flat = lambda a, reach: mine(a[:, None, :, :, None], reach)[:, 0, :, :, 0]  # (B, h, w, h, w): one slice of a volume
EDITS = {"unchanged": lambda a: a} | {f"reach {r}": lambda a, r=r: flat(a, r) for r in (0, 2, 7)}
on_control = under_edits(run.network, EDITS, lambda: right(object_hits(run.network, run.test)), kind="voxel×voxel")
plots.show(plots.forest(on_control | {"no cue": right(object_hits(run.network, without_cue(run)))},
                        label="share of patches judged right", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 07.6.* How far one must see: unchanged weights; a reach of 0, 2 and 7 tokens of 4×4 pixels (your function; until it is right, the package's); scan B without its patches. (A small U-Net sees that far, too: [the positive controls](../figures/positive_controls.md). Other tasks: [the comparison](../figures/mechanisms.md).)
#
# ## 9 · Train: two networks, then what joins them
#
# DynUNet and SegResNet are trained alone, with the [Dice loss](glossary.md#dice-loss), on random windows. Then they are **frozen**, and only the fusion learns. Whole heads are predicted by [sliding windows](glossary.md#sliding-window). Patients are split; one third is tested. At `smoke` this is a rehearsal: voxels of 6 mm.

# %%
from medattn_lite.networks import DualFusionNet, dynunet, segresnet
from medattn_lite.training import train_side_by_side

torch.manual_seed(SEED)
io = {"in_channels": len(task.channels), "num_classes": len(task.regions)}
first = dynunet(filters=NUMBERS["filters"], **io).to(device)
second = segresnet(init_filters=NUMBERS["init_filters"], normalised=True, **io).to(device)
alone, how = {"DynUNet": first, "SegResNet": second}, {"learning_rate": NUMBERS["rate"], "device": device, "seed": SEED}
histories = train_side_by_side(task, alone, train_rows, steps=NUMBERS["steps"], **how)  # on the same windows

# %% [markdown]
# Now four fusion heads on their frozen maps:
#
# - **early fusion**: two 1×1×1 convolutions on both maps, what the paper compares with;
# - **dual fusion**, and the same from a **second seed**;
# - **DynUNet twice**: the dual fusion head on DynUNet's map and itself. A head adds layers and training of its own. This control has both, and no second network.
#
# **Late fusion** is the mean of the two probabilities; nothing is learned. The last layer of each head starts at 0, so that every probability begins at one half (section 11 says why).

# %%
def join(kind, *pair, **options):
    network = DualFusionNet(*pair, fusion=kind, channels=NUMBERS["channels"], **options).to(device)
    nn.init.zeros_(network.head.head.weight)
    nn.init.zeros_(network.head.head.bias)
    return network


def last_maps(images):
    with torch.no_grad():  # frozen: computed once for all fusions
        f1, f2 = first.features(images), second.features(images)  # (B, f₁, D, H, W), (B, f₂, D, H, W)
    return {name: (f1, f1 if name == "DynUNet twice" else f2) for name in fusions}


tokens = {"token_grid": NUMBERS["tokens"]}
fusions = {"early fusion": join("early", first, second)}
fusions |= {name: join("attention", first, second, **tokens) for name in ("dual fusion", "dual fusion, second seed")}
fusions["DynUNet twice"] = join("attention", first, first, **tokens)
heads = {name: network.head for name, network in fusions.items()}
histories |= train_side_by_side(task, heads, train_rows, steps=NUMBERS["head_steps"], inputs=last_maps, **how)
networks = alone | {"late fusion": DualFusionNet(first, second, fusion="late")} | fusions
plots.show(plots.training_curve(histories))

# %% [markdown]
# *Figure 07.7.* The loss on training windows, 1 − soft Dice. Which curves are still falling when the training ends?
#
# Now the test patients. Two **controls** need no network: the two *rules* of figure 07.1 (FLAIR for WT, T1ce for TC and ET), and the answer *nothing*. Guess what Dice "nothing" will get for ET.

# %%
from medattn_lite.course import compare_answers, score_answers


def rules_of(row):
    return torch.stack([bright(task.images[row], "flair" if name == "WT" else after) for name in task.regions])


answers = {"control: rules": rules_of, "control: nothing": lambda row: torch.zeros_like(task.masks[row]).bool()}
for name, network in networks.items():
    network.eval()
    answers[name] = lambda row, network=network: task.segment(network, row, device)
predicted, results = score_answers(task, answers, test_rows)  # "WT Dice", … → value and interval
shown = {f"{region}, {name}": scores[f"{region} Dice"] for region in task.regions for name, scores in results.items()
         if name not in ("control: nothing", "dual fusion, second seed")}
plots.show(plots.forest(shown, label="Dice on test patients"))
pairs = [("dual fusion", other) for other in ("late fusion", "early fusion", "DynUNet twice")]
gains = compare_answers(task, predicted, [*pairs, ("dual fusion, second seed", "dual fusion")])
plots.show(plots.forest(gains, label="difference in Dice", reference=0.0))
for name, gain in gains.items():
    record(name, gain)
below = [name for name in networks if results[name]["WT Dice"].value < results["control: rules"]["WT Dice"].value]
print("below the two rules in WT Dice, so NOT trained enough for any verdict:", ", ".join(below) or "none")

# %% [markdown]
# *Figures 07.8 and 07.9.* Dice on the test patients, and differences, with 95 % [intervals](glossary.md#interval) where patients are enough. Read in this order:
#
# - **nothing, for ET** gets as much as there are test patients without enhancing tumour (at `smoke`: none). Ask of any mean Dice what an empty answer would score.
# - **rules**: a network that does not beat a threshold has learned little. At `smoke` that happens.
# - **second seed − dual fusion**: what another start did, once. A gain of that size is no finding.
# - **dual − DynUNet twice**: what the *second network* adds. **dual − early**: what looking around and a deeper head add. **dual − late**: both, and the training.
#
# Then Dice and HD95 in the table: the same winner?

# %% [markdown]
# ## 10 · Look
#
# The test patient with the largest tumour first. **Choose a voxel and see where it looks**: the row of $A$ that belongs to its token, in a window of the head. A weight is given as a multiple of an even share, 1 over the number of tokens. Try a voxel in the tumour, one in healthy brain, one in the air. Do they look at different places?

# %%
from medattn_lite.data import crop_around
from medattn_lite.widgets import affinity_explorer

shown = max(test_rows, key=lambda row: int(task.masks[row][0].sum()))
spacing = task.spacings[shown] or (1.0, 1.0, 1.0)  # (D, H, W) in mm
people = [{"image": task.images[row].float(), "mask": task.masks[row][:1]} for row in [shown, *test_rows][:4]]
windows = {key: torch.stack([crop_around(one, task.settings.size)[key] for one in people]) for key in ("image", "mask")}
display(affinity_explorer({"dual fusion": fusions["dual fusion"].cpu()}, windows["image"], masks=windows["mask"],
                          channels=task.channels, spacing=spacing, title="window"))

# %% [markdown]
# *Figure 07.10.* Where one voxel looks, tumour outlined. Left: how much each axial slice looks at each other one.
#
# Now the limited view of exercise 07.3, on the trained fusion network, unchanged but for its weights. *Wrong places* lets each query look where its mirror image in all three directions should.

# %%
from medattn_lite.explain import edited_maps
from medattn_lite.training.tasks import overlap_differences

edits = {"its own token only": lambda a: mine(a, 0), "one step around": lambda a: mine(a, 1),
         "even, everywhere": lambda a: torch.full_like(a, 1 / a[0, 0, 0, 0].numel()),
         "wrong places": lambda a: a.flip((4, 5, 6))}
dice_only = {name: measure for name, measure in task.measures.items() if "Dice" in name}
model, lost = fusions["dual fusion"].to(device), {}
for name, edit in edits.items():
    with torch.no_grad(), edited_maps(model, edit, kind="voxel×voxel"):
        seen = [task.measured(task.segment(model, row, device), row, distances=False) for row in test_rows]
    lost[name] = overlap_differences(seen, predicted["dual fusion"], dice_only)
lost = {f"{region}: {name}": difference[f"{region} Dice"] for region in task.regions for name, difference in lost.items()}
plots.show(plots.forest(lost, label="Dice, minus that with unchanged weights", reference=0.0))
for name, difference in lost.items():
    record(f"Dice with other weights, {name}", difference)

# %% [markdown]
# *Figure 07.11.* What the trained network loses when it looks elsewhere. Compare with figure 07.6. If **its own token** is as good, it need not look around at all: global fusion is a product of $V$ with itself, and the map of 16 TiB is not needed here. If **even** is as good, a mean over the window does: notebook 02's squeeze, times $V$. If **wrong places** are much worse, it matters where it looks.
#
# ## 11 · What goes wrong
#
# All of these run. *Sums*: of a query's weights, lowest and highest. *Looks at*: how many places. *Follows*: if the slices are shuffled, is the result shuffled alike (0: yes)? *Size ÷ V*: the spread of the result against that of $V$.

# %%
from medattn_lite.course import print_symptoms


def attend(q, k, v, axis=-1, scale=True, tokens=lambda x: x.flatten(2).transpose(1, 2), join=torch.mul):
    queries, keys, values = (tokens(x) for x in (q, k, v))  # (B, N, f)
    scores = queries @ keys.transpose(1, 2) / (math.sqrt(q.shape[1]) if scale else 1)
    weights = scores.softmax(dim=axis)
    return weights, join((weights @ values).transpose(1, 2).reshape(v.shape), v)


q, k3, v = (torch.randn(1, 16, 6, 6, 6) for _ in range(3))
variants = {  # what each does otherwise; `v` and `k` are inputs, the rest arguments of `attend`
    "right": {},
    "softmax over the queries": {"axis": 1},
    "not divided by √f": {"scale": False},
    "reshape, not transpose": {"tokens": lambda x: x.reshape(len(x), -1, x.shape[1])},
    "added, not multiplied": {"join": torch.add},
    "V ten times larger": {"v": 10 * v},
    "keys ten times larger": {"k": 10 * k3},
}
print_symptoms(attend, variants, q=q, k=k3, v=v)

# %% [markdown]
# | variant | symptom |
# |---|---|
# | softmax over the queries | the weights of a query do not sum to 1 |
# | not divided by √f | looks at far fewer places |
# | reshape, not transpose | does not follow |
# | added, not multiplied | the size alone tells; compare with (07.4) |
# | $V$ ten times larger | ten times the size ÷ V: it grows with the square |
# | keys ten times larger | looks at one or two places |
#
# The last two **happen**: SegResNet ends in norm, ReLU and a convolution. Is its "last feature map" the one before the norm, or behind it? Before it, nothing limits the size of the map's values. Guess what an untrained head makes of both, and a Dice loss of a region that begins as "everywhere".

# %%
from medattn_lite.training import RegionDiceLoss

raw = segresnet(init_filters=NUMBERS["init_filters"], normalised=False, **io).to(device)
raw.load_state_dict(second.state_dict())  # the same network; its map is taken before the norm
for name, network in (("behind its norm", second), ("before its norm", raw)):
    untrained = DualFusionNet(first, network, channels=NUMBERS["channels"], **tokens).to(device)
    with torch.no_grad():
        logits = untrained(windows["image"].to(device))
    record(f"largest logit of an untrained head, SegResNet's map {name}", logits.abs().max())

small = windows["mask"][:1].float()  # (1, 1, D, H, W): one tumour in its window
losses = {"Dice": RegionDiceLoss(), "cross-entropy": functional.binary_cross_entropy_with_logits}
for start in (0.0, -10.0, 10.0, 20.0):
    logits = torch.full_like(small, start, requires_grad=True)  # the same everywhere
    pulls = [float(torch.autograd.grad(loss(logits, small), logits)[0].norm()) for loss in losses.values()]
    print(f"every logit {start:+5.0f}: " + ", ".join(
        f"gradient of {name} {pull:.1e}" for name, pull in zip(losses, pulls, strict=True)))

# %% [markdown]
# At ±10 the sigmoid is flat, and so is the Dice gradient: a region that begins as "everywhere" or "nowhere" stays there. [Cross-entropy](glossary.md#cross-entropy) still pulls at what is wrong. Hence the zeros in the last layer.
#
# So which map? Behind minus before the norm, three seeds, 60 earlier phantoms: WT Dice 0.026, −0.113, 0.560 ([results](../figures/results.md)). Three trainings disagree even about the sign, so nothing is decided.
#
# ## 12 · What the paper says, and what we found
#
# The paper's gain of dual over early fusion is 0.010 in WT, without an interval. How many patients would a study need to find 0.010 with a *power* of 80 %? (1.96 for the interval, 0.84 for the power; 1.96 alone misses it every second time.)

# %%
from medattn_lite.training.recipes import find_recipe

printed = find_recipe("fusion").published
for one, other in (("Late fusion", "DynUNet"), ("Early fusion", "Late fusion"), ("Dual fusion", "Early fusion")):
    print(f"printed, {one} − {other}:", *(f"{score} {float(printed[one][score]) - float(printed[other][score]):+.3f}"
                                          for score in printed[one]))
by_patient = [task.details(predicted[name])["dice_by_patient"] for name in ("dual fusion", "early fusion")]
apart = torch.tensor([by_patient[0][p]["WT"] - by_patient[1][p]["WT"] for p in by_patient[0]])
record("spread over patients of dual − early, WT", apart.std())
record("patients needed to find a gain of 0.010 in 80 % of studies", math.ceil(((1.96 + 0.84) * float(apart.std()) / 0.010) ** 2))

# %% [markdown]
# | claim | what we found |
# |---|---|
# | attention "at every voxel" of 128³ | 16 TiB if written down; possible in blocks; the paper does not say how it was done |
# | [Adam](glossary.md#optimiser) with a learning rate of "3e-1" | a misprint; read as 3e-4 |
# | "The early fusion gave results better than the late fusion" | in its own table not for TC: 0.799 against 0.817 |
# | fusion uses "mutual benefits" | late fusion made ET worse than DynUNet alone: 0.739 against 0.775 |
# | "the best results comparing to related works" | in its own table not for ET: 0.778 against 0.791 |
# | dual fusion beats early fusion | by 0.010, 0.042 and 0.018; one training, 57 patients (or 66), no interval |
# | attention learns the "context" | figures 07.6 and 07.11 |

# %% [markdown]
# The patients on whom training stopped seem to be those that are scored, and nobody trained a head without attention: the gain may be the head's.
#
# The whole [recipe](glossary.md#recipe) on 100 phantoms of an earlier version (`medattn train fusion --scale laptop`), then with SegResNet's map before its norm, is in the [results](../figures/results.md). Dual − early: WT Dice −0.047 [−0.062, −0.030], TC −0.007 [−0.020, 0.005], ET −0.018 [−0.030, −0.008]. Its HD95 for WT was shorter by 17 mm (interval 6 to 29): it removed stray blobs and lost overlap. Tested on 20 synthetic heads, trained once: no verdict on the method.
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "A window of 64×64×64 voxels, attention at every voxel, four bytes per number. How large is the map?",
        ["256 GiB", "1 MiB", "8 TiB"],
        "256 GiB",
        ["Yes: 2^18 voxels, 2^36 pairs, 2^38 bytes. Half the side is an eighth of the voxels, a 64th of the map.",
         "That is one number per voxel; the map has one for each pair.",
         "Half of 16 TiB would be half the pairs. Half the side is an eighth of the voxels."],
    ),
    Question(
        "Two networks: Dice 0.91 and HD95 62 mm, Dice 0.89 and HD95 4 mm. What do you suspect of the first?",
        ["It misses half of the tumour", "It finds a blob far from the tumour", "Its outline is a voxel too wide"],
        "It finds a blob far from the tumour",
        ["Then Dice would be near 0.67.", "Yes. It costs few voxels and a long walk. Look at the pictures.",
         "That costs Dice, and only a few millimetres."],
    ),
    Question(
        "You go over the keys in blocks and take a softmax inside each block. What comes out?",
        ["The exact context", "A mean of context and noise", "Each block hands out a whole of its own"],
        "Each block hands out a whole of its own",
        ["A key that nobody wants would still get a share in a block of unwanted keys.",
         "There is no noise in it; it is wrong in the same way each time.",
         "Yes. Keep the sum of the exponentials over all blocks, and divide once, at the end."],
    ),
])

# %% [markdown]
# ## Summary
#
# - Three nested regions, each yes or no. Dice counts voxels, HD95 distances; see what an empty answer scores.
# - **Early fusion** mixes two maps voxel by voxel. **Global fusion** is attention, queries from one network and keys from the other, times $V$. **Local attention** is a residual block.
# - Attention over $N$ voxels is a map of $N^2$. Blocks are exact and cost time; tokens are cheap and another function.
# - What the second network adds, and what attention adds, are questions for controls.
#
# **Next:** [08 · Survival](08_survival.ipynb): from where a tumour is to how long a patient lives.
#
# **Read on:** Vo-Thanh et al., *3D Dual-Fusion Attention Network*; Dao et al., *FlashAttention* ([arXiv:2205.14135](https://arxiv.org/abs/2205.14135)); Isensee et al., *nnU-Net* ([arXiv:1904.08128](https://arxiv.org/abs/1904.08128)); Myronenko, SegResNet ([arXiv:1810.11654](https://arxiv.org/abs/1810.11654)). Words: [glossary](glossary.md).
