# %% [markdown]
# # 11 · Explore: what if the tumour were another one?
#
# **30 minutes to read, 15 for the exercises; about a minute to run at `smoke`, 8 at `laptop`.** Difficulty ●●○○
#
# You have built the parts. Now move them. Take one synthetic head and change its tumour: larger, elsewhere, without contrast enhancement. Watch what six networks say, and what their maps show. With a patient you could not do this: nobody has the same brain with another tumour. That is what a [counterfactual](glossary.md#counterfactual) is.
#
# All networks here come trained with the package. Nothing has to be trained before a slider moves.

# %% [markdown]
# ## At the end you can
# - find out what a network reacts to, by changing one thing at a time;
# - read a dose–response curve of a network, and find where its answer tips;
# - compare mechanisms on one and the same person, with their costs;
# - follow what a voxel looks at through slice attention and non-local attention;
# - say what an exploration shows, and what it does not.
#
# **You need** notebooks [05](05_p3d_iam.ipynb), [06](06_nonlocal_rsa.ipynb), [08](08_survival.ipynb), [09](09_attention_maps_gradcam.ipynb) and [10](10_is_attention_an_explanation.ipynb), or curiosity. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # only a phantom can have another tumour
DATA_ROOT = None

# %%
import time
from dataclasses import replace

import numpy as np
import torch
from IPython.display import display

from medattn_lite import plots
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.evaluation import Interval
from medattn_lite.explain import SITES, Laboratory, Tumour
from medattn_lite.networks import load_trained, trained_facts, trained_names

NUMBERS = scale_numbers(SCALE, smoke={"points": 5, "people": 1, "patients": 40}, laptop={"points": 11, "people": 8, "patients": 120},
                        paper={"points": 21, "people": 30, "patients": 400})  # fmt: skip
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))
for name in trained_names():
    facts = trained_facts(name)
    score, value = next(iter(facts["scores"].items()))
    print(f"{name:26}{facts['variant']:30}{score} {Interval.from_dict(value).text()}")

# %% [markdown]
# These are the networks, each with its score on synthetic heads that it never saw.
#
# **How to explore.** Guess first, aloud or on paper. Move *one* thing. Look. If the answer surprises you, do not explain it yet: move something that would tell two explanations apart.

# %% [markdown]
# ## 1 · The counterfactual phantom
#
# One head. The grey marks are the answers before you touched anything. Sliders work with the arrow keys, too.

# %%
from medattn_lite.widgets import counterfactual_phantom

laboratory = Laboratory(person=3)
explorer = counterfactual_phantom(laboratory)
display(explorer)

# %% [markdown]
# *Figure 11.1.* The explorer: the head in three planes with the chosen map, what each network says, and survival by the phantom's own law.
#
# How long does it take from slider to picture?

# %%
seconds = []
for diameter in (28.0, 60.0, 36.0):
    began = time.perf_counter()
    explorer.set(diameter_mm=diameter)  # as if you had moved the slider
    seconds.append(time.perf_counter() - began)
record("seconds from slider to picture, a tumour not seen before", round(float(np.median(seconds)), 2))
began = time.perf_counter()
explorer.set(opacity=0.4)
record("seconds from slider to picture, another opacity", round(time.perf_counter() - began, 2))

# %% [markdown]
# ### Exploration 1 · size
#
# Is size a clue at all in the heads that these networks learned from? Decide it by a number: how well does the diameter alone tell the grades apart? (0.5 is chance.)

# %%
from medattn_lite.evaluation import auc_interval
from medattn_lite.explain import cohort_of

cohort = cohort_of(load_trained("grade_p3d_iam"))
ordered = [cohort.subject(row).pathology.diameter_mm for row in range(len(cohort))]
record("AUC of the diameter alone, low or high grade", auc_interval(cohort.labels, ordered))
medians = [np.median([mm for mm, label in zip(ordered, cohort.labels, strict=True) if label == grade]) for grade in (0, 1)]
print("median diameter: low grade {:.0f} mm, high grade {:.0f} mm".format(*medians))

# %% [markdown]
# **Guess.** You shrink the tumour and change nothing else: it still has its rim of enhancement and its necrotic core. Will the networks stay with "high grade"? Which changes its answer first? (One may say "low" from the start: a high AUC means the right *order* of heads, and all probabilities may still lie too low.)
#
# Move **diameter** from 80 down to 0. What do they say of a head with no tumour at all? (They have only two answers, and neither is "healthy".)
#
# Then the same as a curve, for all of them at once:

