# %% [markdown]
# # 09 · Attention maps and Grad-CAM in three planes
#
# **45 minutes to read, 35 for the exercises; about a minute to run at `smoke`, one at `laptop`.** Difficulty ●●●○
#
# A network says "high grade". *Where did it look?* [Grad-CAM](glossary.md#grad-cam) paints an answer over the scan: warm colours here, none there. In this notebook you compute it with a pencil, then for whole volumes, and you **put it in the right place**. That last step is where many tools fail: the map lies a centimetre beside what it means, and it looks just as convincing.
#
# One thing this notebook does *not* ask is whether the map is true. That is notebook 10.

# %% [markdown]
# ## At the end you can
# - compute Grad-CAM by hand, at any layer, and keep its sign;
# - lay a layer's coarse map on the image by following strides and paddings, and recognise a map that was laid wrongly;
# - explain a class, a region of a segmentation, and a survival risk, and say what the map cannot tell apart;
# - choose between Grad-CAM, Grad-CAM++, integrated gradients, occlusion and attention maps;
# - test the claim that maps are better in coronal and sagittal planes than in axial ones;
# - write a map that lies on a NIfTI file in any viewer.
#
# **You need** notebooks [03](03_cbam.ipynb) (maps of places) and [05](05_p3d_iam.ipynb) (P3D and inter-slice attention). Strides and paddings should be familiar. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # this notebook needs to know where the signal is, which only phantoms tell
DATA_ROOT = None

# %%
import time

import numpy as np
import torch
from IPython.display import display
from torch import nn
from torch.nn import functional

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.explain import METHODS, ClassLogit, explain_image, held_out, localise, to_image_grid
from medattn_lite.networks import load_trained

NUMBERS = scale_numbers(SCALE, smoke={"subjects": 6}, laptop={"subjects": 24}, paper={"subjects": 80})
torch.manual_seed(SEED)
torch.set_printoptions(precision=3, sci_mode=False)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# The package brings networks that are already trained to tell high grades from low ones, on synthetic heads. You load one, P3D with inter-slice attention, and a head that it has never seen.
#
# For a phantom you know **which voxels decide**: those that only a high grade has, enhancing and dead tissue. They are its [signal](glossary.md#signal).
#
# **Guess before you go on.** Below is the head, without any map. Where will the network have looked? At the whole bright tumour? Its rim? Somewhere else?

# %%
trained = load_trained("grade_p3d_iam")
model, size = trained.network, trained.size
cases = list(held_out(trained, limit=NUMBERS["subjects"]))
case = max(cases, key=lambda case: int(case.signal.sum()))  # the one with the largest signal
t1ce = case.image[0, trained.channels.index("t1ce")]
middle = tuple(case.signal.nonzero().float().mean(0).round().long().tolist())
record("AUC of this network on heads it never saw", next(iter(trained.facts["scores"].values()))["value"])
plots.show(plots.three_planes(t1ce, position=middle, affine=case.affine, crosshair=False, title="T1ce"))

# %% [markdown]
# *Figure 09.1.* A synthetic head in three planes through the middle of its signal.
#
# Now two maps: the network's own attention over places, and Grad-CAM. The line is the signal.

# %%
first_look = {name: explain_image(model, case.image, method=name, target=case.target if METHODS[name].asks else None)
              for name in ("attention", "Grad-CAM")}
rows = [plots.MapRow(name, result.values[0], f"at {result.layer}\n{'×'.join(map(str, result.grid))} places\n{result.note}".strip())
        for name, result in first_look.items()]
plots.show(plots.explanation_rows(t1ce, rows, position=middle, affine=case.affine, outline=case.signal))

# %% [markdown]
# *Figure 09.2.* What the network attended to, and what Grad-CAM says mattered for "high grade". Values below 0 are not drawn.
#
# Was your guess near either? **Attention** is not asked about any class; **Grad-CAM** is.
#
# ## 2 · By hand
#
# A network so small that its Grad-CAM is known: two filters of one pixel and a [ReLU](glossary.md#relu), the mean over space, a weight for each channel.
#
# $$A_1 = \mathrm{ReLU}(x),\quad A_2 = \mathrm{ReLU}(-x),\qquad y = v_1\,\overline{A_1} + v_2\,\overline{A_2}$$
#
# With $N$ pixels, one pixel of $A_k$ changes $y$ by $v_k / N$: the [gradient](glossary.md#gradient). So the map is $\sum_k \frac{v_k}{N} A_k$. Take a pencil: $x$ has 4 and −8 on its diagonal, $v = (1, -\frac14)$. What is the map, and what is $y$?

