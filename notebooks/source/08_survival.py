# %% [markdown]
# # 08 · Survival: how long, when not everyone's story has ended?
#
# **50 minutes to read, 30 for the exercises; about a minute to run at `smoke`, 10 at `laptop`.** Difficulty ●●●○
#
# So far a picture had a label: tumour or none. Now the question is **how long** a person lives. That would be a number like any other, but for one thing: when a study is evaluated, many of its patients are still alive. Their times are not missing, and not known either.
#
# You will learn to work with such times, build the two losses of survival networks, and train networks of the *survival deck* on them. (The deck: slides of a study that predicts survival with glioma, a brain tumour.)

# %% [markdown]
# ## At the end you can
# - say what [censoring](glossary.md#censoring) is, and what goes wrong when it is ignored;
# - draw a [Kaplan-Meier curve](glossary.md#kaplan-meier-curve) with a pencil, and read its band and the numbers under it;
# - write the loss of [hazards](glossary.md#hazard) by interval and Cox's, and show that they equal a library's;
# - train a 3-D network on survival, beside clinical values and a known ceiling;
# - judge it by order ([C-index](glossary.md#c-index)), by size of the error ([Brier score](glossary.md#brier-score)) and by whether its probabilities come true ([calibration](glossary.md#calibration));
# - name six traps, and how each shows.
#
# **You need** notebook [02](02_squeeze_excitation.ipynb) for AUC, interval and control, and from [01](01_attention_scores.ipynb) the softmax. New words link to the [glossary](glossary.md).

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
from medattn_lite.survival import CoxModel, FollowUp, c_index_interval, harrell_c, out_of_fold_risk, outline_values

NUMBERS = scale_numbers(
    SCALE,
    smoke={"n": 80, "spacing_mm": 5.5, "side": 16, "iterations": 60, "batch": 16, "cohorts": 40},
    laptop={"n": 300, "spacing_mm": 4.0, "side": 24, "iterations": 400, "batch": 16, "cohorts": 400},
    paper={"n": 1139, "spacing_mm": 2.0, "side": 64, "iterations": 20000, "batch": 64, "cohorts": 1000},
)
torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown]
# ## 1 · The question
#
# Five patients were operated on. We followed each of them until the study closed, and this is all we know.
#
# **Guess before you go on.** What share of such patients lives longer than six and a half months? Be careful with D.

# %%
names = list("ABCDE")
time = torch.tensor([6.0, 9.0, 2.0, 4.0, 7.0])  # (N,) months
event = torch.tensor([True, False, True, False, True])  # (N,) whether the line ends in death
plots.show(plots.follow_up_lines(time, event, names=names, unit="months", mark=(6.5, "who lives longer than this?")))

# %% [markdown]
# *Figure 08.1.* One line per patient. × is a death. The arrow is not a death: it is where our knowledge ends.
#
# A and C had died by then; B and E had not. D was **alive at four months** and then moved away. Perhaps D lives to this day; perhaps not. D's time is **censored**: we know that it is *longer than* four.
#
# Three quick ways to deal with D:

# %%
alive = time > 6.5
print(f"leave D out:         {alive[[0, 1, 2, 4]].float().mean():.2f}")
print(f"count D as dead:     {alive.float().mean():.2f}")
print(f"count D as alive:    {(alive | ~event).float().mean():.2f}")

# %% [markdown]
# Which is right? None. The second makes survival look worse, the third better. The first looks fair, but throws away something we *do* know: D got through four months, when C did not. We want to use each patient **for as long as we saw them**.
#
# ## 2 · By hand
#
# ### The Kaplan-Meier curve
#
# Go from death to death. Each time ask: of those **still being followed** just before (they are *at risk*), what share survives this day? Multiply these shares.
#
# **Guess:** which of the factors change if D is left out? And if D had died in month 4?

# %%
month = dict(zip(names, time.int().tolist(), strict=True))
for who, deaths in (("ABCDE", "CAE"), ("ABCE", "CAE"), ("ABCDE", "CDAE")):  # D censored; left out; dead
    share, factors = 1.0, []
    for dies in deaths:  # in the order of their months
        at_risk = [name for name in who if month[name] >= month[dies]]
        share *= 1 - 1 / len(at_risk)
        factors.append(f"{len(at_risk) - 1}/{len(at_risk)} (month {month[dies]})")
    print(f"{who:6} deaths {deaths:5}", " × ".join(factors), f"= {share:.3f}")

# %% [markdown]
# So with D censored (the first line) about 0.53 live longer than six and a half months: the death in month 7 comes later, so multiply only the first two factors, 4/5 × 2/3. In month 2, D still counts among the five at risk; in month 6, not any more: **be counted until you leave, then step out of the denominator**.
#
# Compare the lines. Without D, the factor of month 2 becomes 3/4 in place of 4/5, and the later ones stay: a **censored patient is among those at risk at every death up to the last visit**, and at none after it. If D dies, one more factor joins, 3/4, and the others stay.

# %% [markdown]
# ### A hazard, and what a patient teaches
#
# Survival networks cut time into intervals. The **hazard** $h_j$ of an interval is the chance to die in it, *if you reached it*. To get through two intervals you must survive both: $S = (1-h_1)(1-h_2)$.
#
# Say a network gives a patient the hazards below. How well do they fit what happened? The measure is the probability of just this course, the **likelihood**. Two patients with the same hazards:
#
# - P dies in the third interval: through two, then not;
# - Q is last seen alive at the end of the second: through two. Nothing more is claimed.

