# %% [markdown]
# # 06 · Non-local and recurrent slice attention: the whole head, for how much?
#
# **50 minutes to read, 25 for the exercises; about a minute to run at `smoke`, 12 at `laptop`.** Difficulty ●●●○
#
# A convolution of 3×3×3 sees 27 voxels. A **non-local block** lets every voxel look at every other one, and pays for it. **Recurrent slice attention** (RSA) of the *RSANet paper* looks at whole slices, along one direction, then the next, then the third: "at least 28×" less memory, "at least 100×" fewer operations.
#
# You will build both, count what they cost, train them to find the lesions of [multiple sclerosis](glossary.md#multiple-sclerosis), and look at what they attend to. The paper's claims are tested; not all of them hold.

# %% [markdown]
# ## At the end you can
# - compute a slice×slice [affinity](glossary.md#affinity) with a pencil, and write [non-local](glossary.md#non-local-block) and [slice attention](glossary.md#slice-attention) in a few lines;
# - say when RSA is cheaper and when it is not, from a count and not from a slogan;
# - explain in how many steps two voxels meet, and how strong what arrives still is;
# - show a task that RSA must win, and destroy the result by editing its weights;
# - recognise a network that has learned the background and finds nothing.
#
# **You need** notebooks [01](01_attention_scores.ipynb) (query, key, value, softmax) and [02](02_squeeze_excitation.ipynb) (intervals, controls). The exercises stand where they are needed, in sections 5, 6 and 10. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # or "open-ms" or "lgg", with DATA_ROOT the folder of the patients
DATA_ROOT = None

# %%
import numpy as np
import torch
from IPython.display import display
from torch import nn
from torch.nn import functional

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.evaluation import mean_interval, paired_mean_interval
from medattn_lite.explain import held_out
from medattn_lite.networks import RSANet, load_trained
from medattn_lite.training import LesionCrossEntropy, pick_device

NUMBERS = scale_numbers(
    SCALE,
    smoke={"spacing_mm": 4.0, "subjects": 16, "size": (8, 12, 12), "network": {"widths": (8, 16)},
           "iterations": 300, "learning_rate": 3e-3},
    laptop={"learning_rate": 1e-3, "weight_decay": 1e-5, "subjects": 60}, paper={},  # otherwise as in the recipe `lesions`
)
torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# Below is a head in FLAIR with its lesions in colour: small, scattered, many of them along the ventricles, the inner chambers full of [fluid](glossary.md#csf). To judge one bright spot it helps to know the rest of the head. Are there others like it? Is there one at the mirrored place?
#
# So let every voxel ask every other one. **Guess before you go on:** the paper speaks of a volume of 512×512×256 voxels. How much memory would the weights take, if each voxel had one for each other voxel?

# %%
from medattn_lite.course import open_lesion_task, row_to_show

task = open_lesion_task(NUMBERS, scale=SCALE, data=DATA, root=DATA_ROOT, seed=SEED)
settings = task.settings
FLAIR, split = task.channels.index("flair"), task.splits()[0]
train_rows, test_rows = (task.rows(split, side).tolist() for side in ("train", "test"))  # by patient
image, mask, edges = row_to_show(task, 0)  # (C, D, H, W), (1, D, H, W), mm
middle = mask[0].nonzero().float().median(0).values.int().tolist()
plots.show(plots.three_planes(image[FLAIR], overlay=mask, spacing=edges, position=middle, title="FLAIR"))

# %% [markdown]
# *Figure 06.1.* One head in three [planes](glossary.md#slice). How many lesions do you count, and how many lie along the dark ventricles? (At `smoke` the network gets voxels of 4 mm; here are 2.) The heads are synthetic, unless `DATA` names real patients.
#
# Now the count. A weight takes 4 bytes. For RSA, one weight for each pair of *slices* along each direction:

# %%
depth, height, width = 256, 512, 512
voxels = depth * height * width
record("non-local: weights of one map", 4 * voxels**2 / 2**50, "PiB")
record("RSA: weights of its three maps", 4 * (depth**2 + height**2 + width**2) / 2**20, "MiB")

# %% [markdown]
# That is 18 *million* gigabytes against a photograph. So nobody computes the first at full size: non-local blocks sit deep in a network, where the volume is small. Whether RSA is still cheaper *there* is the question of section 5.
#
# ## 2 · By hand
#
# Three slices of two voxels, one channel. A slice is a **row** of numbers: query, key and value in one.
#
# 1. **Scores**: each slice times each, number by number, added up.
# 2. **Weights**: softmax along each row. (You need $e^0 = 1$, $e^1 \approx 2.7$, $e^2 \approx 7.4$.)
# 3. **Context**: each slice becomes the weighted sum of all slices.
#
# Which slice does slice 0 look at most? And slice 2?
#
# Then the six numbers as six **voxels**, each with its own row.

# %%
x = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # (slices, voxels) = (3, 2)
weights = (x @ x.T).softmax(dim=1)  # (3, 3), each row sums to 1
voxels = x.flatten()  # (6,)
every = torch.outer(voxels, voxels).softmax(dim=1)  # (6, 6)
torch.set_printoptions(precision=2, sci_mode=False)
print("slices: scores", x @ x.T, "weights", weights, "context", weights @ x, sep="\n")
print("voxels: weights", every, sep="\n")