# %%
def answers(people, tumours):
    """Mean probability of high grade over people: network → one value for each tumour."""
    means = {name: np.zeros(len(tumours)) for name in laboratory.networks}
    for person in people:
        room = laboratory if person == laboratory.person else Laboratory(person=person, networks=laboratory.networks)
        for place, tumour in enumerate(tumours):
            for name, value in room.look(tumour, method=None).probabilities.items():
                means[name][place] += value / len(people)
    return means


people, start = range(3, 3 + NUMBERS["people"]), Tumour()
diameters = np.linspace(12, 72, NUMBERS["points"])
by_size = answers(people, [replace(start, diameter_mm=float(d)) for d in diameters])
plots.show(plots.lines(diameters, by_size, xlabel="diameter, mm", ylabel="probability of high grade", ylim=(0, 1)))

# %% [markdown]
# *Figure 11.2.* Dose and response: size. Mean over `people` heads: one at `smoke`, more at `laptop`.
#
# ### Exercise 11.1 · where does it tip?
#
# *5 minutes, easy.* Find the first place where a curve crosses 0.5, in either direction, on the straight line between two points. NaN, `float("nan")`, if it never does.
#
# <details><summary>Hint 1</summary>Two neighbours lie on different sides when <code>(a - 0.5) * (b - 0.5) &lt;= 0</code>.</details>
# <details><summary>Hint 2</summary>The share of the way from x₀ to x₁ is <code>(0.5 - a) / (b - a)</code>.</details>

# %% tags=["exercise"]
def tips_at(x, probability):
    """x, probability: lists of one length, x rising; returns a float, or NaN."""
    ### BEGIN SOLUTION
    for place in range(len(x) - 1):
        a, b = probability[place], probability[place + 1]
        if a != b and (a - 0.5) * (b - 0.5) <= 0:
            return float(x[place] + (0.5 - a) / (b - a) * (x[place + 1] - x[place]))
    return float("nan")
    ### END SOLUTION


# %%
check("11-tips", tips_at)

# %% [markdown]
# For every network (by the package's function, so that this runs before yours is right):

# %%
from medattn_lite.course.exercises import tipping_point

for name, values in by_size.items():
    tipping = tipping_point(list(diameters), list(values))
    record(f"diameter at which {name} tips", "never" if np.isnan(tipping) else f"{tipping:.0f} mm")

# %% [markdown]
# ### Exploration 2 · what makes it high grade?
#
# **Guess.** In these heads a high grade *is* enhancement and necrosis; the site says nothing. Which of the four sliders will move the answers most? Do all networks agree?
#
# Put **enhancement** to 0 in the explorer. Then put **necrosis** to 0 as well. Then bring one back.

# %%
shares = np.linspace(0, 0.9, NUMBERS["points"])
traits = {"enhancement": shares, "necrosis": shares, "oedema": shares}
moved = {}
for trait, values in traits.items():
    moved[trait] = answers(people, [replace(start, **{trait: float(value)}) for value in values])
moved["site"] = answers(people, [replace(start, site=site) for site in SITES])
print(f"{'from lowest to highest answer':32}" + "".join(f"{trait:>14}" for trait in moved))
for name in laboratory.networks:
    print(f"{name:32}" + "".join(f"{np.ptp(moved[trait][name]):14.2f}" for trait in moved))
plots.show(plots.lines(shares, moved["enhancement"], xlabel="share of the living core that enhances",
                       ylabel="probability of high grade", ylim=(0, 1)))

# %% [markdown]
# *Figure 11.3.* Dose and response: enhancement. The table says how far each trait can move each network.
#
# Does oedema move them too? Before you call that a mistake: the diameter is that of the *whole* tumour, so more oedema leaves less core, and less that enhances. **One slider moved two things.** The site moves only one. A network that reacts to it has picked up something of its training heads.
#
# What you read off is what the network uses. Whether it *should* is another question; here you know the cohort's rule.

# %% [markdown]
# ### Exploration 3 · the network that reads a mark
#
# **Guess.** Tick **scanner mark**. Nothing in the brain changes. Which bars will move?