# %%
class TwoLayers(nn.Module):
    """Image → (positive part, negative part) → their means → one logit for each row of `weights`."""

    def __init__(self, weights):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.ReLU())
        self.head = nn.Linear(2, len(weights), bias=False)
        self.features[0].weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        self.head.weight.data = torch.tensor(weights)

    def forward(self, x):  # (B, 1, H, W)
        return self.head(self.features(x).mean((2, 3)))  # (B, 2, H, W) → (B, 2) → (B, outputs)


x = torch.tensor([[4.0, 0.0], [0.0, -8.0]])[None, None]  # (B, C, H, W) = (1, 1, 2, 2)
tiny = TwoLayers([[1.0, -0.25]])
known = 1 / 4 * x.relu() - 0.25 / 4 * (-x).relu()  # Σ v_k / N · A_k
explanation = explain_image(tiny, x, method="Grad-CAM", target=ClassLogit(0), layer="features")
print("by hand", known[0, 0], "the package", explanation.values[0], sep="\n")
print("y =", tiny(x).item(), " sum of the map =", explanation.values.sum().item())

# %% [markdown]
# The dark pixel speaks **against** the class: a negative value. And the map adds up to $y$: behind a mean over space, Grad-CAM divides the logit among the places.
#
# **Try it.** Set both weights to −1 and guess the map first.
#
# <details><summary>What you see</summary>Every value is 0 or below. The papers then cut the map at 0, and the picture is empty. An empty picture looks like "the network saw nothing". The truth is "all it saw spoke against". Section 8 comes back to it.</details>

# %% [markdown]
# ## 3 · From loops to a module
#
# $A_k$ is channel $k$ of a layer, $y$ what you ask about.
#
# $$w_k = \frac{1}{N} \sum_i \frac{\partial y}{\partial A_k(i)} \tag{09.1}$$
# $$L = \sum_k w_k A_k \tag{09.2}$$
#
# (Selvaraju et al. keep $\mathrm{ReLU}(L)$. Here the sign stays.) Nothing in it knows the number of dimensions: for volumes, $i$ runs over D·H·W places.

# %%
def grad_cam_loop(A, G):
    """A, G (K, h, w): a layer's output and the gradient there → (h, w)."""
    out = torch.zeros(A.shape[1:])
    for k in range(len(A)):
        w = sum(G[k, i, j] for i, j in np.ndindex(*out.shape)) / out.numel()  # (09.1)
        for i, j in np.ndindex(*out.shape):
            out[i, j] += w * A[k, i, j]  # (09.2)
    return out


# %% [markdown]
# Vectorised, for slices and volumes. To get $A$ and the gradient, hang a **hook** on the layer: a function that sees what comes out.

# %% tags=["slide", "define:MyGradCAM"]
class MyGradCAM:
    def __init__(self, model, layer):
        self.model, self.layer = model, model.get_submodule(layer)

    def look(self, image, target):
        kept = []
        handle = self.layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
        try:
            score = target(self.model(image)).sum()
        finally:
            handle.remove()  # a forgotten hook keeps every later pass in memory
        (gradient,) = torch.autograd.grad(score, kept[0])
        return kept[0].detach(), gradient

    def __call__(self, image, target):
        A, G = self.look(image, target)  # (B, K, d, h, w) each
        w = G.flatten(2).mean(2)  # (09.1): (B, K)
        return torch.einsum("bk,bk...->b...", w, A)  # (09.2): (B, d, h, w)


A, G = MyGradCAM(tiny, "features").look(x, ClassLogit(0))
torch.testing.assert_close(MyGradCAM(tiny, "features")(x, ClassLogit(0))[0], grad_cam_loop(A[0], G[0]))
mine = MyGradCAM(model, "layer4")(case.image, case.target)
print("loop and vectorised agree; of the trained network:", tuple(mine.shape))

# %% [markdown]
# ## 4 · Does it equal the real thing?
#
# The package's function, and [captum](https://captum.ai), the library of the PyTorch project, on the trained network. At every stage, from the first to the last.

# %%
from captum.attr import LayerGradCam

from medattn_lite.explain import grad_cam

for layer in ("layer1", "layer2", "layer3", "layer4"):
    my_map = MyGradCAM(model, layer)(case.image, case.target)
    package = grad_cam(model, case.image, target=case.target, layer=layer).values
    library = LayerGradCam(model, model.get_submodule(layer)).attribute(case.image, target=1)[:, 0].detach()
    torch.testing.assert_close((my_map, my_map), (package, library), rtol=1e-4, atol=1e-6)
    print(f"{layer}: equal to the package and to captum; {'×'.join(map(str, my_map.shape[1:]))} places")

