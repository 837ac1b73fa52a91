# %% [markdown]
# # 10 · Is attention an explanation?
#
# **35 minutes to read, 35 for the exercises; about a minute to run at `smoke`, 10 at `laptop`.** Difficulty ●●●●
#
# A warm spot on the tumour convinces everybody. But would the same spot be there if the network had learned nothing? Does the network need what the spot marks? And what if it learned to read a mark of the scanner, and is right for the wrong reason?
#
# With patients, nobody knows which voxels *should* decide. With phantoms you do. So here each map is **scored**.

# %% [markdown]
# ## At the end you can
# - score a map by [pointing game](glossary.md#pointing-game), [relevance mass](glossary.md#relevance-mass) and AUC, each beside chance and beside maps that know nothing;
# - draw [deletion](glossary.md#deletion) and insertion curves, and say what "deleted" means;
# - run the [sanity checks](glossary.md#sanity-check): re-initialised weights, shuffled labels;
# - catch a network that learned a [shortcut](glossary.md#shortcut), and say what that takes;
# - answer the title's question with numbers and intervals.
#
# **You need** notebook [09](09_attention_maps_gradcam.ipynb): Grad-CAM, its place, signed maps. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # this notebook needs to know where the signal is, which only phantoms tell
DATA_ROOT = None

# %%
import json
from pathlib import Path

import numpy as np
import torch
from IPython.display import Markdown, display

import medattn_lite
from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.evaluation import Interval, bootstrap, mean_interval, paired_mean_interval, share_interval
from medattn_lite.explain import METHODS, ClassLogit, explain_image, held_out, ignorant_maps, localise
from medattn_lite.networks import load_trained

NUMBERS = scale_numbers(
    SCALE,
    smoke={"subjects": 3, "steps": 6, "points": 5, "window": 16},
    laptop={"subjects": 16, "steps": 16, "points": 20, "window": 12},
    paper={"subjects": 80, "steps": 32, "points": 20, "window": 8},
)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# Two trained networks of the same build, P3D with inter-slice attention. A hospital sends new heads. Both do well:

# %%
from dataclasses import replace

from medattn_lite.data import normalise
from medattn_lite.evaluation import auc
from medattn_lite.explain import cohort_of

first, second = load_trained("grade_p3d_iam"), load_trained("grade_p3d_iam_mark")
cases = list(held_out(first, limit=NUMBERS["subjects"]))  # high grades
marked = list(held_out(second, limit=NUMBERS["subjects"], marked=True))  # the same build of head, with a mark
cohort = cohort_of(first)
rows = [row for row, name in enumerate(cohort.subjects) if name in first.tested and not cohort.labels[row]]
people = [cohort.subject(row) for row in rows[: NUMBERS["subjects"]]]  # low grades
low, low_marked = ([normalise(cohort.render(replace(person, shortcut=mark))["image"])[None] for person in people]
                   for mark in (False, True))


@torch.no_grad()
def probability(trained, images):
    return np.array([float(trained.network(image).softmax(1)[0, 1]) for image in images])


sent = [case.image for case in marked] + low
for name, trained in (("A", first), ("B", second)):
    record(f"network {name}, AUC on these heads", auc([1] * len(marked) + [0] * len(low), probability(trained, sent)))

# %% [markdown]
# One of the two decides almost only by something beside the head. This hospital's scanner puts a small bright mark beside every head with a high grade, in training and here. Network B reads the mark.
#
# **Guess before you go on.** Would a map give it away? Which one: attention, Grad-CAM, something else? What would you have to look at?
#
# First you need a way to score maps.

# %% [markdown]
# ## 2 · By hand
#
# Nine pixels, a map, and a signal of two pixels, in brackets:
#
# | | | |
# |---|---|---|
# | 0.1 | 0.2 | 0 |
# | 0.4 | **(0.9)** | 0.3 |
# | 0 | −0.5 | **(0.1)** |
#
# Take a pencil.
#
# 1. **Pointing game**: is the highest pixel one of the signal's?
# 2. **Relevance mass**: positive values on the signal, over all positive values.
# 3. **AUC**: of all 2 × 7 pairs of a signal pixel and another one, in how many is the signal's higher? A tie counts one half.