# %%
for mark in (False, True):
    after = laboratory.look(replace(start, enhancement=0.0, necrosis=0.0, mark=mark), method=None).probabilities
    print("mark  " if mark else "no mark", "  ".join(f"{name} {value:.2f}" for name, value in after.items()))
explorer.set(diameter_mm=44.0, mark=True, network="P3D + IAM, scanner mark", method="Grad-CAM++", opacity=0.6)

# %% [markdown]
# *Figure 11.4.* The head with the mark, and the map of the network that learned the mark.
#
# ### Exercise 11.2 · an effect, beside its control
#
# *10 minutes, needs thought.* How much does one change move one network, **beyond** what it moves another? `look(tumour)` gives network → probability. Return (change of `network`) − (change of `control`), where a change is *after* minus *before*.
#
# <details><summary>Hint 1</summary>Call <code>look</code> twice: with the tumour as it is, and with the change.</details>
# <details><summary>Hint 2</summary><code>replace(tumour, **change)</code> makes the changed one; the first stays as it was.</details>

# %% tags=["exercise"]
def effect(look, tumour, change, network, control):
    """look: tumour → {name: probability}; change: a dict of traits; returns a float."""
    ### BEGIN SOLUTION
    before, after = look(tumour), look(replace(tumour, **change))
    return (after[network] - before[network]) - (after[control] - before[control])
    ### END SOLUTION


# %%
check("11-effect", effect)

# %%
from medattn_lite.course.exercises import effect_of

look = lambda tumour: laboratory.look(tumour, method=None).probabilities
quiet = replace(start, enhancement=0.0, necrosis=0.0)
for change in ({"mark": True}, {"enhancement": 0.7}, {"site": "right occipital"}):
    apart = effect_of(look, quiet, change, "P3D + IAM, scanner mark", "P3D + IAM")
    what = ", ".join(f"{name} → {value}" for name, value in change.items())
    record(f"{what}: effect on the network that reads the mark, minus that on the other", round(apart, 2))

# %% [markdown]
# ## 2 · The explanation browser
#
# One head, one network, one method; beside it the same from its **[re-initialised copy](glossary.md#re-initialised-copy)**: the same network with new random weights.
#
# **Guess.** For which method will the copy's map look most like the original? Go through the methods, then through the layers, then through the subjects. Then switch the network to *shuffled labels*.

# %%
from medattn_lite.explain import held_out
from medattn_lite.widgets import explanation_browser

cases = list(held_out(next(iter(laboratory.networks.values())), limit=4))
browser = explanation_browser(laboratory.networks, cases)
browser.set(method="Grad-CAM++")
display(browser)

# %% [markdown]
# *Figure 11.5.* The browser. The line is the signal.
#
# Now two methods over each other, in planes and in 3-D. Take one map's opacity to 0, then the other's: do they agree where the signal lies? Lower the opacity of both until you would no longer see a difference.

# %%
from medattn_lite.explain import explain_image
from medattn_lite.widgets import view_volume

one, known = cases[0], next(iter(laboratory.networks.values()))
maps = {method: explain_image(known.network, one.image, target=one.target, method=method) for method in ("Grad-CAM++", "HiResCAM")}
view_volume({"image": one.image[0], "channels": known.channels, "affine": one.affine},
            maps | {"signal": one.signal}, channel="t1ce", title=one.subject)  # fmt: skip

# %% [markdown]
# Collect what you saw: the same question for every network, with the rank correlation of its map and the re-initialised copy's.

# %%
from medattn_lite.explain import Browser

shelf = Browser(laboratory.networks, cases[:2])
for name in shelf.networks:
    lines = []
    for method in ("Grad-CAM", "Grad-CAM++", "attention"):
        pairs = [[shelf.answer(n, name, method, reinitialised=fresh) for fresh in (False, True)] for n in range(2)]
        correlations = [shelf.rank_correlation(n, *pair) for n, pair in enumerate(pairs)]
        aucs = [pair[0].located.auc for pair in pairs if pair[0].located is not None]
        lines.append(f"{method}: AUC {np.mean(aucs):.2f}, like the copy's {np.mean(correlations):+.2f}" if aucs else f"{method}: none")
    print(f"{name}\n    " + "\n    ".join(lines))

# %% [markdown]
# ## 3 · All mechanisms on one person
#
# Every network sees the same person, each as it was trained to: the whole head, a slice, a crop. Beside each map stand the network's parameters, the multiplications of one pass, and the map's AUC against the tumour.
#
# **Guess.** Is the most expensive network the one with the best map? Change the **person**, the **diameter**, the **method**.