# %% [markdown]
# ## 5 · Put the map in the right place
#
# The map has 6×7×6 places, the head 48×56×48 voxels. Most tools now call a resize function. Look at what a **strided convolution** reads, along one axis. Kernel 3, [stride](glossary.md#stride) 2, padding 1: output 0 reads voxels −1, 0, 1, so its middle is voxel **0**. Output 1 is in the middle of 1, 2, 3: voxel **2**. After three such layers, output $i$ looks at voxel $8i$.
#
# A resize takes outputs for blocks: output 0 stands for voxels 0 to 7, with the middle at **3½**. So the map comes to lie 3½ voxels too far. In general $(S-1)/2$, for a total stride $S$.

# %%
def places(layers):
    """(kernel, stride, padding) of each layer → the step from one output to the next, and where output 0 looks."""
    step, first = 1, 0.0
    for kernel, stride, padding in layers:
        first += step * ((kernel - 1) / 2 - padding)  # the middle of what output 0 reads
        step *= stride
    return step, first


print("kernel 3, stride 2, padding 1:", places([(3, 2, 1)] * 3), " kernel 2, stride 2:", places([(2, 2, 0)] * 3))

# %% [markdown]
# (step, first place) of three layers each; a resize always assumes (8, 3½). It is right for blocks without overlap. Strided odd kernels are what networks have.
#
# Now see it in 3-D. A cube of light at a known place; three strided convolutions; Grad-CAM of the mean. The map must lie on the cube. **Guess:** in which of these ways will it?

# %%
from medattn_lite.course import cube_of_light, three_strided_convolutions
from medattn_lite.explain import layer_box

beam, cube = three_strided_convolutions(), cube_of_light((16, 24, 32))  # (1, 1, 48, 48, 48), the cube's middle there
coarse = beam(cube).detach()[0]  # (1, 6, 6, 6); of a mean over space, Grad-CAM is A itself, but for a factor
box = layer_box(beam, cube, coarse.shape[1:])
ways = {
    "by strides": lambda coarse: to_image_grid(coarse, (48,) * 3, box=box),
    "edge on edge": lambda coarse: functional.interpolate(coarse[None], (48,) * 3, mode="trilinear")[0],
    "corners aligned": lambda c: functional.interpolate(c[None], (48,) * 3, mode="trilinear", align_corners=True)[0],
    "voxels copied": lambda coarse: functional.interpolate(coarse[None], (48,) * 3, mode="nearest")[0],
    "two axes swapped": lambda coarse: to_image_grid(coarse.transpose(1, 3), (48,) * 3, box=box),
}
laid = {name: way(coarse)[0] for name, way in ways.items()}
plots.show(plots.picture_table(
    [[cube[0, 0, :, 24], *(values[:, 24] for values in laid.values())]], columns=["a cube of light", *laid],
    maps_from=1, map_label="map", outlines=[(cube[0, 0, :, 24] > 0).int()], alt="A coronal slice with a bright cube, "
    "outlined, and the same coarse map laid on it in five ways: only the first has its peak in the middle of the cube."))

# %% [markdown]
# *Figure 09.3.* One map, laid in five ways. Coronal slice; the line is the cube.
#
# One cube may be luck. Take 27, and measure how far the map's centre of mass is from the cube's middle, in voxels along D, H and W; and how many neighbouring slices of the map are copies of each other.

# %%
centres = [(d, h, w) for d in (14, 20, 26) for h in (14, 20, 26) for w in (14, 20, 26)]
steps = torch.arange(48.0)
print(f"{'':18}{'mean shift along D, H, W':>28}{'furthest off':>14}{'copied slices':>15}")
for name, way in ways.items():
    off = []
    for centre in centres:
        values = way(beam(cube_of_light(centre)).detach()[0])[0]
        shares = [values.sum([a for a in range(3) if a != axis]) / values.sum() for axis in range(3)]
        off.append([float((share * steps).sum()) - middle for share, middle in zip(shares, centre, strict=True)])
    same = (laid[name].diff(dim=0).abs().amax((1, 2)) == 0) & (laid[name][1:].amax((1, 2)) > 0)
    shift = "  ".join(f"{value:+.2f}" for value in np.mean(off, 0))
    print(f"{name:18}{shift:>28}{np.abs(off).max():14.2f}{int(same.sum()):15d}")

# %% [markdown]
# | way | symptom |
# |---|---|
# | edge on edge | everything 3½ voxels up, ahead and to the right |
# | corners aligned | right near the first slices, ever further off towards the last |
# | voxels copied | as edge on edge, and slices come in identical groups |
# | two axes swapped | right on average here! And wrong for nearly every head |
#
# The last row is a warning: an average over symmetric places can hide a mistake. Look at *furthest off*.
#
# And a trained network? How far apart are the two ways, in millimetres, and which of them gives the better map? The
# table asks four networks at two layers: the AUC of the map against the signal (section 7 explains it).