# %%
values = torch.tensor([[0.1, 0.2, 0.0], [0.4, 0.9, 0.3], [0.0, -0.5, 0.1]])
signal = torch.tensor([[0, 0, 0], [0, 1, 0], [0, 0, 1]]).bool()
positive = values.clamp(min=0)
print("highest pixel is signal:", bool(signal.flatten()[values.argmax()]))
print("relevance mass:", round(float(positive[signal].sum() / positive.sum()), 3))
wins = [float(a > b) + 0.5 * float(a == b) for a in values[signal] for b in values[~signal]]
print(f"AUC: {sum(wins)} of {len(wins)} pairs, {sum(wins) / len(wins)}")
print("the package:", localise(values, signal))

# %% [markdown]
# Three scores, three different questions. The first looks at one pixel; the second at how much; the third at the order of all.
#
# **Deletion by hand.** A score adds up three places: 5 + 3 + 2 = 10. Take them away in the order of a map, and draw what is left, as a share of 10. The area under it says how good the order is: lower is better. Compute it for the order 5, 3, 2 and for 2, 3, 5.

# %%
for order in ([5, 3, 2], [2, 3, 5], [3, 5, 2]):
    left = 1 - np.cumsum([0, *order]) / 10
    print(f"away in the order {order}: left {left.round(2)}, area {np.trapezoid(left, dx=1 / 3):.2f}")

# %% [markdown]
# The best order gets 0.4, the worst 0.6, and a random one 0.5 in the mean. So **neither 0 nor 1 is the yardstick: a random order is.**
#
# ## 3 · From loops to volumes
#
# $$\mathrm{AUC} = \frac{1}{n_+ n_-} \sum_{i \in S} \sum_{j \notin S} \big[m_i > m_j\big] + \tfrac12 \big[m_i = m_j\big] \tag{10.1}$$
# $$\mathrm{area} = \int_0^1 \frac{y(x_s) - y(x_1)}{y(x_0) - y(x_1)}\,ds \tag{10.2}$$
#
# $S$ is the signal, $m_i$ the map at voxel $i$, $n_+$ and $n_-$ the voxels in and outside $S$; $y$ is the network's logit for high grade, $x_s$ the image whose share $s$ of voxels, the most relevant first, was replaced by those of a strongly blurred copy. A head has 60,000 voxels, and pairs without number. Sort once, and count by **rank**: the sum of the signal's ranks holds the same number.

# %% tags=["setup"]
def auc_loop(values, signal):
    pairs = [(a, b) for a in values[signal] for b in values[~signal]]
    return sum(float(a > b) + 0.5 * float(a == b) for a, b in pairs) / len(pairs)  # (10.1)


# %% tags=["slide"]
def auc_by_rank(values, signal):
    order = values.argsort()
    ranks = torch.empty(len(values), dtype=torch.float64)
    ranks[order] = torch.arange(1, len(values) + 1, dtype=torch.float64)  # 1 for the lowest
    inside = int(signal.sum())
    above = ranks[signal].sum() - inside * (inside + 1) / 2  # pairs that the signal wins, if nothing ties
    return float(above / (inside * (len(values) - inside)))


# %% [markdown]
# ## 4 · Does it equal the real thing?
#
# Against the loop, the package, and [scikit-learn](https://scikit-learn.org)'s area under the ROC curve: all four are one number, though only one of them ever mentions pairs.

# %%
from sklearn.metrics import roc_auc_score

generator = torch.Generator().manual_seed(SEED)
noise, there = torch.randn(300, generator=generator), torch.rand(300, generator=generator) > 0.8
noise = noise + there * 0.7
numbers = [auc_loop(noise, there), auc_by_rank(noise, there), localise(noise, there).auc, roc_auc_score(there, noise)]
np.testing.assert_allclose(numbers, numbers[0], rtol=1e-9)
print("loop, ranks, package and scikit-learn:", [round(number, 6) for number in numbers])

# %% [markdown]
# ## 5 · Your turn
#
# ### Exercise 10.1 · relevance mass
#
# *5 minutes, easy.* The share of a map's positive values, **inside the head**, that lies on the signal. A map without a positive value there has no such share: return `float("nan")`.
#
# <details><summary>Hint 1</summary>Values below 0 speak against the class: count them as 0. Voxels outside the head do not count at all, neither above nor below the line.</details>
# <details><summary>Hint 2</summary><code>values.clamp(min=0) * head</code> does both; the signal may reach out of the head, so use <code>signal &amp; head</code>.</details>