# %% [markdown]
# Slice 0 looks at itself and at slice 2 alike; slice 2 mostly at itself. As voxels: 36 weights in place of 9. And look at the rows: slice attention gave the two voxels of a slice **one** row together; here each voxel decides for itself. (A voxel of value 0 has no preference: all its scores are 0.)
#
# **Try it.** Multiply `x` by 5 and run the cell again. Which weights are left?
#
# <details><summary>What you see</summary>Scores grow by 25, and the softmax becomes a choice: one weight near 1, the others near 0. It is <i>saturated</i>. Scores of slices are sums over a whole slice, so they are large of themselves: that makes a network hard to train.</details>

# %% [markdown]
# ## 3 · From loops to a module
#
# In the papers' letters: $\theta, \phi, g$ make queries, keys and values from the features, by convolutions of size 1. The non-local block, for voxels $i$ and $j$, and slice attention, for slices:
#
# $$y_i = \sum_j \mathrm{softmax}_j\big(\theta(x_i)\cdot\phi(x_j)\big)\, g(x_j) \tag{06.1}$$
# $$A_{kl} = \mathrm{softmax}_l\big(\theta(M)_k \cdot \phi(M)_l\big) \tag{06.2}$$
# $$M' = M + \beta\, A\, g(M) \tag{06.3}$$
#
# $M_k$ is slice $k$ as one long row: all channels, all voxels. $\beta$ is learned and **starts at 0**: at first the block changes nothing. RSA is (06.2) and (06.3) three times, along three directions, with the same $\theta, \phi, g$ and a $\beta$ each. First a loop:

# %%
def slice_attention_loop(query, key, value):
    """(C, D, H, W) each; slices along D."""
    depth, context = query.shape[1], torch.zeros_like(value)
    for k in range(depth):
        scores = [float((query[:, k] * key[:, other]).sum()) for other in range(depth)]  # over C, H and W
        exponentials = [np.exp(score - max(scores)) for score in scores]
        for other in range(depth):
            weight = exponentials[other] / sum(exponentials)  # (06.2)
            context[:, k] += weight * value[:, other]
    return context


# %% [markdown]
# Then without loops, for a whole batch and any direction. `movedim` brings the slices to the front, `flatten(2)` lays each of them out as a row. Non-local attention is the same with *voxels* as rows.
#
# Last the module. The directions come in the order of the authors' code: coronal, sagittal, axial. (The text of the paper has another order; the result differs.) The package's tested class is `RecurrentSliceAttention`.

# %% tags=["slide"]
def attend_slices(query, key, value, axis):  # (B, C, D, H, W) each; axis 2, 3 or 4
    rows = [part.movedim(axis, 1).flatten(2) for part in (query, key, value)]  # 3 × (B, S, C·…)
    weights = (rows[0] @ rows[1].mT).softmax(dim=-1)  # (06.2): (B, S, S); .mT swaps the last two axes
    context = weights @ rows[2]  # (B, S, C·…)
    return context.reshape(value.movedim(axis, 1).shape).movedim(1, axis)  # (B, C, D, H, W)


def attend_voxels(query, key, value):
    rows = [part.flatten(2).mT for part in (query, key, value)]  # 3 × (B, N, C)
    weights = (rows[0] @ rows[1].mT).softmax(dim=-1)  # (B, N, N)
    return (weights @ rows[2]).mT.reshape(value.shape)  # (06.1): (B, C, D, H, W)


parts = 0.3 * torch.randn(3, 1, 2, 4, 3, 5)  # query, key, value; each (1, 2, 4, 3, 5)
torch.testing.assert_close(attend_slices(*parts, axis=2)[0], slice_attention_loop(*parts[:, 0]))
print("loop and vectorised agree")