# %%
from medattn_lite.course import print_two_ways, score_two_ways

coarse = grad_cam(model, case.image, target=case.target, layer="layer4").values  # (1, d, h, w)
box = layer_box(model, case.image, coarse.shape[1:])
too_far = (size[0] - sum(box[0])) / 2  # voxels from the middle of the layer's box to that of the image
record("distance between the two places of this map", too_far * float(np.linalg.norm(case.affine[:3, 0])), "mm")
right, wrong = to_image_grid(coarse, size, box=box)[0], to_image_grid(coarse, size)[0]
rows = [plots.MapRow("by strides", right), plots.MapRow("edge on edge", wrong)]
plots.show(plots.explanation_rows(t1ce, rows, position=middle, affine=case.affine, outline=case.signal))
print_two_ways(score_two_ways(cases))
print("(peak in the air: the zeros of the padding look like an edge to every layer, and a map may mark it)")

# %% [markdown]
# *Figure 09.4.* One map, laid twice; both ways scored. The cubes leave no doubt. But sometimes the resized map scores **better**. Strides say what an output *reads*; where within that a trained layer finds its evidence, they cannot say. Place by strides: choosing by the score fits the map to the answer.
#
# ## 6 · Your turn
#
# ### Exercise 09.1 · Grad-CAM++
#
# *8 minutes, easy.* Grad-CAM++ changes the weights only ($g$: gradient at a place):
#
# $$w_k = \sum_i \alpha_k(i)\,\mathrm{ReLU}(g_k(i)),\qquad \alpha_k(i) = \frac{g^2}{2 g^2 + \big(\sum_j A_k(j)\big)\, g^3} \tag{09.3}$$
#
# All $A \ge 0$ here. Where $g = 0$, $\alpha$ is 0. Return the weights, (B, K).
#
# <details><summary>Hint 1</summary>For g > 0, α · g = g / (2 + S g), where S sums A<sub>k</sub> over its places.</details>
# <details><summary>Hint 2</summary><code>g = G.flatten(2).clamp(min=0)</code>, <code>S = A.flatten(2).sum(2, keepdim=True)</code>.</details>

# %% tags=["exercise"]
def plus_plus_weights(A, G):
    """A, G (B, K, d, h, w): a layer's output and the gradient there; returns the weights (B, K) of (09.3)."""
    ### BEGIN SOLUTION
    g = G.flatten(2).clamp(min=0)  # (B, K, places)
    total = A.flatten(2).sum(2, keepdim=True)  # (B, K, 1)
    return (g / (2 + total * g)).sum(2)  # (B, K)
    ### END SOLUTION


# %%
check("09-weights", plus_plus_weights)

# %% [markdown]
# ### Exercise 09.2 · which voxel does it look at?
#
# *12 minutes, needs thought.* A layer's map has its highest value at index $i$ along an axis. On the way to this layer lie convolutions and poolings, each with (kernel, stride, padding, dilation). Which voxel of the image is in the middle of what $i$ has read?
#
# A kernel of size $k$ with dilation $d$ reads $k$ voxels that are $d$ apart.
#
# <details><summary>Hint 1</summary>Carry two numbers through the layers, as <code>places</code> does: the step, and where index 0 looks; in the <i>image's</i> voxels.</details>
# <details><summary>Hint 2</summary>The middle moves by (k − 1) d / 2 − p <i>input</i> voxels: times the step <i>before</i> this layer.</details>

# %% tags=["exercise"]
def looks_at_voxel(index, layers):
    """index of the layer's place; layers: (kernel, stride, padding, dilation) in order; returns a voxel (float)."""
    ### BEGIN SOLUTION
    step, first = 1, 0.0
    for kernel, stride, padding, dilation in layers:
        first += step * ((kernel - 1) * dilation / 2 - padding)
        step *= stride
    return first + index * step
    ### END SOLUTION


# %%
check("09-place", looks_at_voxel)

# %% [markdown]
# ## 7 · Which layer, which method
#
# The deeper the layer, the more its channels mean, and the fewer places it has. (This network was built with small strides in its last stages. With the published ones, a head of this size would end in 2×2×2 places, and no map of so few could point.) Before you run: at which stage will Grad-CAM point best at the signal?

# %%
by_layer = {}
for layer in ("layer1", "layer2", "layer3", "layer4"):
    maps = [explain_image(model, case.image, target=case.target, layer=layer).values[0] for case in cases]
    by_layer[layer] = [localise(values, case.signal, within=case.head) for values, case in zip(maps, cases, strict=True)]
    record(f"Grad-CAM at {layer}: AUC against the signal", np.mean([score.auc for score in by_layer[layer]]))