# %%
hazards = torch.tensor([0.2, 0.3, 0.5])
survival = (1 - hazards).cumprod(0)
likelihood_p = (1 - hazards[0]) * (1 - hazards[1]) * hazards[2]
likelihood_q = (1 - hazards[0]) * (1 - hazards[1])
print("S at the end of each interval", [round(float(s), 3) for s in survival])
print(f"P: {likelihood_p:.2f}, loss {-likelihood_p.log():.3f}      Q: {likelihood_q:.2f}, loss {-likelihood_q.log():.3f}")

# %% [markdown]
# The loss is minus the logarithm: small if what happened had a high probability. Q is censored, and still teaches something.
#
# ### Cox: which of those at risk?
#
# Somebody died today: **which of those at risk was it?** Give everyone a [log risk](glossary.md#log-risk) $\eta$ and let the chances be a [softmax](glossary.md#softmax), that of notebook 01:
#
# $$P(i\text{ dies, of those at risk}) = \frac{e^{\eta_i}}{\sum_{j:\,t_j \ge t_i} e^{\eta_j}} \tag{08.1}$$
#
# *When* deaths come drops out; their **order** is left.
#
# ### The C-index: count pairs
#
# Of two patients, did the one with the higher risk die first? Some pairs cannot be judged: D leaves in month 4, A dies in month 6. (The cell begins with Cox, for three patients.)

# %%
eta = torch.tensor([1.0, 0.0, -1.0])  # one dies, then the second leaves, then the third dies
first, last = eta.softmax(0)[0], eta[2:].softmax(0)[0]  # all three are at risk; then nobody else is left
print(f"Cox: first death {first:.3f}, last death {last:.3f}; loss {-(first.log() + last.log()) / 2:.3f}")
print(f"Cox, all risks shifted by 5: first death {(eta + 5).softmax(0)[0]:.3f}")

risk = torch.tensor([0.5, 0.1, 0.4, 0.9, 0.5])  # of A to E
for i, j in [(i, j) for i in range(5) for j in range(5) if event[i] and time[i] < time[j]]:
    verdict = "in order" if risk[i] > risk[j] else "tied, one half" if risk[i] == risk[j] else "wrong"
    print(f"{names[i]} dies before {names[j]}: risks {risk[i]:.1f} and {risk[j]:.1f}, {verdict}")

# %% [markdown]
# Cox: the last one at risk teaches nothing, there was no choice. And shifting all risks changes nothing: this loss knows who dies *sooner*, not *when*.
#
# Pairs: 3½ of 7, so the [C-index](glossary.md#c-index) is one half. Guessing does as well. D has the highest risk of all, and was compared with C only.
#
# ## 3 · From loops to a module
#
# In (08.2), $d_k$ patients die on day $t_k$, of $n_k$ at risk. In (08.3), for one patient, $s_j$ is 1 if interval $j$ was survived and $d_j$ is 1 if death came in it, else 0.
#
# $$S(t) = \prod_{t_k \le t} \Big(1 - \frac{d_k}{n_k}\Big) \tag{08.2}$$
# $$L = -\sum_j \big[s_j \log(1-h_j) + d_j \log h_j\big],\qquad h_j = \sigma(x_j) \tag{08.3}$$

# %%
def kaplan_meier_loop(time, event):
    share, days, curve = 1.0, [], []
    for day in sorted({float(t) for t, e in zip(time, event, strict=True) if e}):
        at_risk = sum(float(t) >= day for t in time)
        deaths = sum(float(t) == day and bool(e) for t, e in zip(time, event, strict=True))
        share *= 1 - deaths / at_risk  # (08.2)
        days.append(day)
        curve.append(share)
    return days, curve


def hazard_loss_loop(outputs, survived, died):
    total = 0.0
    for x, s, d in zip(outputs, survived, died, strict=True):  # one patient
        for j in range(len(x)):  # one interval
            h = torch.sigmoid(x[j])
            total -= s[j] * torch.log(1 - h) + d[j] * torch.log(h)  # (08.3)
    return total / len(outputs)

# %% [markdown]
# Without loops. For the curve, compare every day with every patient, in one table. For the loss, `logsigmoid(x)` is $\log\sigma(x)$, computed so that it stays finite; and $\log(1-\sigma(x)) = \log\sigma(-x)$.
#
# As a module it is one linear layer with an output for each interval. The deck's code has 19, short at first and long later, so that each would hold as many deaths if half of the patients died within 730 days.

# %% tags=["slide", "define:HazardHead"]
from medattn_lite.survival import interval_breaks


def kaplan_meier_fast(time, event):
    days = time[event].unique()  # (K,), sorted
    at_risk = (time >= days[:, None]).sum(dim=1)  # (K, N) → (K,)
    deaths = ((time == days[:, None]) & event).sum(dim=1)  # (K,)
    return days, (1 - deaths / at_risk).cumprod(0)  # (08.2)


def hazard_loss(outputs, survived, died):  # (B, intervals) each
    log_survive, log_die = functional.logsigmoid(-outputs), functional.logsigmoid(outputs)
    return -(survived * log_survive + died * log_die).sum(dim=1).mean()  # (08.3)