# %% tags=["slide", "define:RSA"]
class RSA(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.query, self.key, self.value = (nn.Conv3d(channels, channels, 1) for _ in range(3))
        self.betas = nn.ParameterList([torch.zeros(()) for _ in range(3)])

    def forward(self, x):  # (B, C, D, H, W)
        for axis, beta in zip((3, 4, 2), self.betas, strict=True):  # coronal, sagittal, axial
            context = attend_slices(self.query(x), self.key(x), self.value(x), axis)
            x = x + beta * context  # (06.3)
        return x


features = torch.randn(2, 8, 5, 6, 4)
print("at the start it changes nothing:", torch.equal(RSA(8)(features), features))
plots.show(plots.data_flow("slice attention"))

# %% [markdown]
# *Figure 06.2.* One of the three steps, along a direction with S slices. The map A has S² weights, however large a slice is.
#
# ## 4 · Does it equal the real thing?
#
# Your class against the package's, output and [gradient](glossary.md#gradient); and slices against torch's own attention. Two traps:
#
# - with $\beta = 0$ **every** block agrees with every other. So move the $\beta$ first;
# - torch divides the scores by $\sqrt d$ unless you say `scale=1.0`. These papers do not divide.
#
# (The package's blocks equal the *authors'* code, and a public one of non-local attention, on numbers frozen from them: [table](../figures/parity.md), rows `rsa_block_a` and `non_local3d_a`.)

# %%
from medattn_lite.attention import NonLocal, RecurrentSliceAttention

mine, package = RSA(8), RecurrentSliceAttention(8)
for beta in mine.betas:
    nn.init.constant_(beta, 0.5)
with torch.no_grad():
    for ours, theirs in zip(mine.parameters(), package.parameters(), strict=True):
        theirs.copy_(ours.reshape(theirs.shape))  # a 1×1×1 convolution is a matrix
features = (0.3 * features).requires_grad_()
torch.testing.assert_close(mine(features), package(features))
gradients = [torch.autograd.grad(block(features).square().sum(), features)[0] for block in (mine, package)]
torch.testing.assert_close(*gradients)
slices = [part.movedim(2, 1).flatten(2) for part in parts]  # 3 × (1, D, C·H·W)
mixed = functional.scaled_dot_product_attention(*slices, scale=1.0)
torch.testing.assert_close(attend_slices(*parts, axis=2).movedim(2, 1).flatten(2), mixed)
print("equal to the package, output and gradient; equal to torch's attention")

# %% [markdown]
# ## 5 · Your turn: what it costs
#
# ### Exercise 06.1 · count the multiplications
#
# *5 minutes, easy.* Both blocks do two products: queries × keys, and weights × values. Count the multiplications of both together, for $C$ channels and $D \times H \times W$ voxels; the projections $\theta, \phi, g$ are left out. Return a pair: non-local, RSA.
#
# <details><summary>Hint 1</summary>A product of an (a, b) and a (b, c) matrix takes a·b·c multiplications. For non-local the first is (N, C) by (C, N).</details>
# <details><summary>Hint 2</summary>For one direction of RSA, S slices of C·N/S numbers: (S, C·N/S) by (C·N/S, S). That is S·S·C·N/S = C·N·S. There are two products, and three directions.</details>

# %% tags=["exercise"]
def multiplications(channels, depth, height, width):
    """Multiplications of the two products, as a pair: (non-local, RSA)."""
    ### BEGIN SOLUTION
    voxels = depth * height * width
    non_local = 2 * channels * voxels * voxels
    rsa = 2 * channels * voxels * (depth + height + width)
    return non_local, rsa
    ### END SOLUTION


# %%
check("06-cost", multiplications)

# %% [markdown]
# So the ratio is $N / (D + H + W)$: **it depends on the size alone**. For a cube it is a third of the side squared, and 100 from a side of 17.3.
#
# Now counted, at the places where the paper's network could have the block. Its images are about 48×256×320; each level of the [U-Net](glossary.md#u-net) halves the sides. Memory: all tensors alive at the worst moment. The **plain** non-local block takes all channels and voxels; the **usual** one, as its authors run it, has half the channels and keys [pooled](glossary.md#pooling) by 2×2. **Fused** is the plain one by today's kernel, which never holds the whole map. RSA has such a kernel too. While maps are captured, both use the formula.

# %%
from torch.utils.flop_counter import FlopCounterMode

from medattn_lite.course import measure_cost, without_numbers
from medattn_lite.explain import capture_attention


def cost(block_class, channels, size, watched=True, **options):
    """(operations of the two products, operations of the whole block, bytes at the highest point)."""
    with without_numbers():
        block, x = block_class(channels, **options), torch.empty(1, channels, *size)
        with capture_attention(block), FlopCounterMode(display=False) as counter:
            block(x)
        with capture_attention(block if watched else nn.Identity(), empty_ok=True):  # watched: the formula; else a kernel
            memory = measure_cost(lambda: block(x).sum().backward()).peak_bytes
    products = counter.get_flop_counts()["Global"][torch.ops.aten.bmm]  # batches of matrices
    return products, counter.get_total_flops(), memory


levels = {"1/16": (512, (3, 16, 20)), "1/8": (256, (6, 32, 40)), "1/4": (128, (12, 64, 80)), "1/2": (64, (24, 128, 160))}
kernels = [cost(NonLocal, *spot, watched=False, hidden_channels=spot[0], sub_sample=False)[2]
           / cost(RecurrentSliceAttention, *spot, watched=False)[2] for spot in levels.values()]  # fmt: skip
record("1/4, fused ÷ RSA's kernel: memory", kernels[2])


# %%
rsa = {level: cost(RecurrentSliceAttention, *spot) for level, spot in levels.items()}
full = {level: cost(NonLocal, *spot, hidden_channels=spot[0], sub_sample=False) for level, spot in levels.items()}
usual = {level: cost(NonLocal, *spot) for level, spot in levels.items()}
print("plain ÷ RSA:", "   | usual: ".join(["products  whole block       memory"] * 2))
for level in levels:
    ratios = [[f"{a / b:12.1f}" for a, b in zip(one[level], rsa[level], strict=True)] for one in (full, usual)]
    print(f"{level:>8}", *ratios[0], "  |   ", *ratios[1])
print("fused ÷ RSA's kernel, memory:", ", ".join(f"{ratio:.1f} at {at}" for at, ratio in zip(levels, kernels, strict=True)))
x = [int(np.prod(size)) for _, size in levels.values()]
series = {f"{kind}, {name}": [one[level][k] / rsa[level][k] for level in levels]
          for kind, k in (("products", 0), ("memory", 2)) for name, one in (("plain", full), ("usual", usual))}  # fmt: skip
series |= {"memory, fused": kernels, "the paper's 100": [100] * 4, "the paper's 28": [28] * 4}
plots.show(plots.lines(x, series, xlabel="voxels in the map: levels 1/16, 1/8, 1/4, 1/2", ylabel="non-local ÷ RSA",
                       log_x=True, log_y=True))  # fmt: skip
for place, what in enumerate(("products", "operations of the whole block", "memory")):
    record(f"1/16, plain ÷ RSA: {what}", full["1/16"][place] / rsa["1/16"][place])

# %% [markdown]
# *Figure 06.3.* How many times more non-local attention costs. The two level lines are the paper's claims.
#
# From the left, where the published network has its block:
#
# - against the plain block, the 28× and the products' 100× hold **from the level 1/4 on** (at 1/8 the products just miss it);
# - the *whole* block's 100× begins at 1/2, and so does all against the *usual* block;
# - at 1/16 RSA costs **more** than either: its $\theta, \phi, g$ run three times;
# - **fused**, each by its kernel, non-local needs 1.1 to 1.7 times RSA's memory at every level.
#
# So 28× holds for the formulas. With today's kernels RSA saves operations, and time on all but the smallest maps: [how all grow](../figures/benchmarks.md).

# %% [markdown]
# ## 6 · How far does it see, and how strongly?
#
# One step of slice attention joins a voxel with those on **one line** through it: same row, same column, other slices. After the second direction it has received from a whole plane, after the third from everywhere. So says figure 4 of the paper, and so say the numbers: which voxels can reach the middle of a 5×5×5 volume?

# %%
from medattn_lite.explain import looks_at, read_affinities

torch.manual_seed(SEED)
block = RecurrentSliceAttention(8, scaled=True)  # scaled: so that no weight is rounded to 0
block.betas = nn.ParameterList([torch.tensor(0.1) for _ in range(3)])
small = torch.randn(1, 8, 5, 5, 5)
for steps in (("coronal",), ("coronal", "sagittal"), ("coronal", "sagittal", "axial")):
    seen = looks_at(block, small, (2, 2, 2), path=steps)[0]  # (5, 5, 5)
    print(f"{' → '.join(steps):30} {int((seen > 0).sum()):4} voxels")

# %% [markdown]
# ### Exercise 06.2 · three steps
#
# *10 minutes, needs thought.* A path of three steps moves from a voxel to another along one axis at a time. Its weight is the product of three weights. Given the three matrices, return what the voxel $(d, h, w)$ looks at by three steps: a volume.
#
# <details><summary>Hint 1</summary>In each matrix you need one row: which one belongs to the voxel? Coronal slices are counted along H, sagittal ones along W, axial ones along D.</details>
# <details><summary>Hint 2</summary>Three rows of lengths D, H and W give a volume as a times table does: <code>a[:, None, None] * b[None, :, None] * c[None, None, :]</code>.</details>

# %% tags=["exercise"]
def three_steps(coronal, sagittal, axial, voxel):
    """coronal (H, H), sagittal (W, W), axial (D, D), voxel (d, h, w); returns (D, H, W), which sums to 1."""
    d, h, w = voxel
    ### BEGIN SOLUTION
    return axial[d][:, None, None] * coronal[h][None, :, None] * sagittal[w][None, None, :]
    ### END SOLUTION


# %%
check("06-three-steps", three_steps)

# %% [markdown]
# Two things follow from this product.
#
# **It is rigid.** A non-local voxel chooses its $N$ weights freely. RSA has three rows, shared by all voxels of a slice: if it looks at two spots, it also looks at the six others that complete their box.
#
# **It is weak.** A path of one step has the strength $\beta$, of two $\beta^2$, of three $\beta^3$ (times what $g$ does). `read_affinities` computes the shares from $\beta$ and $g$. Only three steps reach every voxel: look at *their* share in a trained RSA before you believe that it "captures dense voxel-wise dependencies". Section 8 does.

# %% [markdown]
# ## 7 · Where it must win
#
# A **positive control**: a task that needs to compare a place with *the same place of another slice*. A bright spot is a lesion only if its mirror place, in the other half, is **not** bright; a pair is normal. In 2-D the "slices" are rows and columns. The network: two 3×3 convolutions, then RSA or nothing, then 1×1 convolutions. A pixel sees 5×5 pixels, its mirror place is further away. **Guess** the share of spots judged right; chance is one half.

# %%
from medattn_lite.data.controls import LESION
from medattn_lite.positive_controls import object_hits, train_control, without_cue

right = lambda hits: mean_interval(hits.float().mean(1), bounds=(0, 1))  # the share of an image's spots
for kind in ("none", "rsa"):
    run = train_control("mirror", kind, seed=SEED, scale=SCALE)
    record(f"control: spots judged right, attention {kind!r}", right(run.right))
matrices = {name.split(".")[-1]: captured.values for name, captured in run.maps.items()}  # direction → (B, S, S)
image, lesions = run.test.images[:2, 0], (run.test.objects[:2] == LESION).float()
rows = [[image[i], lesions[i], *(matrix[i] for matrix in matrices.values())] for i in (0, 1)]
plots.show(plots.picture_table(rows, columns=["image", "lesions", *matrices], maps_from=1, map_label="1: lesion; or weight",
                               alt="Two test images, their lesions, and which row or column looks at which."))

# %% [markdown]
# *Figure 06.4.* Two test images, their lesions, and the weights of each direction: row $k$ says what slice $k$ looks at. (Non-local attention compares contents and does not know where a pixel lies: try `"non_local"` in the list. It wins another control, `"reference"`; both, with cheaper networks beside them, are in [the positive controls](../figures/positive_controls.md).)
#
# The picture alone does not show that the weights are *needed*. Edit them, and look what is lost. **Guess:** what is left if each slice gives all slices the same weight?

# %%
from medattn_lite.explain import WEIGHT_EDITS, under_edits

on_control = under_edits(run.network, WEIGHT_EDITS, lambda: right(object_hits(run.network, run.test)), kind="slice×slice")
on_control["no mirror image"] = right(object_hits(run.network, without_cue(run)))
plots.show(plots.forest(on_control, label="share of spots judged right", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 06.5.* Weights *unchanged*; *even* ones; *shifted* by half the slices; another image's; RSA switched *off*; and unchanged where every spot has a mirror image. **This is what it looks like when a network uses RSA.**
#
# ## 8 · Heads, and networks that come trained
#
# The package's RSA-010 and NCL-010 were trained to find MS lesions: a U-Net with the block at its lowest level. Choose a voxel and see what it looks at: left the slice×slice matrix with your slice's row marked, right the weights on the head, lesions outlined.

# %%
from medattn_lite.widgets import affinity_explorer

HEADS = scale_numbers(SCALE, smoke=4, laptop=12, paper=23)
shipped = {"RSA-010": load_trained("lesions_rsa"), "NCL-010": load_trained("lesions_non_local")}
cases = list(held_out(shipped["RSA-010"], limit=HEADS))
heads, signals = torch.cat([case.image for case in cases]), torch.stack([case.signal for case in cases])
explorer = affinity_explorer({name: trained.network for name, trained in shipped.items()}, heads[:4], masks=signals[:4],
                             channels=shipped["RSA-010"].channels, title="head")
display(explorer)

# %% [markdown]
# *Figure 06.6.* The explorer. Try `RSA steps` → one direction: a line through the voxel. Then "all steps in turn": boxes, not free shapes. A bright *column* in a matrix means: all slices look at the same few, whatever is in them.
#
# Now count. Let the voxels *of the lesions* look: how much of their attention falls on lesions, against chance? 1 is chance. The [re-initialised copy](glossary.md#re-initialised-copy) has random weights (and RSA's trained $\beta$, without which it would look at nothing).

# %%
from medattn_lite.explain import received_attention, whereabouts
from medattn_lite.networks import build


def on_lesions(network):
    """Attention of lesion voxels on lesions ÷ chance, over heads."""
    places = [whereabouts(received_attention(network, image[None], voxels=lesion[None])[0], lesion)
              for image, lesion in zip(heads, signals, strict=True)]
    return mean_interval([place.in_mask / place.mask_share for place in places], bounds=(0, np.inf))


torch.manual_seed(SEED)
copies = {name: build(trained.facts["network"], **trained.facts["options"]).eval() for name, trained in shipped.items()}
rsa_block, blank = (group.attention["center"] for group in (shipped["RSA-010"].network, copies["RSA-010"]))
for trained, copy in zip(rsa_block.betas, blank.betas, strict=True):
    copy.data.copy_(trained.data)
measured = {f"{name}, {word}": on_lesions(network) for name in shipped for word, network in
            (("trained", shipped[name].network), ("re-initialised", copies[name]))}
plots.show(plots.forest(measured, label="lesions look at lesions ÷ chance", reference=1.0, reference_label="chance"))

# %% [markdown]
# *Figure 06.7.* Do lesions look at lesions? RSA's number says little by itself: it looks along lines. The re-initialised copy shows what looking along lines gives by itself.
#
# And does the U-Net use it? Two edits of figure 06.5, measured by [Dice](glossary.md#dice), the overlap of what was found with what is there, 0 to 1. **Guess** first; then look at $\beta$.

# %%
from medattn_lite.course import dice_per_head

rsa_network = shipped["RSA-010"]
as_it_is = dice_per_head(rsa_network, cases)  # (heads,)
record("shipped RSA-010, Dice", mean_interval(as_it_is, bounds=(0, 1)))
others = {name: WEIGHT_EDITS[name] for name in ("even", "off")}
edited = under_edits(rsa_network.network, others, lambda: dice_per_head(rsa_network, cases), kind="slice×slice")
for name, dice in edited.items():
    record(f"shipped RSA-010, Dice, {name} minus unchanged", paired_mean_interval(dice, as_it_is))
shares = read_affinities(rsa_network.network, heads[:1])["attention.center"].shares_by_steps
print("β:", {plane: round(beta.item(), 4) for plane, beta in zip(rsa_block.order, rsa_block.betas, strict=True)})
print("share of what RSA adds, by steps:", {steps: f"{share:.1e}" for steps, share in shares.items()})

# %% [markdown]
# If every difference is 0, the U-Net does the work. A $\beta$ that has stayed near its start at 0 says why: RSA may look at lesions (figure 06.7), and its result **is not used**. The control shows that RSA *can* be used. Why it is not used here, one network cannot say: perhaps a bright lesion is found without comparing slices. Other tasks, over several seeds: [the comparison](../figures/mechanisms.md).
#
# ## 9 · Train it yourself
#
# The network is the paper's: a U-Net with a block at its lowest level. (The paper's "010": a digit each for the way down, the lowest level, the way up.) The U-Net, a second seed of it, and RSA; each sees small [windows](glossary.md#sliding-window) of the training heads.

# %%
from medattn_lite.course import train_on_windows

device = pick_device(DEVICE)
weigh = LesionCrossEntropy(swapped=True).to(device)


def new_network(attention, seed=SEED, head_bias=False):  # the published head has no bias
    torch.manual_seed(seed)
    options = {**settings.network_options("unet3d"), "head_bias": head_bias, "dropout": 0.2 if SCALE == "paper" else 0.0}
    return RSANet(in_channels=len(task.channels), num_classes=2, attention=attention, positions="010", **options).to(device)


def watch(logits, mask):  # (B, 2, D, H, W), (B, 1, D, H, W): of one step
    """The highest probability of "lesion" anywhere, and the shares of lesion voxels above 0.4 and 0.5."""
    probability = logits.softmax(1)[:, 1:]  # (B, 1, D, H, W)
    lesion = probability[mask > 0]
    return probability.max().item(), (lesion > 0.4).float().mean().item(), (lesion > 0.5).float().mean().item()


# %%
def train(network, seed=SEED, iterations=None):  # in place; returns the loss, and what `watch` saw
    return train_on_windows(network, task, train_rows, loss=weigh, watch=watch, iterations=iterations, seed=seed, device=device)


networks = {"U-Net": new_network(None), "U-Net, second seed": new_network(None, seed=SEED + 1),
            "RSA-010": new_network("rsa")}  # fmt: skip
runs = {name: train(network, seed=SEED + (name == "U-Net, second seed")) for name, network in networks.items()}
plots.show(plots.training_curve({name: history for name, (history, _) in runs.items()}))
for name, network in networks.items():
    print(f"{name:14}{sum(p.numel() for p in network.parameters()):>9} parameters")

# %% [markdown]
# *Figure 06.8.* The [loss](glossary.md#loss) on the training windows. (It counts a lesion voxel more than a background voxel, because lesions are rare. As *printed* in the paper the two weights are the wrong way round; we exchange them.) The slow stretch after the first steps is no accident; section 10 comes back to it.
#
# Now heads that no network has seen, predicted in windows of the training size. The measure is Dice again. The [control](glossary.md#control) needs no network: every voxel brighter than one threshold in FLAIR, the best threshold of the training heads.

# %%
from medattn_lite.course import dice_per_patient

answers = {name: lambda row, network=network: task.segment(network, row, device) for name, network in networks.items()}
brighter_than = lambda threshold: lambda row: task.images[row][[FLAIR]] > threshold
best = max(np.arange(0.5, 4.0, 0.1), key=lambda threshold: dice_per_patient(task, brighter_than(threshold), train_rows).mean())
answers["control: bright in FLAIR"] = brighter_than(best)
dices = {name: dice_per_patient(task, answer, test_rows) for name, answer in answers.items()}
results = {name: mean_interval(values, bounds=(0, 1)) for name, values in dices.items()}
plots.show(plots.forest(results, label="Dice on test patients, mean"))
gains = {name: paired_mean_interval(dices[name], dices["U-Net"]) for name in list(networks)[1:]}
plots.show(plots.forest(gains, label="Dice minus that of “U-Net”", reference=0.0))
for name, interval in (results | {f"gain, {name}": gain for name, gain in gains.items()}).items():
    record(f"Dice: {name}", interval)
best_of_all = max(results, key=lambda name: results[name].value)
print("best:", best_of_all, "" if "U-Net" in best_of_all or "RSA" in best_of_all else
      "- your networks have NOT learned enough: one threshold beats them. Use SCALE = \"laptop\".")

# %% [markdown]
# *Figures 06.9 and 06.10.* Dice on the test patients, and differences on the same patients, with 95 % [intervals](glossary.md#interval) where there are enough patients for one.
#
# Ask two questions. Does any network beat the control? At `smoke`, with a minute of training, do not count on it. And is the gain by attention larger than that of the **second seed** of the plain U-Net? The intervals cover the choice of patients, *not* the luck of training.

# %% [markdown]
# ## 10 · What goes wrong
#
# A wrong block has the right shape, and it trains. Section 4 compared ours with a right one; for a block of your own there is none. But some things must hold for every right block of this kind, which compares slices by their content alone, without positions, each image by itself:
#
# 1. an image **alone** gets the result that it gets in a batch;
# 2. if all values are **1**, the result is 1: each row of weights sums to 1;
# 3. the **mirrored** image gets the mirrored result: no place is special.

# %% [markdown]
# ### Exercise 06.3 · a test that finds wrong blocks
#
# *15 minutes, needs thought.* `attend(query, key, value, axis)` takes tensors (B, C, D, H, W) and one axis, 2, 3 or 4. Return the first that holds, along any axis: `"depends on the batch"`, `"changes a constant"`, `"changes in a mirror"`; else `"nothing found"`. Below 0.001 is rounding. Which numbers and shapes of the inputs would hide a fault?
#
# <details><summary>Hint 1</summary>Two images or more: <code>0.3 * torch.randn(2, 4, 3, 5, 6)</code> for each input. <code>torch.allclose(one, other, atol=1e-3)</code> leaves rounding out.</details>
# <details><summary>Hint 2</summary>Mirror along the slices' own axis, all three inputs: <code>attend(query.flip(axis), key.flip(axis), value.flip(axis), axis)</code> must be the result, <code>.flip(axis)</code>.</details>

# %% tags=["exercise"]
def examine(attend):
    """Tries a block along all three axes; returns the first of the four findings that holds."""
    ### BEGIN SOLUTION
    query, key, value = (0.3 * torch.randn(2, 4, 3, 5, 6) for _ in range(3))
    ones, found = torch.ones_like(value), set()
    for axis in (2, 3, 4):
        out = attend(query, key, value, axis)
        alone = attend(query[:1], key[:1], value[:1], axis)
        mirrored = attend(query.flip(axis), key.flip(axis), value.flip(axis), axis)
        pairs = {"depends on the batch": (alone, out[:1]), "changes a constant": (attend(query, key, ones, axis), ones),
                 "changes in a mirror": (mirrored, out.flip(axis))}
        found |= {name for name, (one, other) in pairs.items() if not torch.allclose(one, other, atol=1e-3)}
    names = ("depends on the batch", "changes a constant", "changes in a mirror")
    return next((name for name in names if name in found), "nothing found")
    ### END SOLUTION


# %%
check("06-examine", examine)

# %%
from medattn_lite.course.exercises import SLICE_BLOCKS, findings_of

judge = examine if check("06-examine", examine).passed else findings_of
for name, block in ({"yours, of section 3": attend_slices} | SLICE_BLOCKS).items():
    print(f"{name:30} {judge(block)}")
x = torch.randn(1, 8, 6, 4, 5).relu()
retrieved = attend_slices(10 * x, 10 * x, x, axis=4)  # no projections, large features
record("no projections, features × 10: largest change of a value", (retrieved - x).abs().max())

# %% [markdown]
# | variant | what happens |
# |---|---|
# | softmax over the queries | rows do not sum to 1: some slices get too much weight |
# | softmax over the batch | a result depends on who else is in the batch |
# | no `movedim` on the way back | **right shape, wrong places**: only the mirror notices |
# | the first slice is preferred | a place is special |
# | divided by √numbers | no rule is broken; another function, with flatter rows |
# | no projections (eq. 1 as printed) | the last line: each slice looks at itself alone |
#
# **Defend a sentence:** of *divided by √numbers* the test says *nothing found*. Which do you write: "the block is right", or "three rules hold, on one input"? If the block breaks a fourth rule, which was wrong?

# %% [markdown]
# ### The network that finds nothing
#
# Look at the first steps of training again: the highest probability anywhere, and the share of lesion voxels above 0.4 and above 0.5. The published last layer, the network's [head](glossary.md#head), has no [bias](glossary.md#bias) and reads features after a [ReLU](glossary.md#relu). Where all features are 0, both [logits](glossary.md#logit) are 0, and the probability is **exactly one half**. Beside it the same network with a bias.

# %%
empty = torch.zeros(1, settings.network.get("widths", (32,))[0], 4, 4, 4, device=device)
print("probability where all features are 0:", networks["U-Net"].final(empty).softmax(1)[0, 1].max().item())
steps = 6 * settings.iterations // 10
_, watched_bias = train(new_network(None, head_bias=True), iterations=steps)
watched = runs["U-Net"][1][:steps]


def smooth(values, every=10):
    return values[: len(values) // every * every].reshape(-1, every).mean(axis=1)


shown = {"highest, published head": watched[:, 0], "highest, with a bias": watched_bias[:, 0],
         "lesions above 0.4, published": watched[:, 1], "lesions above 0.5, published": watched[:, 2]}  # fmt: skip
plots.show(plots.lines(np.arange(len(smooth(watched[:, 0]))) * 10 + 5, {k: smooth(v) for k, v in shown.items()},
                       xlabel="iteration", ylabel="probability, or share", ylim=(0, 1)))
flat = slice(settings.iterations // 6, settings.iterations // 3)
for column, level in ((1, 0.4), (2, 0.5)):
    record(f"iterations {flat.start} to {flat.stop}: lesion voxels above {level}", 100 * watched[flat, column].mean(), "%")
for name, values in (("published head", watched), ("with a bias", watched_bias)):
    record(f"iterations without a probability above 0.6, {name}", 10 * int((smooth(values[:, 0]) <= 0.6).sum()))

# %% [markdown]
# *Figure 06.11.* A network learns what is common first: the background. Its features come to stand for "background", and on a lesion **they are 0**. So the probability on lesions climbs to one half and waits there, below every threshold of one half. Then features *for* lesions appear, and it breaks through.
#
# In the flat stretch a threshold of 0.5 finds next to nothing and 0.4 finds part of the lesions. A short training can end there. On LGG patients a U-Net with the published head had Dice 0.03 at 0.5 and 0.54 at 0.45 (400 steps, 12 patients, one training).
#
# Does a bias help? It moves the ceiling. Look whether it shortens the wait here.

# %% [markdown]
# ## 11 · What the paper says, and what we found
#
# | claim | what we found |
# |---|---|
# | 100× fewer operations for the maps | $N/(D+H+W)$: 25× at the published place; eight times less against the usual block |
# | 28× less memory | at the published place *more*; against the plain one true from 1/4 on; with today's kernels 1.1–1.7× |
# | each voxel is a weighted sum of all | it reaches all; the shipped network makes no use of it (section 8) |
# | RSA beats NCL, NCL the U-Net (Dice of 010: 65.3, 64.3, 64.0; best, RSA-111: 66.0) | no intervals; see below |
# | eq. 1 has no $\theta, \phi, g$ | its code has them; without, see section 10 |
# | lesions count more in the loss | as printed they count less |

# %% [markdown]
# The same question at `laptop`, by the [recipe](glossary.md#recipe) `lesions` ([results](../figures/results.md)): differences of mean Dice, first seed.
#
# | RSA-010 minus | 80 tested phantoms | 80 LGG patients (gliomas) |
# |---|---|---|
# | U-Net | −0.021 [−0.027, −0.015]; 5 seeds −0.012 (sd 0.021) | −0.000 [−0.011, 0.011] |
# | another, smaller U-Net | −0.190 [−0.201, −0.179] | −0.028 [−0.058, 0.003] |
# | a FLAIR threshold | 0.146 [0.094, 0.198] | 0.619 [0.576, 0.662] |
#
# RSA never gained on a plain U-Net here. On two **real** patients with MS these networks of phantoms reach a mean Dice of 0.34 to 0.41.
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "A feature map is (2, 64, 10, 20, 30). What shapes do RSA's three maps have?",
        ["(2, 20, 20), (2, 30, 30), (2, 10, 10)", "(2, 6000, 6000) each", "(2, 64, 20), (2, 64, 30), (2, 64, 10)"],
        "(2, 20, 20), (2, 30, 30), (2, 10, 10)",
        ["Yes: slices × slices, coronal, sagittal, axial. Channels are summed over.",
         "That is voxel × voxel: non-local.", "A map says which slice looks at which: both axes are slices."],
    ),
    Question(
        "Your block agrees with the reference to the last digit, before training. What do you know?",
        ["It is right", "Nothing yet: β is 0", "It is right, but only its forward pass"],
        "Nothing yet: β is 0",
        ["With β = 0 every block gives back its input.", "Yes. Set β to something else and compare again.",
         "Not even that: the output is the input, whatever the attention does."],
    ),
    Question(
        "The lesions' probabilities lie between 0.3 and 0.5, the background's near 0. What is wrong?",
        ["The network has learned nothing", "The threshold", "The lesions are too small"],
        "The threshold",
        ["It tells lesions from background well: look at the two ranges.",
         "Yes, or the training was too short. Lesions and background are apart; one half is simply not between them.",
         "Small or not, they stand out."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Non-local**: every voxel looks at every voxel; $N^2$ weights. **Slice attention**: every slice at every slice; all voxels of a slice share a row. **RSA**: three directions in turn, with shared projections.
# - The saving is $N/(D+H+W)$. It is large where the map is large, and none where it is small.
# - Three steps reach every voxel, along a product of three rows, at the strength $\beta^3$.
# - Pictures of attention show where a block looks. Switch it off: is it used?
# - A probability of one half may mean all features are 0.
#
# **Next:** [07 · Dual fusion](07_dual_fusion.ipynb): two networks outline one tumour.
#
# **Read on:** Zhang et al., *RSANet* (MICCAI 2019, [arXiv:2002.12470](https://arxiv.org/abs/2002.12470)); Wang et al., *Non-local Neural Networks* (CVPR 2018, [arXiv:1711.07971](https://arxiv.org/abs/1711.07971)). Words: [glossary](glossary.md).