rows = []
for layer in by_layer:
    explanation = explain_image(model, case.image, target=case.target, layer=layer)
    score = localise(explanation.values[0], case.signal, within=case.head)
    caption = f"{'×'.join(map(str, explanation.grid))} places\nAUC {score.auc:.2f}\n{explanation.note}"
    rows.append(plots.MapRow(layer, explanation.values[0], caption.strip()))
plots.show(plots.explanation_rows(t1ce, rows, position=middle, affine=case.affine, outline=case.signal))

# %% [markdown]
# *Figure 09.5.* One network, one head, one question, four layers. The [AUC](glossary.md#auc) asks whether voxels of the signal have higher values than others: 1 always, 0.5 by chance, **below 0.5 the map points away**.
#
# Four stages of one network, four different maps. At an early layer, one channel means different things at different places, and (09.1) takes one mean over them all; such a map may point *away* from a tumour that the network uses well. So say the layer whenever you show a map, and choose it before you look. The package takes the deepest stage with at least four places along each axis.
#
# Now all the methods, among them [integrated gradients](glossary.md#integrated-gradients) and [occlusion](glossary.md#occlusion).

# %%
options = {"integrated gradients": {"steps": 16}, "occlusion": {"window": 12, "stride": 12}}
rows, explained = [], {}
for name, method in METHODS.items():
    began = time.perf_counter()
    target_option = {"target": case.target} if method.asks else {}
    explained[name] = explanation = explain_image(model, case.image, method=name, **target_option, **options.get(name, {}))
    seconds = time.perf_counter() - began
    score = localise(explanation.values[0], case.signal, within=case.head)
    rows.append(plots.MapRow(name, explanation.values[0], f"{seconds:.2f} s\nAUC {score.auc:.2f}"))
    print(f"{name}: {method.summary}" + (f"\n    note: {explanation.note}" if explanation.note else ""))
plots.show(plots.explanation_rows(t1ce, rows, position=middle, affine=case.affine, outline=case.signal))

# %% [markdown]
# *Figure 09.6.* Many methods, one question. They look different because they answer different questions. And the AUC asks *all* voxels: a map may have its highest one on the signal and a modest AUC, as integrated gradients here.
#
# If integrated gradients add a note that the values do not add up, raise `steps`. A method that can say when it failed is worth a lot. Grad-CAM cannot.
#
# Browse. Which layer and method would *you* have shown? The row below each map is the same from a [re-initialised copy](glossary.md#re-initialised-copy) of the network.

# %%
from medattn_lite.widgets import explanation_browser, view_volume

browser = explanation_browser(["grade_p3d_iam", "grade_se_resnext", "grade_resnet_cbam"], cases[:2])
display(browser)

# %% [markdown]
# ## 8 · Other questions: regions and risks
#
# What you ask about is one number, and it need not be a class.
#
# - **Segmentation**: `RegionSum(1)` sums the logits of a region over the voxels found, or at one voxel.
# - **Survival**: `LogRisk("cox")` or `LogRisk("logistic")`; warm voxels speak for an *earlier death*.
#
# Back to the tiny network, for what this can and cannot tell apart. Its two channels now give a logit at each pixel, and the image has **two** bright pixels. You ask about **one** of them.

# %%
from medattn_lite.explain import LogRisk, RegionSum


class TinySegmenter(TwoLayers):
    def forward(self, x):
        logit = torch.einsum("ok,bkhw->bohw", self.head.weight, self.features(x))  # (B, 1, H, W)
        return torch.cat([torch.zeros_like(logit), logit], dim=1)  # background, region 1


two = torch.tensor([[4.0, 0.0], [3.0, -8.0]])[None, None]
segmenter = TinySegmenter([[1.0, -0.25]])
one_voxel = RegionSum(1, voxel=(0, 0))
cam = explain_image(segmenter, two, target=one_voxel, layer="features").values[0]
steps = explain_image(segmenter, two, method="integrated gradients", target=one_voxel, baseline=torch.zeros_like(two)).values[0]
print("asked about the pixel at the upper left only", "Grad-CAM", cam, "integrated gradients", steps, sep="\n")

risk = TwoLayers([[0.5, -0.125]] * 19)  # a survival head with 19 hazards, all alike
late = explain_image(risk, two, target=LogRisk("logistic"), layer="features").values[0]
print("risk of death, Grad-CAM", late, sep="\n")

# %% [markdown]
# Grad-CAM also marks the *other* bright pixel, of which you did not ask. The mean in (09.1) drops where the gradient was: it says **what** mattered, and marks it wherever it occurs. Integrated gradients keep the place. (For the risk, the factor between hazards and log risk changes the numbers and not the picture.)
#
# The same on a trained network for [MS](glossary.md#multiple-sclerosis) lesions. You ask about **one voxel**, where the planes meet:

# %%
lesions = load_trained("lesions_rsa")
scan = next(held_out(lesions, limit=1))
spot = tuple(scan.signal.nonzero()[int(scan.signal.sum()) // 2].tolist())  # one voxel of one lesion
rows = []
for name, settings in {"Grad-CAM": {}, "integrated gradients": {"steps": 6}}.items():
    explanation = explain_image(lesions.network, scan.image, method=name, target=RegionSum(1, voxel=spot), **settings)
    rows.append(plots.MapRow(name, explanation.values[0], f"of one voxel\n{explanation.layer or ''}".strip()))
plots.show(plots.explanation_rows(scan.image[0, -1], rows, position=spot, affine=scan.affine, outline=scan.signal))

# %% [markdown]
# *Figure 09.7.* One question about one voxel, two maps. Grad-CAM may be warmest far from the voxel that you asked about. Which of them tells you where the answer came from?
#
# Last, the map with nothing in it:

# %%
against = TwoLayers([[-1.0, -1.0]])
kept, cut = (explain_image(against, x, target=ClassLogit(0), layer="features", relu=relu) for relu in (False, True))
print("signed", kept.values[0], "cut at 0", cut.values[0], f"note: {kept.note}", sep="\n")
for index, name in enumerate(trained.classes):
    notes = [explain_image(model, case.image, target=ClassLogit(index, name=name), layer="layer4").note for case in cases]
    print(f"trained network, asked about {name}: {sum('negative' in note for note in notes)} of {len(notes)} maps are "
          "negative everywhere")

# %% [markdown]
# An empty picture and "nothing speaks for it" are not the same: keep the sign, and say it.
#
# ## 9 · Is the map better in some planes?
#
# The survival study behind this course reports that Grad-CAM finds the tumour better in **coronal and sagittal** slices than in axial ones. Measure it: score the map in each slice that shows signal, then take the mean.
#
# A first score is the [relevance mass](glossary.md#relevance-mass): the share of the map's positive values on the signal. Is it fair? **Guess** what a map gets that is the same everywhere, in each plane.

# %%
from medattn_lite.explain import PLANES, localise_by_plane

even = {plane: np.mean([localise_by_plane(torch.ones(size), case.signal, within=case.head)[plane].relevance_mass
                        for case in cases]) for plane in PLANES}  # fmt: skip
for plane, value in even.items():
    record(f"relevance mass of an even map, {plane}", value)

# %% [markdown]
# The even map needs no network, and still it "localises" unequally: planes cut heads of different size. Without this control you compare heads, not maps.
#
# ### Exercise 09.3 · a fair score for a plane
#
# *15 minutes, changes the experiment.* In each slice along `axis` that shows signal: the positive mass on the signal over that in the head, **divided by what an even map gets there**. Return the mean over these slices. One without a positive value counts 0.
#
# <details><summary>Hint 1</summary>In a slice, an even map gets (signal voxels) / (head voxels).</details>
# <details><summary>Hint 2</summary><code>values.select(axis, index)</code> cuts a slice. Divide slice by slice, then take the mean; a ratio of means is another number.</details>

# %% tags=["exercise"]
def mass_over_chance(values, signal, head, axis):
    """values (D, H, W); signal, head (D, H, W) bool, signal within the head; returns a float, 1 for an even map."""
    ### BEGIN SOLUTION
    ratios = []
    for index in range(values.shape[axis]):
        own, there, inside = (volume.select(axis, index) for volume in (values, signal, head))
        if not (there & inside).any():
            continue
        positive = own.clamp(min=0) * inside  # only the head counts
        share = positive[there].sum() / positive.sum() if positive.sum() > 0 else torch.tensor(0.0)
        ratios.append(float(share) / (float((there & inside).sum()) / float(inside.sum())))
    return sum(ratios) / len(ratios)
    ### END SOLUTION


# %%
check("09-planes", mass_over_chance)

# %% [markdown]
# The experiment, with your score (until it is right, with the package's), and with the AUC of each slice, whose chance is 0.5 in any plane. Intervals are over heads, where there are enough of them for one.

# %%
from medattn_lite.course.exercises import fair_mass
from medattn_lite.evaluation import Interval, mean_interval

my_score = mass_over_chance if check("09-planes", mass_over_chance).passed else fair_mass
fair, auc_of = {}, {}
maps = [explain_image(model, case.image, target=case.target).values[0] for case in cases]
plane_scores = [localise_by_plane(values, case.signal, within=case.head) for values, case in zip(maps, cases, strict=True)]
for axis, plane in enumerate(PLANES):
    ratios = [my_score(values, case.signal & case.head, case.head, axis) for values, case in zip(maps, cases, strict=True)]
    fair[plane] = mean_interval(ratios, bounds=(0, np.inf))
    auc_of[plane] = mean_interval([by_plane[plane].auc for by_plane in plane_scores], bounds=(0, 1))
    record(f"Grad-CAM, mass over chance, {plane}", fair[plane])
    record(f"Grad-CAM, AUC slice by slice, {plane}", auc_of[plane])
gain = np.array([by_plane["coronal"].auc + by_plane["sagittal"].auc - 2 * by_plane["axial"].auc for by_plane in plane_scores]) / 2
record("AUC, mean of coronal and sagittal minus axial", mean_interval(gain))
plots.show(plots.forest(fair, label="Grad-CAM: mass on the signal ÷ even map", reference=1.0, reference_label="even map"))
plots.show(plots.forest(auc_of, label="Grad-CAM: AUC slice by slice", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figures 09.8 and 09.9.* Grad-CAM by plane, on heads the network never saw.
#
# With a handful of heads the intervals are wide or missing: nothing is decided here. The package's [own table](../figures/faithfulness.md) asks every network on more of them: Grad-CAM's AUC slice by slice, with 95 % intervals. Two of these networks learned something else, a scanner's mark and shuffled labels (notebook 10). The next cell reads it from the file:

# %%
import json
from pathlib import Path

import medattn_lite

table = Path(medattn_lite.__file__).parents[1] / "figures" / "faithfulness.json"
networks = json.loads(table.read_text())["networks"] if table.exists() else {}
for facts in networks.values():
    scores = facts["methods"].get("Grad-CAM", {})
    if f"AUC in {PLANES[0]} slices" in scores:
        cells = [scores[f"AUC in {plane} slices"] for plane in PLANES]
        texts = "  ".join(f"{plane} {Interval.from_dict(c).text(2)}" for plane, c in zip(PLANES, cells, strict=True))
        print(f"{facts['variant'] + ', ' + facts['recipe']:40}{texts}")
if not networks:
    print("no table here: `medattn study faithfulness` makes it")

# %% [markdown]
# Why should a plane matter at all? Clinical slices are often 5 mm thick, with pixels of 0.5 mm, so a map looks different from plane to plane. Phantoms have equal edges: this cause is absent here. What the deck saw may come from its scans; this notebook cannot decide that.
#
# ## 10 · Onto your own file
#
# `medattn explain` takes a run, a patient's files and a name for the map, and brings the map **back onto your file's own grid**, with its [affine](glossary.md#affine): it lies on the scan in any viewer.
#
# Here with a run that was trained for seconds and has learned nothing, on a file whose axes are permuted and flipped on purpose.

# %%
import tempfile

import nibabel

from medattn_lite.cli import main
from medattn_lite.course import run_medattn, turned_copy

folder = Path(tempfile.mkdtemp())
run_medattn(main, f"train mechanisms --scale smoke --variants P3D --folds 2 --first-folds 1 --device cpu --quiet "
            f"--out {folder}/run", hide=folder, show=False)
run_medattn(main, f"phantom --n 1 --shape 24,28,24 --out {folder}/patients", hide=folder, show=False)
for path in folder.glob("patients/*/*/*.nii.gz"):
    turned_copy(path, folder, axes="PSR")  # another axis order, and axes backwards: the affine follows
channels = " ".join(f"{name}={folder}/{name}.nii.gz" for name in trained.channels)
run_medattn(main, f"explain {folder}/run --image {channels} --out {folder}/map.nii.gz", hide=folder)
scan, drawn = nibabel.load(folder / "t1ce.nii.gz"), nibabel.load(folder / "map.nii.gz")
print("axes of your file:", nibabel.aff2axcodes(scan.affine), " of the map:", nibabel.aff2axcodes(drawn.affine))
print("same shape:", scan.shape == drawn.shape, " same affine:", np.allclose(scan.affine, drawn.affine))
peak = np.unravel_index(np.argmax(drawn.get_fdata()), drawn.shape)
print("highest value at voxel", *map(int, peak), "which is at", np.round(drawn.affine @ (*peak, 1))[:3], "mm")
view_volume(folder / "t1ce.nii.gz", folder / "map.nii.gz")

# %% [markdown]
# Both files in a viewer: click on the brightest place of the map; what lies there in the scan? Any other viewer shows the same. Whoever saves only the numbers, without the affine, gets a map that some viewers lay mirrored, and nobody notices: heads are nearly symmetric.
#
# ## 11 · What goes wrong
#
# Each of these runs, and gives a picture. The tiny network of section 2 shows which are wrong: its map is known, and must add up to $y = 0.5$.

# %%
A, G = MyGradCAM(tiny, "features").look(x, ClassLogit(0))
A, G, B = A[0], G[0], tiny(x)[0].softmax(0).detach()  # (K, h, w)
mean = lambda t: t.mean((1, 2), keepdim=True)
variants = {
    "right": (mean(G) * A).sum(0),
    "cut at 0": (mean(G) * A).sum(0).relu(),
    "absolute values": (mean(G) * A).sum(0).abs(),
    "gradient of the probability": (mean(G * 0) * A).sum(0),  # one class: its softmax is 1, and flat
    "sum in place of mean": (G.sum((1, 2), keepdim=True) * A).sum(0),
    "weights and activations swapped": (mean(A) * G).sum(0),
    "scaled to 0 … 1": ((m := (mean(G) * A).sum(0)) - m.min()) / (m.max() - m.min()),
}
for name, values in variants.items():
    print(f"{name:34}{[round(v, 2) for v in values.flatten().tolist()]}   sum {values.sum():.2f}")

# %% [markdown]
# | variant | symptom |
# |---|---|
# | cut at 0 | what speaks against is gone; may be empty |
# | absolute values | what speaks against looks as if it spoke for |
# | gradient of the probability | vanishes where the network is sure, just where you want to look |
# | sum in place of mean | none in the picture, only the scale |
# | weights and activations swapped | no place left: the same value everywhere |
# | scaled to 0 … 1 | **the zero is lost**: "nothing" gets a colour, and any map has a red spot |
#
# The last is in most tools, and it is why a network that found nothing still shows a hot spot.

# %% [markdown]
# ## 12 · What the paper says, and what we found
#
# | claim | what we found |
# |---|---|
# | Grad-CAM shows where the network looks | it shows *what* mattered, painted wherever that occurs (section 8) |
# | the map is resized to the image | off by (S−1)/2 voxels for strided odd kernels (figure 09.3) |
# | keep the positive part | an all-negative map then looks empty |
# | better in coronal and sagittal planes than in axial ones (survival deck) | mixed: in section 9's table P3D + IAM is better in coronal and worse in sagittal slices, other networks differ; not in the [survival networks](../figures/survival_planes.md) |
#
# The deck shows real patients without a score; ours are phantoms with known signal.
#
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "Four 3×3×3 convolutions of stride 2, padding 1. Someone resizes the map edge on edge. How far is it off?",
        ["Not at all", "7½ voxels along every axis", "Half a voxel"],
        "7½ voxels along every axis",
        ["The middle of output 0 is voxel 0; the resize thinks it is the middle of a block of 16.",
         "Yes: S = 16, and (S − 1) / 2 = 7½. At 3 mm that is over two centimetres.",
         "Half a voxel of the *layer's* grid, nearly: that is 7½ of the image's."],
    ),
    Question(
        "A colleague's Grad-CAM of a head is empty. What do you ask first?",
        ["Whether the map was cut at 0", "Whether the head is healthy", "Which colours were used"],
        "Whether the map was cut at 0",
        ["Yes: all values may be negative, so everything seen spoke against the class.",
         "It may be; but the empty picture does not say so.", "Colours do not empty a picture."],
    ),
    Question(
        "You ask about one voxel of a segmentation, and Grad-CAM also lights up a second lesion. Does the voxel's "
        "logit depend on that lesion?",
        ["Yes, that is what the map says", "Not necessarily: the mean over places forgets where the gradient was",
         "Only in 3-D"],
        "Not necessarily: the mean over places forgets where the gradient was",
        ["In the tiny network of section 8 it did not depend on it at all.",
         "Yes. The weights say what mattered; the map paints it wherever it occurs.", "The formula is the same in 2-D."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Grad-CAM**: weight a layer's channels by the mean gradient, add them up, keep the sign.
# - **Place** the map by strides and paddings. A resize is (S−1)/2 voxels off, looks as good, and may even score better.
# - A map is *of* a layer, a method and a question. Name all three.
# - Grad-CAM tells what mattered; integrated gradients and occlusion tell where it mattered.
# - Score by plane only beside what an even map gets.
#
# **Read on:** Selvaraju et al., *Grad-CAM* ([arXiv:1610.02391](https://arxiv.org/abs/1610.02391)); Chattopadhay et al., *Grad-CAM++* ([arXiv:1710.11063](https://arxiv.org/abs/1710.11063)); Sundararajan et al., *Axiomatic attribution* ([arXiv:1703.01365](https://arxiv.org/abs/1703.01365)); Vinogradova et al., *Seg-Grad-CAM* ([arXiv:2002.11434](https://arxiv.org/abs/2002.11434)). Words: [glossary](glossary.md).