# %% tags=["exercise"]
def relevance_mass(values, signal, head):
    """values (D, H, W); signal, head (D, H, W) bool; returns a float between 0 and 1, or NaN."""
    ### BEGIN SOLUTION
    positive = values.clamp(min=0) * head
    total = float(positive.sum())
    return float(positive[signal & head].sum()) / total if total > 0 else float("nan")
    ### END SOLUTION


# %%
check("10-mass", relevance_mass)

# %% [markdown]
# ### Exercise 10.2 · a deletion curve
#
# *15 minutes, needs thought.* Return the scores while more and more of the image is taken away: at shares 0, 1/steps, …, 1. At share $s$, the `round(s · N)` most relevant of the N places have the value of `empty`, in **all channels**.
#
# <details><summary>Hint 1</summary>Sort the places once, most relevant first. At each share, start from the whole image again.</details>
# <details><summary>Hint 2</summary><code>order = values.flatten().argsort(descending=True)</code>; in <code>image.flatten(1).clone()</code> (C, N), set the columns <code>order[:n]</code>; <code>reshape</code> back before you ask for the score.</details>

# %% tags=["exercise"]
def deletion_scores(score, image, empty, values, steps):
    """score: image → float; image, empty (C, H, W); values (H, W); returns a list of steps + 1 floats."""
    ### BEGIN SOLUTION
    order = values.flatten().argsort(descending=True)  # (N,): the most relevant first
    scores = []
    for step in range(steps + 1):
        gone = order[: round(step / steps * len(order))]
        changed = image.flatten(1).clone()  # (C, N)
        changed[:, gone] = empty.flatten(1)[:, gone]
        scores.append(float(score(changed.reshape(image.shape))))
    return scores
    ### END SOLUTION


# %%
check("10-deletion", deletion_scores)

# %% [markdown]
# ## 6 · Do the maps lie on the signal?
#
# The **signal** is what only a high grade has: a part of the tumour, not all of it. Network A on heads it never saw: the methods, and four maps that are made **without a network**: noise, the middle of the head, its edges, its brightness. A method has shown something only where it beats those.
#
# **Guess:** which method is best, and does any lose to plain brightness?

# %%
OPTIONS = {"integrated gradients": {"steps": NUMBERS["steps"]}, "occlusion": {"window": NUMBERS["window"]}}


def map_of(model, case, name):
    target_option = {"target": case.target} if METHODS[name].asks else {}
    return explain_image(model, case.image, method=name, **target_option, **OPTIONS.get(name, {})).values[0]


maps = {name: [map_of(first.network, case, name) for case in cases] for name in METHODS}
blind = {name: [ignorant_maps(case.image[0])[name] for case in cases] for name in ignorant_maps(cases[0].image[0])}
blind = {name: [values - values.amin() for values in maps_of_name] for name, maps_of_name in blind.items()}  # none below 0

# %%
def located(maps, score):
    """Mean over heads with its interval, where there are enough heads for one."""
    scores = [localise(values, case.signal, within=case.head).as_dict()[score] for values, case in zip(maps, cases, strict=True)]
    scores = np.array(scores)[np.isfinite(scores)]
    return share_interval(scores) if score == "pointing game" else mean_interval(scores, bounds=(0, 1))


auc_of = {name: located(maps_of_name, "AUC") for name, maps_of_name in {**maps, **blind}.items()}
for name, interval in auc_of.items():
    record(f"AUC against the signal, {name}", interval)