class HazardHead(nn.Module):
    def __init__(self, features, intervals=19):
        super().__init__()
        self.fc = nn.Linear(features, intervals)

    def forward(self, features):  # (B, F)
        log_survive = functional.logsigmoid(-self.fc(features))  # (B, intervals)
        return log_survive.cumsum(dim=1).exp()  # S at the end of each: (B, intervals)


print("ends of the 19 intervals, days:", [round(float(day)) for day in interval_breaks()[1:]])
print("S of two patients:", tuple(HazardHead(32)(torch.randn(2, 32)).shape))

# %% [markdown]
# ## 4 · Does it equal the real thing?
#
# Loop against vectorised first. Then [scikit-survival](https://scikit-survival.readthedocs.io), the library. It brings real patients along: 137 veterans with lung cancer (1980). Your curve against its curve; your loss against the package's, output and [gradient](glossary.md#gradient).

# %%
from sksurv.datasets import load_veterans_lung_cancer
from sksurv.nonparametric import kaplan_meier_estimator

from medattn_lite.survival import cox_loss, logistic_hazard_nll

x = torch.randn(3, 4, requires_grad=True)
survived = torch.tensor([[1.0, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
died = torch.tensor([[0.0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
torch.testing.assert_close(kaplan_meier_fast(time, event)[1], torch.tensor(kaplan_meier_loop(time, event)[1]))
torch.testing.assert_close(hazard_loss(x, survived, died), hazard_loss_loop(x, survived, died))
gradients = [torch.autograd.grad(loss(x, survived, died), x)[0] for loss in (hazard_loss, logistic_hazard_nll)]
torch.testing.assert_close(*gradients)

veterans, outcome = load_veterans_lung_cancer()
days, status = torch.tensor(outcome["Survival_in_days"].tolist()), torch.tensor(outcome["Status"].tolist())
library_days, library_curve = kaplan_meier_estimator(outcome["Status"], outcome["Survival_in_days"])
with_death = np.isin(library_days, days[status])  # the library also lists days on which somebody only left
np.testing.assert_allclose(kaplan_meier_fast(days, status)[1], library_curve[with_death], rtol=1e-5)
print(f"loops, package and library agree: loss, gradient, and a curve of {with_death.sum()} steps")

# %% [markdown]
# Now [Cox's model](glossary.md#cox-model) of the veterans' eight clinical values. The library finds the weights by Newton's method. You let gradients of the package's `cox_loss` find them (LBFGS is a careful kind of gradient descent). The same weights?

# %%
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.preprocessing import OneHotEncoder

clinical = OneHotEncoder().fit_transform(veterans)
values = torch.tensor(((clinical - clinical.mean()) / clinical.std()).to_numpy())  # (N, 8)
weights = torch.zeros(8, dtype=torch.float64, requires_grad=True)
optimiser = torch.optim.LBFGS([weights], max_iter=60, line_search_fn="strong_wolfe")


def step():
    optimiser.zero_grad()
    loss = cox_loss(values @ weights, days, status)
    loss.backward()
    return loss


optimiser.step(step)
library = CoxPHSurvivalAnalysis(ties="efron").fit(values.numpy(), outcome)
np.testing.assert_allclose(weights.detach(), library.coef_, atol=1e-4)
print("the same weights; C-index of the veterans", round(library.score(values.numpy(), outcome), 4))

# %% [markdown]
# (The C-index of patients on whom a model was fitted is too high. More of that below.)
#
# ## 5 · Your turn
#
# ### Exercise 08.1 · what a patient says of each interval
#
# *10 minutes, needs care.* Turn times into the labels of (08.3). A death at $t$ lies in the interval with start ≤ $t$ < end: `died` is 1 there, and `survived` is 1 in the intervals **before**. For a patient last seen alive at $t$, `survived` is 1 in every interval of which **at least half** had passed. All else is 0.
#
# <details><summary>Hint 1</summary><code>time[:, None]</code> against <code>breaks[:-1]</code> (starts) and <code>breaks[1:]</code> (ends) is a table of patients × intervals.</details>
# <details><summary>Hint 2</summary>An interval is survived when <code>time</code> has reached its end, for a death; its middle, for who was alive. <code>torch.where(event[:, None], end, (start + end) / 2)</code> chooses.</details>

# %% tags=["exercise"]
def interval_labels(time, event, breaks):
    """time (N,), event (N,) bool, breaks (K + 1,); returns survived and died, (N, K) of 0 and 1 each."""
    ### BEGIN SOLUTION
    start, end = breaks[:-1], breaks[1:]  # (K,)
    known_until = torch.where(event[:, None], end, (start + end) / 2)  # (N, K)
    survived = time[:, None] >= known_until
    died = event[:, None] & (time[:, None] >= start) & (time[:, None] < end)
    return survived.float(), died.float()
    ### END SOLUTION

# %%
check("08-labels", interval_labels)

# %% [markdown]
# ### Exercise 08.2 · Cox's loss
#
# *12 minutes, needs thought.* (08.1) for all deaths at once: the **mean over the deaths** of minus the logarithm. No two deaths fall on one day here. Log risks may be large, so do not write `exp` yourself.
#
# <details><summary>Hint 1</summary>−log of (08.1) is the logarithm of a sum of exponentials, minus η of the one who died. <code>torch.logsumexp</code> does the first safely.</details>
# <details><summary>Hint 2</summary>A table of deaths × patients says who is at risk: <code>time >= time[event][:, None]</code>. Put −∞ where it is false (<code>masked_fill(~at_risk, float("-inf"))</code>), then logsumexp over the patients.</details>

# %% tags=["exercise"]
def my_cox_loss(log_risk, time, event):
    """log_risk (N,), time (N,), event (N,) bool; returns one number."""
    ### BEGIN SOLUTION
    at_risk = time >= time[event][:, None]  # (deaths, N)
    table = log_risk.expand(len(at_risk), -1).masked_fill(~at_risk, float("-inf"))  # (deaths, N)
    return (table.logsumexp(dim=1) - log_risk[event]).mean()
    ### END SOLUTION

# %%
check("08-cox", my_cox_loss)

# %% [markdown]
# ### Exercise 08.3 · the C-index
#
# *8 minutes, easy.* A pair counts if $i$ **died** and $j$ was followed **longer**. It is in order if $i$ had the higher risk; equal risks are half a pair. Return the share.
#
# <details><summary>Hint 1</summary>Two tables of patients × patients: which pairs count, and which of these are in order.</details>
# <details><summary>Hint 2</summary><code>counts = event[:, None] & (time[:, None] < time)</code>; and <code>risk[:, None] > risk</code> is true where the row's risk is higher. Do not forget the ties.</details>

# %% tags=["exercise"]
def my_c_index(time, event, risk):
    """time and risk (N,), event (N,) bool; returns a number from 0 to 1."""
    ### BEGIN SOLUTION
    counts = event[:, None] & (time[:, None] < time)  # (N, N): the row died before the column
    in_order = (risk[:, None] > risk).float() + 0.5 * (risk[:, None] == risk).float()  # (N, N)
    return (in_order * counts).sum() / counts.sum()
    ### END SOLUTION

# %%
check("08-c-index", my_c_index)

# %% [markdown]
# ## 6 · The networks, and something that no hospital has
#
# The deck's networks are SE-ResNeXt-50 (notebook 02), ResNet-50-CBAM (03) and DenseNet-121, which has no attention. Each reads the head in 3-D; the mean over space leaves one number per channel; one linear layer makes 19 hazards, or one log risk.
#
# Of the [phantoms](glossary.md#phantom) we know the rule by which they die. Their log risk adds up **age**, how much was **removed**, the tumour's **volume**, and its share of **dead tissue**. The tumour tells neither of the first two. So there are *two* ceilings: what anyone could know, and what the **tumour** could tell.
#
# With so few patients the networks get help: a box around the tumour.

# %%
from medattn_lite.course import boxed_patients
from medattn_lite.data import open_dataset, train_valid_test
from medattn_lite.survival import kaplan_meier

shape = tuple(round(mm / NUMBERS["spacing_mm"]) for mm in (176, 198, 176))  # (D, H, W)
phantom = {"n": NUMBERS["n"], "shape": shape, "spacing_mm": NUMBERS["spacing_mm"], "task": "survival", "seed": SEED}
dataset = open_dataset(DATA, DATA_ROOT, **(phantom if DATA == "phantom" else {}))
samples = boxed_patients(dataset, spacing_mm=NUMBERS["spacing_mm"], side=NUMBERS["side"])  # those with follow-up
subjects = [sample["subject"] for sample in samples]
images = torch.stack([sample["image"] for sample in samples])  # (N, C, side, side, side)
masks = torch.stack([sample["mask"] for sample in samples])  # (N, 1, side, side, side)
lived = torch.tensor([float(sample["time"]) for sample in samples])  # (N,) days
dead = torch.tensor([bool(sample["event"]) for sample in samples])  # (N,)
split = train_valid_test(subjects, dead.tolist(), fractions=(0.67, 0.0, 0.33), seed=SEED)
train, test = split.rows("train", subjects), split.rows("test", subjects)
seen = {name: FollowUp(lived[rows].numpy(), dead[rows].numpy()) for name, rows in (("train", train), ("test", test))}
print(f"{len(subjects)} patients, {int(dead.sum())} deaths seen; {len(train)} to train, {len(test)} to test")
plots.show(plots.contrasts_row(images[test[0]], names=dataset.channels, overlay=masks[test[0], 0]))
plots.show(plots.survival_curves({name: kaplan_meier(group) for name, group in seen.items()}, mark=(365, "one year")))

# %% [markdown]
# *Figure 08.2.* What a network sees of one patient; the colours are the mask, which no network is given. *Figure 08.3.* Survival of both sides of the split. How to read such curves:
#
# - a **step** down is a death; a small **tick** is a patient who left alive;
# - the **band** is the 95 % [interval](glossary.md#interval): it widens as fewer are left;
# - the **[numbers below](glossary.md#numbers-at-risk)** are those still followed up. Where they are small, believe nothing.
#
# ## 7 · First what must work, then the networks
#
# A *positive control*: two numbers measured in the mask, the tumour's volume and the dead share of its core, in Cox's model. The phantoms' rule holds both, so this must rank patients. **Guess:** by how much?

# %%
outline = np.array([outline_values(sample) for sample in samples])  # (N, 2)
days_lived, died_seen, random = lived.numpy(), dead.numpy(), np.random.default_rng(SEED)
risk = out_of_fold_risk(outline, days_lived, died_seen)  # of each patient, by the patients of the other four fifths
record("C-index: volume and dead share, all patients", c_index_interval(died_seen, days_lived, risk))
orders = [random.permutation(len(samples)) for _ in range(60)]
shuffled = [(days_lived[order], died_seen[order]) for order in orders]
by_chance = [harrell_c(died, days, out_of_fold_risk(outline, days, died)) for days, died in shuffled]
print("the same, outcomes shuffled: 95 % of", len(by_chance), "within", np.percentile(by_chance, (2.5, 97.5)).round(2))

# %% [markdown]
# The last line is a *negative control*: the same model on shuffled outcomes. It scatters around one half, the wider the fewer patients there are. A C-index inside that range shows nothing. Is yours outside?
#
# So the cohort and the score work, and the mask holds much of what the tumour can tell. A network has to find it in grey values. If it stays below the control, reading the tumour is what fails.
#
# One loop for three networks; the loss follows from the head. Hazards begin at the level of the training patients, so that a network only has to learn *differences*.

# %%
from medattn_lite.course import train_mirrored
from medattn_lite.survival import interval_labels as package_labels
from medattn_lite.survival import outputs_of
from medattn_lite.training import pick_device

breaks = interval_breaks()  # (20,) days
survived, died = package_labels(lived, dead, breaks)  # (N, 19) each
deaths, reached = died[train].sum(0), (survived + died)[train].sum(0)
level = (deaths + deaths.sum() / reached.sum()) / (reached + 1)  # (19,) hazards of all, one mean patient added


def fit(network, inputs, seed=SEED):
    """Trains in place, on images of which half are mirrored at random; the loss follows from the network's head."""

    def loss(output, rows):  # (B, 19) hazards or (B, 1) log risks, before any activation
        if network.head == "cox":
            return cox_loss(output, lived[rows], dead[rows])
        return logistic_hazard_nll(output, survived[rows], died[rows])

    return train_mirrored(network, inputs, train, loss=loss, iterations=NUMBERS["iterations"], batch_size=NUMBERS["batch"],
                          seed=seed, device=pick_device(DEVICE))

# %%
from medattn_lite.networks import survival_network

for name in ("se_resnext50", "resnet50_cbam", "densenet121"):
    with torch.device("meta"):  # shapes without numbers
        published = survival_network(name, in_channels=4)
    record(f"parameters of the published {name}", sum(p.numel() for p in published.parameters()))
SIZES = {"se_resnext50": {"layers": (1, 1, 1, 1), "stem_width": 8, "base_width": 32, "groups": 4},
         "resnet50_cbam": {"layers": (1, 1, 1, 1), "width": 8}}


def train_one(backbone, head, inputs):
    torch.manual_seed(SEED)
    size = {} if SCALE == "paper" else SIZES[backbone]
    network = survival_network(backbone, head=head, in_channels=inputs.shape[1], **size)
    if head == "logistic":
        network.fc.bias.data = outputs_of(level, head)
    return fit(network, inputs), inputs

runs = {
    "SE-ResNeXt, hazards": train_one("se_resnext50", "logistic", images),
    "ResNet-CBAM, hazards": train_one("resnet50_cbam", "logistic", images),
    "SE-ResNeXt, Cox": train_one("se_resnext50", "cox", images),
}

# %% [markdown]
# Hazards give a curve at once. A log risk needs Breslow's [baseline](glossary.md#baseline-hazard): one curve that all share, raised to the power $e^\eta$ for each. It is fitted on the training patients.
#
# Beside the networks stand Cox's model of the clinical values, the grade among them, and the two ceilings. All become the same thing: survival by day, and a risk to rank by.
#
# You counted Harrell's C-index. It rests on the pairs that follow-up happened to leave. **Uno's** weights each death by how unlikely it was to be still under observation then (the inverse of that chance, squared), so that the deaths that are seen stand for those that are not. Both are printed; section 9 shows where they part.

# %%
from medattn_lite.survival import Baseline, Predicted, survival_at

grid = np.linspace(30, min(float(lived.max()), 3150.0), 70)  # days
test_names = [subjects[row].split("-")[-1] for row in test]


def from_log_risk(log_risk):
    baseline = Baseline(log_risk[train], seen["train"].time, seen["train"].event, grid)
    curves = np.exp(-np.stack([baseline.at(patient_risk) for patient_risk in log_risk[test]]))  # (N, days)
    return Predicted(seen["test"], grid, curves, log_risk[test], test_names, train=seen["train"])


def from_network(network, inputs):
    with torch.no_grad():
        output = torch.cat([network(part) for part in inputs.split(32)])  # (N, 19) or (N, 1)
    if network.head == "cox":
        return from_log_risk(output[:, 0].double().numpy())
    hazards = output[test].double().sigmoid()  # (N, 19)
    risk = -survival_at(hazards, [365.0], breaks)[:, 0].log()  # hazard until one year
    curves = survival_at(hazards, grid, breaks)  # (N, days)
    return Predicted(seen["test"], grid, curves.numpy(), risk.numpy(), test_names, train=seen["train"])

# %%
from medattn_lite.course import true_log_risks, uno_and_brier
from medattn_lite.survival import c_index, c_index_ipcw
from medattn_lite.training.tasks import clinical_table, clinical_values, standardised

value_names, table = clinical_table([clinical_values(sample["meta"]) for sample in samples])
clinical = standardised(table, train).double().numpy()  # (N, K), z-scores of the training patients
cox = CoxPHSurvivalAnalysis(alpha=0.5, ties="efron").fit(clinical[train], seen["train"].records())
predicted = {name: from_network(*run) for name, run in runs.items()}
by_outline = CoxModel(np.zeros(2, dtype=bool)).fit(outline[train], days_lived[train], died_seen[train])
predicted["volume and dead share, Cox"] = from_log_risk(by_outline.predict(outline))
predicted["clinical values, Cox"] = from_log_risk(clinical @ cox.coef_)
if DATA == "phantom":
    predicted |= {name: from_log_risk(risk) for name, risk in true_log_risks(samples).items()}
print("clinical values:", ", ".join(value_names))
results = {name: c_index_interval(model.patients.event, model.patients.time, model.risk) for name, model in predicted.items()}
plots.show(plots.forest(results, label="C-index on test patients", reference=0.5, reference_label="chance"))
for name, interval in results.items():
    record(f"C-index: {name}", interval)
    uno, brier = uno_and_brier(predicted[name])
    print(f"    by Uno {uno:.3f}; integrated Brier score {brier:.3f}")

# %% [markdown]
# *Figure 08.4.* The share of pairs in the right order.
#
# From the bottom: **everything** is the most anyone could reach, far from 1: of two people with the same risk, one lives longer. **The tumour** is the most its picture could give, though with few test patients an estimate may pass it. (*Clinical* may, too: age and operation are not in the tumour.) Between chance and *that* ceiling is the networks' room. Are they in it?
#
# At `smoke` (53 heads) expect nothing. At [`laptop`](../figures/course_laptop.md) (seed 0, 300 heads of an earlier phantom, 99 tested): hazards 0.51 [0.43, 0.58] and 0.51 [0.43, 0.59], Cox 0.61 [0.53, 0.68], clinical 0.72 [0.64, 0.80]; ceilings 0.67 (tumour), 0.78. Section 10 has some that learned.

# %% [markdown]
# ### A right order is not yet a right probability
#
# A doctor does not tell a patient "you come before number 17". Two more questions:
#
# - **[Brier score](glossary.md#brier-score)**: the mean square of "predicted to be alive minus was alive", on one day. 0 is perfect, ¼ is the score of always predicting one half. The bar to beat is **one curve for all**: the Kaplan-Meier curve, predicted for everybody. (Printed above, *integrated*: the mean over all days.)
# - **[Calibration](glossary.md#calibration)**: of those with a prediction of 70 %, do 70 % live?
#
# Below, a third model joins: the clinical values, but every hazard three times as large. Guess: which of the three scores notices?

# %%
shown = {name: predicted[name] for name in ("SE-ResNeXt, hazards", "clinical values, Cox")}
by_cox = shown["clinical values, Cox"]
shown["clinical, hazards × 3"] = Predicted(by_cox.patients, grid, by_cox.survival**3, by_cox.risk, test_names, train=by_cox.train)
record("Brier score at one year: one curve for all", by_cox.scores(365.0).brier_of_all_alike)
for name, one in shown.items():
    record(f"C-index: {name}", c_index(one.patients, one.risk, n=0).value)
    record(f"Brier score at one year: {name}", one.scores(365.0).brier)
plots.show(plots.survival_calibration({name: one.calibration(365.0, groups=3) for name, one in shown.items()}))

# %% [markdown]
# *Figure 08.5.* Test patients in three groups by their prediction, and how many of each lived. On the dashed line as many lived as predicted; below it, fewer. The C-index of "hazards × 3" is that of the clinical model, to the last digit: order says nothing about probabilities.
#
# Look at the group with the highest prediction: if far fewer of it lived, the network is too sure.
#
# ## 8 · Look
#
# Three test patients, then a whole page for one model: move the **cut** between low and high risk, choose a **patient**, a **day**. The [log-rank test](glossary.md#log-rank-test) compares each group's deaths with those expected if both were alike; [p](glossary.md#p-value) is how often chance does as much.

# %%
from medattn_lite.widgets import survival_explorer

chosen = {f"patient {test_names[row]}": int(row) for row in by_cox.risk.argsort()[[0, len(test) // 2, -1]]}
plots.show(plots.patient_curves(grid, by_cox.survival, chosen=chosen, cohort=kaplan_meier(by_cox.patients),
                                outcome=(by_cox.patients.time, by_cox.patients.event)))
median = float(np.median(clinical[train] @ cox.coef_))  # of the training patients
explorer = survival_explorer(predicted["clinical values, Cox"], threshold=median)
display(explorer)

# %% [markdown]
# *Figure 08.6.* Bold: three patients; faint: all others; black: what was seen of all. × is a death, the arrow a patient last seen alive. *Figure 08.7.* The explorer.
#
# Do not be hard on a curve whose patient died "too early": a chance of 20 % comes true for one in five. One patient cannot judge a probability; a group can.
#
# **Try it.**
#
# - Push the cut to one side until a group has three patients. What happens to its band?
# - Move the day to the right. Why does the Brier score fall again?
# - Put `survival_explorer(predicted["SE-ResNeXt, hazards"])` in a cell of your own. How far apart are its curves?

# %% [markdown]
# ## 9 · What goes wrong
#
# None of these stops a carelessly written program.
#
# **The end of follow-up.** On the last day nobody is left to compare with. scikit-survival refuses; hand-written scores divide by zero, or score the two who are left. The package says NaN.
#
# **Ties.** Real times come in days or visits; many are equal. Cox's loss by sorting, as in much code on the web, then depends on **the order in the file**. Breslow's and Efron's rules do not. Below: the veterans, times known to the quarter.
#
# **Batches without a death.** The package's Cox loss is then 0; other code divides by zero, and every weight becomes NaN. The loss of hazards has no such problem.

# %%
from sksurv.metrics import brier_score

from medattn_lite.course import refusal

last = min(float(by_cox.patients.time.max()), grid[-1])
left = kaplan_meier(by_cox.patients).followed([last])[0]
print(f"day {last:.0f}: {left} still followed up, the package's Brier score {by_cox.scores(last).brier}")
seen_by_library = seen["train"].records(), by_cox.patients.records()
print("scikit-survival:", refusal(brier_score, *seen_by_library, by_cox.at(last), last).split(":")[0])


def loss_by_sorting(eta, time, event):
    order = time.argsort(descending=True, stable=True)
    return (eta[order].logcumsumexp(0) - eta[order])[event[order]].mean()


eta, quarters = values @ weights.detach(), (days / 90).ceil()
turned = loss_by_sorting(eta.flip(0), quarters.flip(0), status.flip(0))
print(f"ties, by sorting {loss_by_sorting(eta, quarters, status):.3f}, file turned round {turned:.3f}")
for rule in ("breslow", "efron"):
    print(f"ties, {rule} {cox_loss(eta, quarters, status, ties=rule):.3f}")

for share in (0.65, 0.29, 0.05):
    without = [f"{(1 - share) ** size:.0%} of size {size}" for size in (4, 16, 64)]
    print(f"{share:.0%} die: batches without a death, {', '.join(without)}")
alone = torch.randn(8, requires_grad=True)
loss = cox_loss(alone, torch.arange(8.0), torch.zeros(8, dtype=torch.bool))  # nobody died
print(f"Cox's loss of such a batch {loss:.0f}, largest gradient {torch.autograd.grad(loss, alone)[0].abs().max():.0f}")

# %% [markdown]
# (About 65 in 100 phantoms are seen to die, and 29 in 100 of the 80 LGG patients.)
#
# ### Censoring that matters, twice
#
# Everything above assumes that leaving says **nothing** about dying. Suppose the sick stop coming. You cannot see it in the data; here you can, because they are made up. Guess which way the curve goes.
#
# And a risk that is right about early deaths and says nothing about late ones. If many patients leave, mostly early pairs remain. Which of the two C-indices becomes too high?

# %%
from medattn_lite.course import cohorts_that_leave

random = np.random.default_rng(SEED)
sick = random.normal(size=3000)
death = random.exponential(400 * np.exp(-sick))
leaves = {"the truth": np.full(3000, np.inf), "they leave by chance": random.exponential(500, size=3000),
          "the sick leave": random.exponential(400 * np.exp(-1.2 * sick))}
ends = {name: np.minimum(day, 1500) for name, day in leaves.items()}  # the study closes on day 1500
curves = {name: kaplan_meier(FollowUp(np.minimum(death, end), death <= end)) for name, end in ends.items()}
plots.show(plots.survival_curves(curves, mark=(365, "one year")))
for name, one in curves.items():
    record(f"alive at one year, {name}", one.at([365])[0])

left, indices = [], {"Harrell": [], "Uno": []}
for share, cohort, known in cohorts_that_leave(SEED):  # `known` tells who dies first of those who die early
    left.append(share)
    indices["Harrell"].append(harrell_c(cohort.event, cohort.time, known))
    indices["Uno"].append(c_index_ipcw(cohort, known, until=7, n=0).value)
plots.show(plots.lines(left, indices, xlabel="patients who leave before they die, %", ylabel="C-index"))
for name, values in indices.items():
    record(f"C-index by {name}, most leave minus nobody leaves", values[-1] - values[0])

# %% [markdown]
# *Figure 08.8.* If the sick leave, those who stay are healthier: the curve is too high, **its band as narrow as ever**. No test on these data finds it: ask why people left. *Figure 08.9.* The same risk and patients; more and more leave by chance. Harrell's index rises; Uno's stays.
#
# ### A head whose hazard cannot reach 1, and a chosen cut
#
# The deck's code does not use $h = \sigma(x)$ but $h = 1 - \sigma(x)^{e^x}$.
#
# You moved the cut of figure 08.7 and watched p. Now risks are **pure noise**, in cohorts of 60: cut at the median, or at the best of 15 places, as "optimal cut-point" tools do. A fair test at 0.05 finds something in 5 %.

# %%
from medattn_lite.survival import official_log_probabilities

x = torch.linspace(-5, 8, 80)
heads = {"h = σ(x)": x.sigmoid(), "the code's": official_log_probabilities(x)[1].exp()}
plots.show(plots.lines(x, heads, xlabel="output x of the network", ylabel="hazard h", ylim=(0, 1.02)))
record("largest hazard of the code's head", 1 - 1 / np.e)


def p_values(cuts, random):
    time, leaves = random.exponential(400, size=60), random.exponential(600, size=60)
    seen_until = FollowUp(np.minimum(time, leaves), time <= leaves)
    cohort = Predicted(seen_until, [1.0], np.full((60, 1), 0.5), risk=random.random(60))
    tests = [cohort.split(np.quantile(cohort.risk, cut)).log_rank for cut in cuts]
    return [test.p_value for test in tests if test is not None]


random, cohorts = np.random.default_rng(SEED), range(NUMBERS["cohorts"])
at_median = [p_values([0.5], random)[0] for _ in cohorts]
at_best = [min(p_values(np.linspace(0.15, 0.85, 15), random)) for _ in cohorts]
record("noise “significant” when cut at the median", 100 * np.mean(np.array(at_median) < 0.05), "%")
record("noise “significant” when cut at the best place", 100 * np.mean(np.array(at_best) < 0.05), "%")

# %% [markdown]
# *Figure 08.10.* $\sigma(x)^{e^x}$ falls to $1/e$ and no further, so the hazard stays below 63 %: even a patient whom this network gives up keeps 37 % in every interval. The smallest of 15 p-values is no p-value: chance had 15 tries. Take the cut from the **training** patients, and say so.
#
# ## 10 · What the deck says, and what we found
#
# First the two networks that [come trained](../README.md): the deck's, small, on phantom heads with voxels of 7 mm, from two seeds each, tested on patients whom none was trained or chosen on. Beside them the controls of that run.
#
# Then our [records](../figures/results.md) of the deck's comparison: five folds of 80 real patients; and of 800 phantoms one fold, 160 tested.

# %%
from medattn_lite.course import recorded_c_indices, trained_c_indices

for label, intervals in {"networks that come trained": trained_c_indices(), **recorded_c_indices()}.items():
    plots.show(plots.forest(intervals, label=f"C-index, {label}", reference=0.5, reference_label="chance"))

# %% [markdown]
# *Figure 08.11.* Phantoms: learned, if the interval is above ½. *Figure 08.12.* 80 LGG patients. *Figure 08.13.* 160 phantoms. *Outline*: see section 7; *shuffled outcomes* must fail; *official head*: see 08.10.
#
# | the deck | what we found |
# |---|---|
# | CBAM 0.763, SE 0.733 | patients: both near ½, as with shuffled outcomes. Phantoms: 0.612, 0.577 (shuffled 0.467); one seed |
# | no clinical values beside them | *clinical* (Cox) ranks better, in both cohorts; on phantoms so does the outline |
# | all patients: 0.763 on one slide, 0.704 on another | unexplained |
# | Brier 0.14 to 0.21 | of one curve for all: not said |
# | "one-year survival" | day 376, the sixth interval's end |
# | glioblastoma alone poor | expected: below |
# | DenseNet-121 is presented | no row of results; its code cannot run |

# %% [markdown]
# **All grades, or one?** Patients with low grade live for years, with glioblastoma for about one. In 1085 TCGA patients, **two numbers for the grade, and no picture,** reach a C-index of 0.73 (figures/results.md): that of the deck's SE-ResNeXt. So a network may reach it by telling the grade. Within glioblastoma this help is gone. The question for any survival network is not "is it above one half?" but "what does it know that the chart beside the bed does not?"
#
# With a thousand patients and full size the deck's networks may know more than ours. The deck does not show the clinical values beside them.
#
# ## Quiz
#
# Four questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "A patient is alive at the last visit, on day 400. What do you know of the day of death?",
        ["It is 400", "It is later than 400", "Nothing; leave the patient out"],
        "It is later than 400",
        ["That would count a living person as dead.", "Yes. That is what censored means, and it is worth something.",
         "Four hundred days of life are not nothing."],
    ),
    Question(
        "You square every predicted survival curve, S to S² (in Cox's model: twice the hazard). Which score changes?",
        ["The C-index", "The Brier score", "Both"],
        "The Brier score",
        ["Only the order counts there, and it stays.", "Yes, and calibration shows it at once.",
         "The order of the patients is the same, so the C-index is too."],
    ),
    Question(
        "A network has C-index 0.72, the clinical values alone 0.74. What do you write?",
        ["It predicts survival well", "Not shown to add to the clinical values", "The picture holds no information"],
        "Not shown to add to the clinical values",
        ["It may only tell what the chart tells. Compare, with an interval of the difference.",
         "Yes. To show more, put both into one Cox model, with the interval of its gain over the clinical values alone.", "Not shown is not the same as not there."],
    ),
    Question(
        "Cox's loss, batch of 4, one patient in twenty dies. What do most steps teach?",
        ["The order of the censored", "Nothing", "The level of the hazard"],
        "Nothing",
        ["Nobody knows their order.", "Yes: without a death the loss is 0. Larger batches, or hazards.",
         "Cox's loss never knows the level: shift all risks and it stays."],
    ),
])

# %% [markdown]
# ## Summary
#
# - **Censored** is not missing: a patient counts until the last visit, and then steps out of the denominator.
# - **Hazards** by interval learn from every patient; **Cox** learns who dies first, a softmax over those at risk.
# - First a **control that must work**.
# - Judge by **order** (C-index), **error** (Brier, against one curve for all) and **calibration**, on patients not trained on, beside the **clinical values**.
# - The end of follow-up, ties, batches without a death, the sick who leave, a bounded head, a chosen cut: each may pass unnoticed.
#
# **Next:** [09 · Attention maps and Grad-CAM](09_attention_maps_gradcam.ipynb): what did the network look at?
#
# **Read on:** Gensheimer and Narasimhan 2019 ([arXiv:1805.00917](https://arxiv.org/abs/1805.00917)), Kvamme and Borgan 2021 ([arXiv:1910.06724](https://arxiv.org/abs/1910.06724)), Katzman et al. 2018 ([arXiv:1606.00931](https://arxiv.org/abs/1606.00931)). Words: [glossary](glossary.md).