# %%
from medattn_lite.widgets import mechanism_comparison

SHOWN = ("grade_p3d_iam", "grade_se_resnext", "grade_resnet_cbam", "presence_resnesat", "lesions_rsa")
chosen = {trained_facts(name)["variant"]: load_trained(name) for name in SHOWN if name in trained_names()}
comparison = mechanism_comparison(chosen)
display(comparison)

# %% [markdown]
# *Figure 11.6.* One person, several mechanisms. (A network for MS lesions, shown a glioma, was never asked about gliomas. A map with nothing above 0 is not drawn, and its row says so.)
#
# ### One frame
#
# These networks differ in more than their attention, so neither their cost nor their score is the mechanism's. For that, exchange the mechanism and nothing else. What does each add to one small P3D? **Guess** which is the cheapest, and which the largest.

# %%
from medattn_lite.attention import names
from medattn_lite.mechanism_comparison import make_network
from medattn_lite.networks import cost_of

image = torch.randn(2, 4, 16, 24, 24)  # two images, four sequences
for name in names(spatial_dims=3):
    cost = cost_of(make_network("p3d", name, spatial_dims=3, in_channels=4, width=8), image)
    print(f"{name:12}{cost.parameters:>9,} parameters{cost.multiplications / 2e6:>7.1f} million multiplications per image"
          f"{cost.kept_bytes / 2**21:>6.2f} MiB kept for the backward pass")

# %% [markdown]
# What each mechanism *gains* in such a frame takes several seeds and a plain network of the same size: [the measured table](../figures/mechanisms.md), mechanism by task, with intervals over seeds and patients. `medattn compare` makes it, also from a folder of your own: `medattn compare --tasks label --data images --root DIR`.
#
# ## 4 · Who looks at whom
#
# Slice attention and non-local attention have no map of places, but a table: who looks at whom. Choose a voxel, and see what it looks at, step by step.
#
# **Guess.** A voxel in a lesion: will it look at other lesions, at its own slice, at everything? And before training?

# %%
from medattn_lite.widgets import affinity_explorer

NETS = {"slice attention (RSA)": "lesions_rsa", "non-local": "lesions_non_local"}
lesion_nets = {name: load_trained(known) for name, known in NETS.items()}
heads = list(held_out(lesion_nets["non-local"], limit=2))
affinities = affinity_explorer(
    {name: trained.network for name, trained in lesion_nets.items()}, torch.cat([phantom.image for phantom in heads]),
    masks=torch.stack([phantom.signal for phantom in heads]), channels=lesion_nets["non-local"].channels, title="phantom")
display(affinities)

# %% [markdown]
# *Figure 11.7.* What one voxel looks at. A table of one colour means that every place looks at all places alike. The summary under the live explorer gives it in numbers; here for a lesion and for healthy tissue:

# %%
print(affinities.summary)
outside = (heads[0].head & ~heads[0].signal).nonzero()
voxel = outside[len(outside) // 2].tolist()
affinities.set(axial=voxel[0], coronal=voxel[1], sagittal=voxel[2])
print("\nhealthy tissue:", affinities.summary)

# %% [markdown]
# If a lesion's voxel and a healthy one look at the same places, then the attention is about the head and not about lesions. Try several before you decide.
#
# ## 5 · Survival
#
# The law of the phantoms' survival is known. Here it is used as the prediction: **the best that anyone could say**. Its [C-index](glossary.md#c-index) stands beside that of age and surgery alone.
#
# **Guess.** With the perfect risk, what C-index? Move the **cut**: where do the two groups differ most? Then choose a low-risk **patient** who died early. Was the prediction wrong?

# %%
from medattn_lite.data import open_dataset
from medattn_lite.data.phantom import AGE, RESECTIONS, true_survival
from medattn_lite.survival import FollowUp, Predicted, c_index
from medattn_lite.widgets import survival_explorer

cohort = open_dataset("phantom", n=NUMBERS["patients"], task="survival", shape=(24, 28, 24), spacing_mm=7.0, seed=SEED)
samples = [cohort[row] for row in range(len(cohort))]
patients = FollowUp(np.array([float(sample["time"]) for sample in samples]), np.array([bool(sample["event"]) for sample in samples]))
risk = np.array([sample["meta"]["oracle_risk"] for sample in samples])
clinical = np.array([AGE * (sample["meta"]["age_years"] - 60) / 10 + RESECTIONS[sample["meta"]["resection"]] for sample in samples])
days = np.linspace(30, min(2000.0, float(patients.time.max())), 60)

# %%
def by_law(risks):
    return Predicted(patients, days, np.array([true_survival(days, patient_risk) for patient_risk in risks]), risks)


for name, risks in {"everything, by the law": risk, "age and surgery only": clinical}.items():
    record(f"C-index, {name}", c_index(patients, risks, n=200))
survival = survival_explorer(by_law(risk))
display(survival)

# %% [markdown]
# *Figure 11.8.* The perfect prediction. Even it is often wrong about one person: survival has a large share of chance, and no network can know it.
#
# ## 6 · What goes wrong
#
# | trap | symptom |
# |---|---|
# | one head | another head answers otherwise: change **person** |
# | outside the training range | answers to 80 mm or 0 mm mean little: they were not trained there |
# | two things moved at once | a larger tumour also displaces the brain |
# | "the map follows the tumour" | so would the map of a re-initialised copy |
# | the explanation was made up after the result | guess first, write it down |
#
# How much does the head matter? The same tumour in several heads:

# %%
spread = {name: [] for name in laboratory.networks}
for person in range(10, 12 + 2 * NUMBERS["people"]):
    room = Laboratory(person=person, networks=laboratory.networks)
    for name, value in room.look(start, method=None).probabilities.items():
        spread[name].append(value)
for name, values in spread.items():
    print(f"{name:32} from {min(values):.2f} to {max(values):.2f} over {len(values)} heads with the same tumour")

# %% [markdown]
# ## 7 · What the papers say, and what we found
#
# | claim | where you saw it |
# |---|---|
# | the network looks at the tumour | exploration 3: one of them looks at a mark, and was right wherever the mark went with the grade |
# | attention finds what matters | figures 11.5 and 11.6, each beside the re-initialised copy or the signal |
# | enhancement and necrosis decide the grade | exploration 2: how far each slider moves each network |
# | non-local and slice attention link lesions | figure 11.7, for a lesion and for healthy tissue |
#
# An exploration gives ideas. A claim needs many heads, a control and an interval: notebook [10](10_is_attention_an_explanation.ipynb) and [its table](../figures/faithfulness.md).

# %% [markdown]
# ## Quiz
#
# Three questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "You enlarge the tumour; the probability of high grade rises. What do you know?",
        ["Larger tumours are of higher grade", "This network, on this head, reacts to something that came with the size",
         "The network measures volume"],
        "This network, on this head, reacts to something that came with the size",
        ["You learned about the network, not about tumours.",
         "Yes. Size, displacement, more enhancing voxels: the next slider tells them apart.",
         "It may count enhancing voxels, or react to a displaced ventricle."],
    ),
    Question(
        "Why can this not be done with patients?",
        ["Too few of them", "The same brain with another tumour does not exist", "Their scans are secret"],
        "The same brain with another tumour does not exist",
        ["A million patients would still be a million different brains.", "Yes: everything else cannot be kept as it is.",
         "Some are public."],
    ),
    Question(
        "The perfect survival prediction has a C-index well below 1. Why?",
        ["The phantoms' law is wrong", "Two people with the same risk die at different times, by chance",
         "The C-index cannot reach 1"],
        "Two people with the same risk die at different times, by chance",
        ["The times were drawn by that very law.", "Yes: the law gives chances, not dates.",
         "It can, if risk fixed the order of deaths."],
    ),
])

# %% [markdown]
# ## Summary
#
# - Change one thing, keep the rest, guess first.
# - A network answers even for images unlike any it was trained on.
# - Look at a map beside that of the re-initialised copy; look at an effect beside a control's.
# - An exploration is where questions come from. The answers need notebook 10.
#
# **Read on:** Wachter et al., *Counterfactual explanations* ([arXiv:1711.00399](https://arxiv.org/abs/1711.00399)); DeGrave et al., *AI for radiographic COVID-19 detection selects shortcuts over signal* ([doi:10.1038/s42256-021-00338-7](https://doi.org/10.1038/s42256-021-00338-7)). Words: [glossary](glossary.md).