plots.show(plots.forest(auc_of, label="AUC of the map against the signal", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 10.1.* The ways to ask one network, and four maps made without it. Left of the line a map points *away* from the signal.
#
# Now the other two scores. Do they agree on who is best?

# %%
for score in ("pointing game", "relevance mass"):
    scored = {name: located(maps_of_name, score) for name, maps_of_name in {**maps, **blind}.items()}
    print(f"\n{score}:")
    for name, interval in scored.items():
        print(f"  {name:22}{interval.text(2)}")

# %% [markdown]
# They need not. A method may hit with its highest voxel and scatter the rest; another may cover the tumour and much around it. **Which score counts depends on what you want of a map**: to be sent to a place, or to be shown an extent. Say which before you look.
#
# ## 7 · Does the network need what the map marks?
#
# A map may lie on the tumour because tumours are bright. So ask the network: take away what the map calls relevant and watch the score fall. "Away" must be defined. Here blocks of 4×4×4 voxels are **blurred**; a black hole would itself be something to react to.

# %%
from medattn_lite.explain import deletion_curve, insertion_curve

curve_options = {"target": ClassLogit(1), "steps": NUMBERS["points"]}
orders = {name: maps[name] for name in ("Grad-CAM", "Grad-CAM++", "occlusion", "attention")}
orders["the signal itself"] = [case.signal.float() for case in cases]
orders["random"] = blind["noise"]
curves = {name: [deletion_curve(first.network, case.image, values, within=case.head, **curve_options)
                 for values, case in zip(order, cases, strict=True)] for name, order in orders.items()}
shares = curves["random"][0].shares
scaled = {name: torch.stack([curve.scaled for curve in curves_of_name]).nanmedian(0).values for name, curves_of_name in curves.items()}
plots.show(plots.lines(shares, scaled, xlabel="share of the head taken away", ylabel="score left (median)"))

# %% [markdown]
# *Figure 10.2.* Deletion. The lower a line lies, the more the network needed what was taken first. "Random" is the yardstick. "The signal itself" is a map made by someone who knows the answer. (At `smoke` a line has six points: read where it lies beside "random", not its shape.)
#
# And the other way round, from an empty image, most relevant first. Below, both areas.

# %%
added = {name: [insertion_curve(first.network, case.image, values, within=case.head, **curve_options).area
                for values, case in zip(orders[name], cases, strict=True)] for name in orders}
print(f"{'':22}{'deletion (low is good)':>28}{'insertion (high is good)':>30}")
areas = {}
for name in orders:
    out, back = (bootstrap(np.median, np.array(areas)[np.isfinite(areas)])
                 for areas in ([curve.area for curve in curves[name]], added[name]))
    print(f"{name:22}   {out.text(2)}; {back.text(2)}")
    areas[name] = out
for name, out in areas.items():
    record(f"deletion area, {name}", out)

# %% [markdown]
# If even "the signal itself" is not far below random, then this network decides by more than the signal, or blurring is no good "away". Both happen. A curve says something of map **and** network **and** fill; only differences between maps on one network with one fill are worth reading.

# %% [markdown]
# ## 8 · Sanity checks: re-initialise the network
#
# Adebayo et al. asked: *replace what the network learned by random weights. Does the map change?* If not, it never showed what was learned. Draw the weights anew, from the last layer towards the first, and compare the map with the original one, by rank of its absolute values.
#
# ### Exercise 10.3 · how alike are two maps?
#
# *12 minutes, changes the experiment.* Spearman's correlation: take **absolute values**, only voxels **of the head**, replace each by its **rank**, and correlate the ranks.
#
# <details><summary>Hint 1</summary><code>argsort</code> gives an order, not ranks. The rank of each voxel is the <code>argsort</code> of the <code>argsort</code>.</details>
# <details><summary>Hint 2</summary><code>torch.corrcoef(torch.stack([a, b]))[0, 1]</code> correlates two rows of floats.</details>

# %% tags=["exercise"]
def alike(first, second, head):
    """first, second (D, H, W) maps without ties, head (D, H, W) bool; returns a float between -1 and 1."""
    ### BEGIN SOLUTION
    ranks = [values.abs()[head].argsort().argsort().double() for values in (first, second)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])
    ### END SOLUTION


# %%
check("10-alike", alike)

# %% [markdown]
# Now re-initialise the network in steps, from the output to the input (a *cascade*), and compare with your function (until it is right, with the package's). **Guess:** which map changes least once no learned weight is left?

# %%
from medattn_lite.explain import cascade, reinitialised_copy, similarity

case, compare = cases[0], (alike if check("10-alike", alike).passed else lambda a, b, head: similarity(a, b, within=head))
watched = ("Grad-CAM", "Grad-CAM++", "integrated gradients", "attention")
start, stages = {name: maps[name][0] for name in watched}, ["as trained"]
kept = {name: [1.0] for name in watched}
for layer, reset in cascade(first.network, seed=SEED, parts=4):
    stages.append(layer)
    for name in watched:
        kept[name].append(compare(start[name], map_of(reset, case, name), case.head))
plots.show(plots.lines(range(len(stages)), kept, xlabel="parts of the network re-initialised, from the output down",
                       ylabel="rank correlation with its own map"))
print("reached:", ", ".join(stages))

# %% [markdown]
# *Figure 10.3.* If the correlation stays near 1, the map depends on the image and the architecture, not on what was learned. One seed and one head; try others.
#
# The second check needs a training: the same network on **shuffled labels**. Labels were shuffled among the patients it was trained on, and among those its checkpoint was chosen by, so neither training nor choice knew a grade. It is tested on true ones: 0.5 should lie in the interval of its AUC, though one training may fall to either side (three seeds: 0.55, 0.51, 0.40). Where do *its* maps lie?

# %%
shuffled = load_trained("grade_p3d_iam_shuffled")
forgot = reinitialised_copy(first.network, seed=SEED, images=torch.cat([case.image for case in cases]))
record("AUC of the network with shuffled labels", next(iter(shuffled.facts["scores"].values()))["value"])
checked = {}
for name in ("Grad-CAM", "Grad-CAM++", "attention"):
    for who, model in (("trained", first.network), ("shuffled labels", shuffled.network), ("re-initialised", forgot)):
        checked[f"{name}, {who}"] = located([map_of(model, case, name) for case in cases], "AUC")
        record(f"AUC of the map, {name}, {who}", checked[f"{name}, {who}"])
plots.show(plots.forest(checked, label="AUC of the map against the signal", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 10.4.* Three networks of one build. Where the bar of a network that knows nothing is clear of one half, its maps find tumours without having learned any: tumours are bright and edged, and random filters respond to bright edges. **Only what the trained network adds to that was learned.** One warm spot on a tumour does not say which it is.
#
# Browse: the network's map, and that of its re-initialised copy. For which methods could you tell the two apart?

# %%
from medattn_lite.widgets import explanation_browser

browser = explanation_browser(["grade_p3d_iam", "grade_p3d_iam_shuffled"], cases[:2])
display(browser)

# %% [markdown]
# ## 9 · Find the shortcut
#
# Back to network B. First the test that needs no map: the same heads **with and without the mark**.

# %%
groups = {"high grade, mark": [case.image for case in marked], "high grade, no mark": [case.image for case in cases],
          "low grade, mark": low_marked, "low grade, no mark": low}  # fmt: skip
for name, trained in (("A", first), ("B", second)):
    answers = {group: probability(trained, images) for group, images in groups.items()}
    for group, values in answers.items():
        print(f"network {name}, {group:20}: probability of high grade {values.round(2).tolist()}")
    change = np.concatenate([answers[f"{grade} grade, mark"] - answers[f"{grade} grade, no mark"] for grade in ("high", "low")])
    record(f"network {name}: what the mark adds to the probability of high grade", mean_interval(change))
    record(f"network {name}: AUC on its test heads, none with a mark", next(iter(trained.facts["scores"].values()))["value"])

# %% [markdown]
# That is the proof: one thing was changed, and the answer moved. (B's AUC on heads *without* marks is still above one half: it calls them all low grade, but AUC sees only their order, and that holds something of the tumour. Look at the probabilities, not at the AUC alone.)
#
# But you had to *suspect* the mark. Can a map raise the suspicion? On the marked heads, how well does each map find the mark?

# %%
def on_the_mark(trained, name):
    scores = [localise(map_of(trained.network, case, name), case.mark, within=case.counted).as_dict() for case in marked]
    return {score: np.array([row[score] for row in scores]) for score in ("relevance mass", "AUC")}


caught = {}
for name in ("Grad-CAM", "Grad-CAM++", "integrated gradients", "attention"):  # occlusion takes longer: try it
    for who, trained in (("A", first), ("B, reads the mark", second)):
        aucs = on_the_mark(trained, name)["AUC"]
        caught[f"{name}: {who}"] = mean_interval(aucs, bounds=(0, 1))
        record(f"AUC of the map against the mark, {name}, network {who}", caught[f"{name}: {who}"])
plots.show(plots.forest(caught, label="AUC of the map against the mark", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 10.5.* How well each map finds the mark, for network A and for network B, which reads it. **Compare within a method**: a map may lie on the mark of A as well, since a mark is bright and edged.

# %%
case = marked[0]
place = tuple(case.mark.nonzero().float().mean(0).round().long().tolist())
flair = case.image[0, second.channels.index("flair")]
rows = [plots.MapRow(f"{who}: {name}", map_of(trained.network, case, name))
        for name in ("Grad-CAM", "integrated gradients", "attention") for who, trained in (("A", first), ("B", second))]
plots.show(plots.explanation_rows(flair, rows, position=place, affine=case.affine, outline=case.mark))

# %% [markdown]
# *Figure 10.6.* Three planes through the mark (the line). Which rows would have made you suspicious, had there been no line?
#
# What it took to find the shortcut:
#
# - **to look outside the head.** If you mask the background for a prettier picture, you hide the mark;
# - a method that can point at something small: a coarse map spreads it over its surroundings;
# - a comparison, with an honest network or with the head without the mark;
# - and in the end **not a map but an experiment**.
#
# ## 10 · All mechanisms
#
# The same question to every mechanism. Live on a few heads, for the methods that cost little:

# %%
NAMES = {"P3D": "grade_p3d", "P3D + IAM": "grade_p3d_iam", "SE-ResNeXt": "grade_se_resnext", "CBAM": "grade_resnet_cbam"}
everyone = {}
for name, known in NAMES.items():
    trained = load_trained(known)
    has_map = any(getattr(module, "kind", "") == "spatial" for module in trained.network.modules())
    for method in ("Grad-CAM", "Grad-CAM++", *(["attention"] if has_map else [])):
        everyone[f"{name}: {method}"] = located([map_of(trained.network, case, method) for case in cases], "AUC")
everyone["brightness alone"] = auc_of["brightness"]
plots.show(plots.forest(everyone, label="AUC of the map against the signal", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 10.7.* Mechanisms and methods. The package's own table has more heads, and more scores where they were measured (—: not yet). Rows with n = 12 are of earlier networks and an earlier phantom ([faithfulness](../figures/faithfulness.md)). It is read here, not typed:

# %%
table = Path(medattn_lite.__file__).parents[1] / "figures" / "faithfulness.json"
networks = json.loads(table.read_text())["networks"] if table.exists() else {}
SCORES = ("pointing game", "relevance mass", "AUC", "deletion area", "insertion area", "like the re-initialised network's")
cell = lambda value: "—" if not value else Interval.from_dict(value).text(2)
lines = ["| network | method | " + " | ".join(SCORES) + " |", "|---" * (len(SCORES) + 2) + "|"]
for facts in networks.values():
    for method, scores in facts["methods"].items():
        if facts["recipe"] == "mechanisms" and (method in METHODS or method in ("noise", "brightness")):
            lines.append(f"| {facts['variant']} | {method} | " + " | ".join(cell(scores.get(name)) for name in SCORES) + " |")
display(Markdown("\n".join(lines) if networks else "No table here: `medattn study faithfulness` makes it."))

# %% [markdown]
# Low is good for deletion, high for insertion; near 0, a map is unlike that of the re-initialised copy. Read within a network: is there a method that is best by every score? Then from network to network, where both were measured on the same phantom: does a mechanism of attention make *maps* better, or only the network?
#
# ## 11 · What goes wrong
#
# Scores can be made too high. "The middle of the head" is a map made without a network; see what it can be made to score.

# %%
case, middle = cases[0], blind["middle"][0]
whole, inside = localise(middle, case.signal), localise(middle, case.signal, within=case.head)
print(f"the background counts too: AUC {whole.auc:.2f} in place of {inside.auc:.2f}")
signed = -blind["brightness"][0]
print(f"absolute values of a map that speaks against: AUC {localise(signed, case.signal, within=case.head).auc:.2f} "
      f"becomes {localise(signed.abs(), case.signal, within=case.head).auc:.2f}")
exact, near = (localise(maps["Grad-CAM"][0], case.signal, within=case.head, tolerance=t).pointing_game for t in (0, 8))
print(f"a hit counts up to 8 voxels beside the signal: pointing game of Grad-CAM {near:.0f} in place of {exact:.0f}")
for fill in ("blur", "dark"):
    curve = deletion_curve(first.network, case.image, blind["noise"][0], within=case.head, fill=fill, **curve_options)
    print(f"deletion in random order, filled with {fill}: area {curve.area:.2f}")

# %% [markdown]
# | mistake | symptom |
# |---|---|
# | the background counts | every map that stays in the head looks good |
# | absolute values | what speaks against seems to speak for |
# | generous tolerance | hits without aim |
# | another fill | the area moves (above: random order, one head); do not compare areas of two papers |
# | curve of the probability | hardly moves near 0 or 1, while the logit falls (not shown here) |
# | no comparison with a map made without a network | brightness looks like a finding |
# | one head shown | chosen because it looked right |

# %% [markdown]
# ## 12 · What the papers say, and what we found
#
# First the sum of this run:

# %%
scores = {name: np.array([localise(v, o.signal, within=o.head).auc for v, o in zip(m, cases, strict=True)])
          for name, m in {**maps, "brightness": blind["brightness"]}.items()}
for name in METHODS:
    gap = paired_mean_interval(scores[name], scores["brightness"])
    verdict = "no verdict against" if not gap.is_given else "beats" if gap.low > 0 else "loses to" if gap.high < 0 \
        else "is not shown to differ from"  # fmt: skip
    print(f"{name}: AUC {auc_of[name].text(2)}; {verdict} brightness: {gap.text(2)}")
print(f"network B on marked heads, attention against the mark: AUC {caught['attention: B, reads the mark'].text(2)}")

# %% [markdown]
# | claim | where to read what we found |
# |---|---|
# | attention shows what the network uses (many medical papers) | the lines above; the same map whichever class you ask about |
# | *Attention is not explanation* (Jain, Wallace 2019) | figures 10.1 and 10.2 for "attention" |
# | *… is not not explanation* (Wiegreffe, Pinter 2019): ask what it is needed for | what a network loses when its map is made flat: notebooks 03 to 05 |
# | some saliency maps hardly change when weights are re-initialised (Adebayo et al. 2018) | figures 10.3 and 10.4 |
# | maps unmask shortcuts | figure 10.5: compare within a method |
#
# Phantoms, small networks, one training each. A map that fails here may do better elsewhere; a claim without a score is not yet shown.

# %% [markdown]
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "A paper shows six heads with warm spots on the tumours. What does that show?",
        ["That the network uses the tumour", "That six pictures exist", "That attention is an explanation"],
        "That six pictures exist",
        ["A re-initialised copy may have the same spots: figure 10.4.",
         "Yes. No score, no chance level, no control map, no sanity check, and who chose the six?",
         "Not without asking whether the network needs what is marked."],
    ),
    Question(
        "A map's rank correlation with that of the re-initialised network is 0.95. Is it faithful?",
        ["Yes, it is stable", "It hardly depends on what was learned", "It proves a shortcut"],
        "It hardly depends on what was learned",
        ["Stable under the wrong change: all knowledge was thrown away.",
         "Yes: it shows the picture and the architecture.", "A shortcut is learned; re-initialising would remove it."],
    ),
    Question(
        "How do you prove that a network reads the scanner's mark?",
        ["Show a map that is warm there", "Take the mark away, change nothing else, and see the answer move",
         "Compute its test AUC"],
        "Take the mark away, change nothing else, and see the answer move",
        ["That raises a suspicion; an honest network's map may be warm there too.",
         "Yes: an intervention, with an honest network beside it.", "It is high where test heads carry the mark too."],
    ),
])

# %% [markdown]
# ## Summary
#
# - Score maps: where they lie, whether the network needs it, whether they depend on learning.
# - Beside every score: chance, maps made without a network, a re-initialised copy, an interval.
# - An attention map shows what a layer lets through. It is the same map whichever class you ask about.
# - A map raises a suspicion. An intervention proves it.
#
# **Read on:** Jain, Wallace ([arXiv:1902.10186](https://arxiv.org/abs/1902.10186)); Wiegreffe, Pinter ([arXiv:1908.04626](https://arxiv.org/abs/1908.04626)); Adebayo et al., *Sanity checks* ([arXiv:1810.03292](https://arxiv.org/abs/1810.03292)); Petsiuk et al., *RISE* ([arXiv:1806.07421](https://arxiv.org/abs/1806.07421)). Words: [glossary](glossary.md).
