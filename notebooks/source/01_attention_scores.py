# %% [markdown] slideshow={"slide_type": "slide"}
# # 01 · Attention scores and softmax
#
# **45 minutes to read, 30 for the exercises; under a minute to run at `smoke`, one at `laptop`.** Difficulty ●●○○
#
# You will build the mechanism under every network of this course, [attention](glossary.md#attention). A
# [query](glossary.md#query) looks at many [keys](glossary.md#key), gives each one a [score](glossary.md#score),
# turns the scores into [weights](glossary.md#weight), and returns one [context](glossary.md#context) vector.
# First with three numbers, then as a module that agrees with PyTorch's own, then trained, then on an MRI slice.
#
# From the papers: the attention pages of the survival deck, slides of a study that predicts survival with glioma.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## At the end you can
# - compute scores, weights and context with a pencil;
# - say what softmax, temperature and the division by $\sqrt d$ are for, and measure the last one;
# - write dot-product, additive and multi-head attention, and show that they equal PyTorch's;
# - read an alignment matrix, and say what it does not tell you;
# - carry the same formula from words to patches of an image.
#
# **You need** notebook [00](00_start_here.ipynb) for the words *voxel*, *slice* and *contrast*; and you can read
# `x.shape` and `x @ y`, the product of two matrices. You need no recurrent networks: section 2 says the little you
# need. New words link to the [glossary](glossary.md).

# %% tags=["parameters"]
SCALE = "smoke"  # "smoke", "laptop" or "paper"
DEVICE = "auto"
SEED = 0
DATA = "phantom"  # or "lgg", with DATA_ROOT the folder of the patients
DATA_ROOT = None

# %%
import torch
from torch import nn
from torch.nn import functional as F

from medattn_lite import attention, plots, widgets
from medattn_lite.course import Question, check, environment_line, quiz, record, scale_numbers
from medattn_lite.data import foreground, normalise, open_dataset

torch.manual_seed(SEED)
print(environment_line(DEVICE, SCALE, seed=SEED, data=DATA, data_root=DATA_ROOT))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1 · The question
#
# The next cell shows one slice of a head, cut into small square **patches**. One patch has a frame. You want
# to know what kind of tissue it is, and you may look at any other patches before you answer.
#
# **Guess before you run it.** Would you give every other patch the same attention? If not, which ones come
# first, and what makes them worth it? Keep your answer. In section 10 a formula of one line gives its own.

# %%
options = {"n": 3, "task": "segmentation", "seed": SEED} if DATA == "phantom" else {}
sample = open_dataset(DATA, DATA_ROOT, **options)[0]
volume, mask = normalise(sample["image"]), sample["mask"][0] > 0        # (C, D, H, W), (D, H, W)
depth = int(mask.sum(dim=(1, 2)).argmax())                              # the slice with the largest tumour
image, tumour = volume[:, depth], mask[depth]                           # (C, H, W), (H, W)

SIDE = 4                                                                # a patch has 4 × 4 pixels
tumour_share = F.avg_pool2d(tumour[None].float(), SIDE)[0]              # (rows, columns)
candidates = torch.nonzero(tumour_share == tumour_share.max())
framed = tuple(candidates[len(candidates) // 2].tolist())                # the framed patch: row, column
flair = image[sample["channels"].index("flair")]                        # (H, W)
plots.show(plots.patch_weights(flair, [framed], side=SIDE))

# %% [markdown] slideshow={"slide_type": "slide"}
# *Figure 01.1.* The framed patch, in FLAIR. Which others resemble it? (Synthetic, unless `DATA = "lgg"`.)
#
# ## 2 · Why attention was invented
#
# Attention comes from translation. There, a *sequence-to-sequence* network has two halves. The **encoder**
# reads a sentence word by word and updates a vector after each, its *hidden state* $h_i$. The **decoder**
# starts from the **last** of these vectors and writes the translation, with states $s_t$ of its own.
#
# The survival deck names two limits:
#
# 1. **A fixed context.** Five words or fifty: everything must fit into that one last vector.
# 2. **Vanishing [gradients](glossary.md#gradient).** To learn about word 1, a signal must come back through every
#    later step, and each one shrinks it.
#
# The second now, the first in section 9.

# %%
reader = nn.RNN(input_size=8, hidden_size=32, batch_first=True)
words = torch.randn(64, 30, 8, requires_grad=True)                      # (B, N, 8): 64 sentences, 30 words
states, _ = reader(words)                                               # (B, N, 32): one hidden state per word
last = states[:, -1]                                                    # (B, 32): all the old decoder gets
context = attention.attend(torch.randn(64, 1, 32), states, states).context          # (B, 1, 32)

def influence(result):
    """How strongly each word moves the result: mean length of the gradient, one number per word."""
    return torch.autograd.grad(result.sum(), words, retain_graph=True)[0].norm(dim=-1).mean(dim=0)

from_last, from_context = influence(last), influence(context)           # (N,) each
both = {"through the last state": from_last, "through attention": from_context}
fig = plots.lines(range(29, -1, -1), both, xlabel="how many words ago", ylabel="gradient", log_y=True)
plots.show(fig)

# %% [markdown]
# *Figure 01.2.* Through the last state the signal shrinks step by step: nearly a straight fall on this
# logarithmic axis. (This reader is untrained, with `tanh` and PyTorch's usual start. LSTM and GRU, two later kinds of reader,
# lose less, and still lose.) Through attention the line is nearly flat. The context is a sum over **all** states, so every word is
# one step away. So keep every state, and look up what is needed when it is needed.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3 · By hand
#
# Three words have been read; each left a state $h_i$ of two numbers. The decoder's state is $s$.
#
# **Score.** How well does a word fit what the decoder wants? Multiply number by number, add up: the
# [dot product](glossary.md#dot-product).
#
# $$e_i = \mathrm{score}(s, h_i) = s^\top h_i \tag{01.1}$$
#
# **Weights.** Scores can be anything. We want shares: positive, and 1 in total. Take the number $\exp(1) = 2.718…$ to
# the power of each score and divide by the total: [softmax](glossary.md#softmax).
#
# $$\alpha_i = \frac{\exp(e_i)}{\sum_j \exp(e_j)} \tag{01.2}$$
#
# Do the scores in your head first. The third is one more than the first. **Guess:** how many times larger is
# its weight?

# %%
from math import exp

s = [2.0, 1.0]                                    # what the decoder looks for: the query
h = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]          # what the three words offer: the keys

scores = [s[0] * key[0] + s[1] * key[1] for key in h]                               # (01.1)
weights = [exp(score) / sum(exp(other) for other in scores) for score in scores]    # (01.2)
print("scores ", scores, "\nweights", [round(weight, 3) for weight in weights])
print("third over first:", round(weights[2] / weights[0], 3), " and exp(1) is", round(exp(1), 3))

# %% [markdown]
# One point more of score is always $\exp(1) \approx 2.7$ times more weight, wherever the scores stand. Softmax sees
# only **differences**: add 100 to every score and no weight moves.
#
# **Context.** Mix the states in these shares: a weighted *sum*, one number per dimension.
#
# $$a = \sum_i \alpha_i\, h_i \tag{01.3}$$
#
# **Concatenate.** The deck then lays the context beside the decoder's own state. The next layer sees both:
# what was looked up, and who asked.
#
# $$[\,a\,;\,s\,] \tag{01.4}$$

# %%
context = [sum(weights[i] * h[i][axis] for i in range(3)) for axis in (0, 1)]       # (01.3)
print("context", [round(value, 3) for value in context])
print("context beside state", [round(value, 3) for value in context + s])           # (01.4)

fig = plots.weights_bars({"score": scores, "weight": weights}, names=["word 1", "word 2", "word 3"],
                         title="", label="", limits=(0, 3))
plots.show(fig)

# %% [markdown] slideshow={"slide_type": "slide"}
# *Figure 01.3.* Softmax keeps the order, and all weights together are 1.
#
# ## 4 · From loops to a module
#
# The same in PyTorch, with more queries and words. **B** sentences (or images) in a [batch](glossary.md#batch), **T** queries,
# **N** keys, **d** numbers in a vector.
#
# First a loop that says exactly what happens. Then all at once: `keys.transpose(-2, -1)` turns $(B, N, d)$ into
# $(B, d, N)$, so that $(B, T, d)$ times $(B, d, N)$ gives $(B, T, N)$: **one row per query, one column per
# key**. Softmax runs along the row, over the keys: `dim=-1`.

# %%
B, T, N, d = 2, 4, 5, 8
queries, keys = torch.randn(B, T, d), torch.randn(B, N, d)

context_loop = torch.zeros(B, T, d)
for b in range(B):
    for t in range(T):
        e = torch.stack([queries[b, t] @ keys[b, i] for i in range(N)])         # (N,)   (01.1)
        alpha = e.exp() / e.exp().sum()                                         # (N,)   (01.2)
        context_loop[b, t] = sum(alpha[i] * keys[b, i] for i in range(N))       # (d,)   (01.3)

scores = queries @ keys.transpose(-2, -1)         # (B, T, N)   (01.1)
weights = torch.softmax(scores, dim=-1)           # (B, T, N)   (01.2) each row sums to 1
context = weights @ keys                          # (B, T, d)   (01.3)
torch.testing.assert_close(context, context_loop)
print("loop and matrix product agree: scores", tuple(scores.shape), "context", tuple(context.shape))

# %% [markdown] slideshow={"slide_type": "slide"}
# ### Query, key, value
#
# So far a state played two parts: it was compared with the query, and it was mixed into the context. They may
# be two vectors. The **key** says *what I am found under*, the [**value**](glossary.md#value) *what you get*. Think of a library:
# your request is the query, the catalogue cards are keys, the books are values.
#
# $$\mathrm{Attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^\top}{\tau \sqrt d}\right) V \tag{01.5}$$
#
# Two numbers are new. The [temperature](glossary.md#temperature) $\tau$ is a dial, the subject of section 5.
# $\sqrt d$ is a repair, the subject of section 6. As a module:

# %% tags=["slide"]
class DotAttention(nn.Module):
    """Scores → weights → context, for queries (B, T, d), keys (B, N, d) and values (B, N, v)."""

    def __init__(self, *, scaled: bool = True, temperature: float = 1.0):
        super().__init__()
        self.scaled = scaled
        self.temperature = temperature

    def forward(self, query, keys, values):
        scores = query @ keys.transpose(-2, -1)                     # (B, T, N)   (01.1)
        if self.scaled:
            scores = scores / query.shape[-1] ** 0.5                # (B, T, N)   (01.5)
        weights = torch.softmax(scores / self.temperature, dim=-1)  # (B, T, N)   (01.2)
        return weights @ values, weights                            # (B, T, v)   (01.3)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5 · Temperature
#
# Dividing all scores by $\tau$ shrinks or stretches their differences. We keep the three scores of section 3
# (2, 1 and 3) and turn the dial from 0.1 to 30. **Guess:** where do the three lines end on the left, and where
# on the right?

# %%
temperatures = torch.logspace(-1, 1.5, 40)                                            # 0.1 … 30
swept = torch.softmax(torch.tensor([2.0, 1.0, 3.0]) / temperatures[:, None], dim=-1)  # (40, 3)
fig = plots.lines(
    temperatures, {f"word {i + 1}": swept[:, i] for i in range(3)}, log_x=True, ylim=(0, 1),
    xlabel="temperature τ", ylabel="weight", mark=(1.0, "τ = 1"),
)
plots.show(fig)

# %% [markdown] slideshow={"slide_type": "slide"}
# *Figure 01.4.* Cold ($\tau$ small): the winner takes all. Hot ($\tau$ large): all shares alike, and the
# context becomes a plain mean. Nothing about the scores changed. Keep this in mind whenever somebody shows you
# a sharp attention map: one number, $\tau$, makes any map sharp.
#
# ## 6 · Why divide by $\sqrt d$
#
# Take a query and keys whose $d$ numbers are independent, mean 0, variance 1. A dot product adds $d$ products,
# each of variance 1. Variances add, so a score has variance $d$ and typically a size of $\sqrt d$. Longer
# vectors have the effect of a lower temperature. We measure it.

# %%
sizes = (1, 4, 16, 64, 256, 1024)
variance, winner, winner_scaled = [], [], []
for size in sizes:
    raw = attention.dot_scores(torch.randn(2000, 1, size), torch.randn(2000, 10, size))     # (2000, 1, 10)
    variance.append(raw.var().item())
    winner.append(raw.softmax(dim=-1).amax(dim=-1).mean().item())
    winner_scaled.append((raw / size**0.5).softmax(dim=-1).amax(dim=-1).mean().item())

record("variance of a score / d, at d = 1024", variance[-1] / sizes[-1])
fig = plots.lines(sizes, {"not scaled": winner, "divided by √d": winner_scaled}, log_x=True, ylim=(0, 1),
                  xlabel="d, numbers in a vector", ylabel="largest of 10 weights")
plots.show(fig)

# %% [markdown]
# *Figure 01.5.* The vectors are pure chance, so nothing deserves to win. Without the division one key gets nearly
# everything once $d$ is large.
#
# Why is that bad? A weight changes with its own score at the rate $\alpha_i (1 - \alpha_i)$. At
# $\alpha_i \approx 1$ or $\approx 0$ that is almost zero: the layer has made its choice **before** it has
# learned anything, and gradients no longer reach the scores. Dividing by $\sqrt d$ gives back variance 1 at
# every $d$.
#
# ## 7 · Additive scores, heads, parity
#
# **[Additive score](glossary.md#additive-score).** Before dot products won, a small network compared query and key. It is slower, but the
# two may have different sizes.
#
# $$\mathrm{score}(q, k) = v^\top \tanh(W_q\, q + W_k\, k) \tag{01.6}$$

# %% tags=["slide"]
class AdditiveScore(nn.Module):
    """Compare (B, T, q) queries with (B, N, k) keys through a hidden layer: (B, T, N) scores."""

    def __init__(self, query_dim, key_dim, hidden_dim):
        super().__init__()
        self.query = nn.Linear(query_dim, hidden_dim, bias=False)     # W_q
        self.key = nn.Linear(key_dim, hidden_dim, bias=False)         # W_k
        self.score = nn.Linear(hidden_dim, 1, bias=False)             # v

    def forward(self, query, keys):
        pairs = self.query(query)[:, :, None] + self.key(keys)[:, None]     # (B, T, N, hidden)
        return self.score(torch.tanh(pairs)).squeeze(-1)                    # (B, T, N)   (01.6)

# %% [markdown]
# **[Heads](glossary.md#head).** One softmax gives one mixture. To look at two places for two reasons you need two of them. Split
# the $E$ numbers of each vector into `heads` pieces, attend in each piece on its own, lay the results side by
# side again, and let one last layer mix them.
#
# $$\mathrm{head}_j = \mathrm{Attention}(Q_j, K_j, V_j), \qquad
# y = W_o\,[\mathrm{head}_1; \dots; \mathrm{head}_m] \tag{01.7}$$
#
# Here queries, keys and values all come from the **same** input, each through its own learned layer. That is
# [self-attention](glossary.md#self-attention): every position looks at every other.

# %% tags=["slide"]
class Heads(nn.Module):
    """Self-attention with several heads on (B, N, E)."""

    def __init__(self, embed_dim, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(embed_dim, 3 * embed_dim)      # W_q, W_k, W_v in one
        self.out = nn.Linear(embed_dim, embed_dim)          # W_o
        self.attend = DotAttention()

    def split(self, x):
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)       # (B, heads, N, E / heads)

    def forward(self, x):
        query, keys, values = (self.split(part) for part in self.qkv(x).chunk(3, dim=-1))
        context, weights = self.attend(query, keys, values)                # (B, heads, N, E / heads)
        joined = context.transpose(1, 2).flatten(2)                        # (B, N, E)
        return self.out(joined), weights                                   # (01.7)

plots.show(plots.data_flow("query-key-value"))

# %% [markdown] slideshow={"slide_type": "slide"}
# *Figure 01.6.* The class as a drawing, with the shape of every tensor; m heads. Yellow boxes have weights to learn, grey ones hold data, blue ones
# only compute.
#
# ### Parity
#
# Anyone can write a formula down. Does ours compute what the libraries compute? Same weights in, same input
# in, same numbers out: that is [parity](glossary.md#parity). We compare with the package that the later
# notebooks use and with PyTorch. `assert_close` raises an error at the first difference that rounding cannot
# explain.

# %%
from medattn_lite.networks import from_torch_multihead


def parity(name, mine, theirs):
    torch.testing.assert_close(mine, theirs)
    print(f"{name:45s} largest difference {(mine - theirs).abs().max():.0e}")

values, x = torch.randn(B, N, d), torch.randn(2, 6, 16)
mine, mine_weights = DotAttention()(queries, keys, values)
packaged = attention.attend(queries, keys, values, score="scaled")
parity("package: attend(score='scaled')", mine, packaged.context)
parity("torch: scaled_dot_product_attention", mine, F.scaled_dot_product_attention(queries, keys, values))

additive, theirs = AdditiveScore(8, 8, 32), attention.AdditiveScores(8, 8, hidden_features=32)
theirs.load_state_dict({**additive.state_dict(), "key.bias": torch.zeros(32)})  # one bias more
parity("package: AdditiveScores", additive(queries, keys), theirs(queries, keys))

# %% [markdown] tags=["no-slide"]
# With several heads, first give both the same weights. Torch keeps $W_q$, $W_k$ and $W_v$ one above the other in one
# matrix, as `Heads` does. The package has a layer for each: `from_torch_multihead` translates.

# %%
heads, theirs = Heads(embed_dim=16, num_heads=4), nn.MultiheadAttention(16, 4, batch_first=True)
theirs.in_proj_weight.data, theirs.in_proj_bias.data = heads.qkv.weight.data, heads.qkv.bias.data
theirs.out_proj.load_state_dict(heads.out.state_dict())
for name, our, their in zip(("output", "weights"), heads(x), theirs(x, x, x, average_attn_weights=False), strict=True):
    parity(f"torch: MultiheadAttention, {name}", our, their)
packaged = attention.MultiHeadAttention(16, num_heads=4)
packaged.load_state_dict(from_torch_multihead(theirs.state_dict()))
parity("package: MultiHeadAttention, output", heads(x)[0], packaged(x))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8 · Your turn
#
# Replace `...` by your code, run the cell, then run the check under it. Until you try, the check says *not
# attempted yet*, and the notebook goes on without you. Of a wrong answer the check says what it seems to compute.
#
# ### Exercise 01.1 · softmax with a temperature
#
# *5 minutes, easy.* `scores` has shape (B, T, N). Return weights of
# the same shape that follow (01.5): divide, then softmax over the keys. Use `exp` and `sum`, not
# `torch.softmax`.
#
# <details><summary>Hint 1</summary>The temperature divides the scores before `exp`, not the weights after.</details>
# <details><summary>Hint 2</summary>The keys are the last axis: <code>sum(dim=-1, keepdim=True)</code> keeps the shape that divides row by row.</details>

# %% tags=["exercise"]
def weights_with_temperature(scores, temperature):
    """Turn scores (B, T, N) into weights (B, T, N) that sum to 1 over the keys."""
    ### BEGIN SOLUTION
    exponentials = (scores / temperature).exp()                         # (B, T, N)
    return exponentials / exponentials.sum(dim=-1, keepdim=True)        # (B, T, N)
    ### END SOLUTION

# %%
check("01-weights", weights_with_temperature)

# %% [markdown]
# ### Exercise 01.2 · one step of a decoder
#
# *15 minutes, needs thought.* `state` (B, d) is the decoder's, `words`
# (B, N, d) are the encoder's. Short sentences are filled up with [padding](glossary.md#padding): `real` (B, N) is True at real words.
# Return **the context followed by the state**, (B, 2d). Use *scaled* scores; padding gets weight exactly 0.
#
# <details><summary>Hint 1</summary>Make the state a query of one row: <code>state[:, None]</code> is (B, 1, d). A score of 0 is not "no attention", since exp(0) = 1. Which score becomes weight 0?</details>
# <details><summary>Hint 2</summary>exp(−∞) = 0: <code>scores.masked_fill(~real[:, None], float("-inf"))</code>, before softmax. At the end <code>squeeze(1)</code> the context and <code>torch.cat</code> it with the state on the last axis.</details>

# %% tags=["exercise"]
def decoder_step(state, words, real):
    """Look up (B, N, d) with (B, d), ignoring words that are not real: context beside state, (B, 2d)."""
    ### BEGIN SOLUTION
    scores = state[:, None] @ words.transpose(-2, -1)               # (B, 1, N)   (01.1)
    scores = scores / state.shape[-1] ** 0.5                        # (B, 1, N)   (01.5)
    scores = scores.masked_fill(~real[:, None], float("-inf"))      # (B, 1, N)
    weights = torch.softmax(scores, dim=-1)                         # (B, 1, N)   (01.2)
    context = (weights @ words).squeeze(1)                          # (B, d)      (01.3)
    return torch.cat([context, state], dim=-1)                      # (B, 2d)     (01.4)
    ### END SOLUTION

# %%
check("01-decoder-step", decoder_step)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 9 · Train: write a word backwards
#
# Back to the deck's first limit, the fixed context. The smallest task that shows it: read a word of random letters,
# write it backwards. Nothing can be guessed; every letter must be carried over.
#
# Below is the whole network. `weigh` turns scores into weights: `softmax` gives attention, `None` leaves only
# the last state. The encoder reads in both directions.
#
# **Guess before you train.** Both versions practise on words of 3 to 10 letters. At which length does the one
# without attention begin to fail? Is its vector then *full*, or has it not *learned* enough? Two more networks tell
# these apart: one trained four times as long, and one with fewer numbers.

# %%
LETTERS = 10

class Reverser(nn.Module):
    """Reads a word (B, N) and predicts each next letter of its reverse: (B, N, letters)."""

    def __init__(self, size, weigh):
        super().__init__()
        self.weigh = weigh
        self.letter = nn.Embedding(LETTERS + 1, size)          # a vector per letter; 0 means "start writing"
        self.encoder = nn.GRU(size, size // 2, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(size, size, batch_first=True)
        self.combine = nn.Linear(2 * size if weigh else size, size)
        self.write = nn.Linear(size, LETTERS + 1)

    def forward(self, word, written):
        h, last = self.encoder(self.letter(word))              # (B, N, d), (2, B, d / 2)
        last = last.transpose(0, 1).reshape(1, len(word), -1)  # (1, B, d): the fixed context
        s, _ = self.decoder(self.letter(written), last)        # (B, T, d)
        if self.weigh:
            self.weights = self.weigh(s @ h.transpose(1, 2))   # (B, T, N)   (01.1), (01.2)
            s = torch.cat([self.weights @ h, s], dim=-1)       # (B, T, 2d)  (01.3), (01.4)
        return self.write(torch.tanh(self.combine(s)))         # (B, T, letters)

plots.show(plots.data_flow("encoder-decoder"))

# %% [markdown]
# *Figure 01.7.* The network with attention. Without it, all that the decoder learns of the word comes through the box
# *last state*: find the path.
#
# `train_backwards` shows words of 3 to 10 random letters, the same to every network, for a fixed number of steps.
# When letter $t$ is due, the decoder has been given the right letters before it (*teacher forcing*).
# `letters_right` measures the same on new words: the share of letters right, given the right ones before.

# %%
from medattn_lite.course import letters_right, practice_words, train_backwards

NUMBERS = scale_numbers(SCALE, smoke={"iterations": 300, "size": 48},
                        laptop={"iterations": 2000, "size": 64}, paper={"iterations": 6000, "size": 128})
LENGTHS, LONGER = (4, 6, 8, 10, 12, 16), 4 * NUMBERS["iterations"]

def trained(kind, weigh, size=None, iterations=None):  # the seed is the same for all
    torch.manual_seed(SEED)
    network = kind(size or NUMBERS["size"], weigh)
    return train_backwards(network, iterations=iterations or NUMBERS["iterations"], seed=SEED)

def show_lengths(results):
    plots.show(plots.lines(LENGTHS, results, xlabel="letters in the word", ylabel="share of letters right",
                           ylim=(0, 1.02), mark=(10, "longest word practised")))

softmax = nn.Softmax(dim=-1)
networks = {"with attention": trained(Reverser, softmax), "last state only": trained(Reverser, None),
            "last state only, 4 × as long": trained(Reverser, None, iterations=LONGER),
            "16 numbers, 4 × as long": trained(Reverser, None, size=16, iterations=LONGER)}
results = {name: [letters_right(network, n) for n in LENGTHS] for name, network in networks.items()}
show_lengths(results)
for name, shares in results.items():
    record(f"10 letters, {name}", shares[LENGTHS.index(10)])

# %% [markdown]
# *Figure 01.8.* Compare at the mark, the longest word practised. The deck says that the fixed context "runs full".
# Here most of the gap at the mark is **training**: the same vector, trained longer, holds more (at `laptop`, 8,000
# steps). With 16 numbers it stays behind: size is a limit too. Right of the mark is another question, lengths never
# practised: there attention *generalises* better. So attention is **learned faster and carries further**.
#
# Attention brings something we never asked for: its weights. They make a table, one row per letter written,
# one column per letter read. In translation it is called the [alignment](glossary.md#alignment).
#
# **Guess:** what pattern should a network that writes backwards draw?

# %%
word, written, answer = practice_words(200, 8, seed=SEED + 2)            # (200, 8) each

def alignment(network):
    """Draw the weights for one word; return how often the largest lies on the letter to be written."""
    with torch.no_grad():
        network(word, written)                              # leaves network.weights, (200, T, N)
    letters = ["·abcdefghij"[number] for number in word[0]]
    plots.show(plots.attention_matrix(network.weights[0], rows=letters[::-1], columns=letters,
                                      row_label="letter to write", column_label="letter read"))
    return (network.weights.argmax(dim=-1) == torch.arange(7, -1, -1)).float().mean().item()

on_target = alignment(networks["with attention"])
record("largest weight on the right letter", on_target)

# %% [markdown]
# *Figure 01.9.* The anti-diagonal: to write the first letter it looks at the last one read, and so on. Nobody
# told it where to look. It had only the [loss](glossary.md#loss).
#
# ### Exercise 01.3 · take the choice away
#
# *10 minutes, changes the experiment.* Attention has two parts: access to
# all states, and a *choice* among them. Which one helps? Write a `weigh` that ignores the scores and
# gives each key the same share. Then train with it.
#
# <details><summary>Hint 1</summary>The result has the shape of <code>scores</code> and each row sums to 1 over the keys, like softmax.</details>
# <details><summary>Hint 2</summary>With N keys each weight is 1/N. <code>torch.ones_like(scores)</code> has the right shape already.</details>

# %% tags=["exercise"]
def uniform_weights(scores):
    """Give each of the N keys of scores (B, T, N) the same weight, whatever its score."""
    ### BEGIN SOLUTION
    return torch.ones_like(scores) / scores.shape[-1]       # (B, T, N)
    ### END SOLUTION

# %%
check("01-uniform", uniform_weights)

# %%
passed = check("01-uniform", uniform_weights).passed
no_choice = uniform_weights if passed else (lambda scores: torch.ones_like(scores) / scores.shape[-1])
networks["all states, no choice"] = trained(Reverser, no_choice)
results["all states, no choice"] = [letters_right(networks["all states, no choice"], n) for n in LENGTHS]
show_lengths(results)
for name in results:
    record(f"16 letters, {name}", results[name][-1])

# %% [markdown]
# *Figure 01.10.* *All states, no choice* has exactly as many parameters as the first network and sees every state. Only the choice
# is gone.
# Where does its line run: near the first or near the second? That is the share of the work the *weights* do. The same
# ablation on a medical toy task, a report read from a scan, stands in [the positive controls](../figures/positive_controls.md),
# row *reading-order*.
#
# Such a control is called an [ablation](glossary.md#ablation): take one part out, leave all else. A result
# "with attention" beside a smaller network "without" does not show that attention helped. Ask for the
# ablation.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 10 · Look: from words to voxels
#
# Nothing in (01.5) knows about words. Cut a slice into patches, let each patch be a vector, and ask with one
# patch as the query. This is the question from the beginning.
#
# Each patch has 4 × 4 pixels in every contrast. We bring each patch vector to the same length, so that the
# score compares *pattern* and not *brightness*. Patches of air are masked, as
# padding was in exercise 01.2.

# %%
in_head = foreground(sample["image"])[:, depth]                         # (1, H, W)
in_head = F.avg_pool2d(in_head.float(), SIDE)[0].flatten() > 0.5        # (N,): patches that are not air
rows, columns = tumour_share.shape
patches = F.unfold(image[None], SIDE, stride=SIDE)[0].T                 # (N, d), one row per patch
patches = patches - patches[in_head].mean(dim=0)                        # a mean patch becomes 0
patches = F.normalize(patches, dim=-1) * patches.shape[-1] ** 0.5       # length √d

def look_from(row, column):
    """One patch's weights over all patches of the head, as a map (rows, columns)."""
    query = patches[row * columns + column]                             # (d,)
    seen = attention.attend(query, patches, patches, score="scaled", mask=in_head)
    return seen.weights.view(rows, columns)

asking = [framed, (framed[0], columns - 1 - framed[1])]                    # and the other side
maps = [look_from(*patch) for patch in asking]
plots.show(plots.patch_weights(flair, asking, side=SIDE, weights=maps, outline=tumour))
inside = tumour_share > 0.5
record("tumour's share of the head's patches", inside.float().sum() / in_head.sum())
record("tumour's share of the weight, asked from tumour", maps[0][inside].sum())
record("tumour's share of the weight, asked from the other side", maps[1][inside].sum())

# %% [markdown]
# *Figure 01.11.* Compare with your guess. Nothing was trained. Patches
# of tumour resemble each other in these contrasts, so they score high. The lower row asks from the **other
# side** of the head: other query, other weights, same keys. (A patch always fits itself well. Each row has its own scale of colours.)
#
# ### Play with it
#
# One query and a few keys in the plane; move them with the sliders or, after a click, the arrow keys.
#
# 1. Make a key **longer** without turning it. Is the result what you want of a comparison?
# 2. Turn the temperature down. Where does the context go?
# 3. Find a query for which the context is the plain mean of the keys.

# %%
from IPython.display import display

playground = widgets.attention_playground()
display(playground)

# %% [markdown] slideshow={"slide_type": "slide"}
# *Figure 01.12.* The playground.
#
# ## 11 · What goes wrong
#
# Attention fails without an error: shapes fit, and the numbers are wrong. Four ways, each with the symptom that gives it
# away. **Guess** the symptom of each before you run the cell.
#
# 1. softmax over the wrong axis (`dim=1` instead of `dim=-1` on (B, T, N)): look at the row sums;
# 2. padding not masked: how much of the weight goes to nothing;
# 3. no division by $\sqrt d$ at $d = 1024$: the mean slope $\alpha(1-\alpha)$, without and with it;
# 4. temperature 0.

# %%
scores = queries @ keys.transpose(-2, -1)                           # (B, T, N)
padded = torch.cat([keys[:, :2], torch.zeros(B, 3, d)], dim=1)      # (B, N, d): 2 real keys, 3 of padding
on_padding = attention.attend(queries, padded, padded).weights[..., 2:].sum(dim=-1)         # (B, T)
long_queries, long_keys = torch.randn(200, 1024), torch.randn(10, 1024)
raw = attention.dot_scores(long_queries, long_keys)                 # (200, 10)
print("1. row sums       ", [round(value, 2) for value in scores.softmax(dim=1)[0].sum(dim=-1).tolist()])
print("2. on padding     ", f"{on_padding.mean():.0%}")
slopes = [(a * (1 - a)).mean().item() for a in (raw.softmax(dim=-1), (raw / 32).softmax(dim=-1))]
print("3. slope α(1 − α)  not scaled {:.4f}, scaled {:.4f}".format(*slopes))
print("4. temperature 0  ", (scores[0, 0] / 0.0).softmax(dim=-1).tolist())

# %% [markdown]
# 1. Each row should sum to 1, and does not. The columns do: every key shared itself among the queries.
# 2. A score of 0 is no refusal: exp(0) = 1. Padding takes weight from real words.
# 3. Without the division the slope is much smaller. Where it is near 0, nothing is learned.
# 4. `nan` is "not a number": dividing by 0 gave infinity over infinity. One such number spoils every later layer.
#
# ### The fifth: believing the picture
#
# Our encoder read both ways. Let one read from left to right only, otherwise the same network, and look at its
# alignment. **Guess:** can it write well with an alignment that points beside the letters?

# %%
class OneWay(Reverser):                 # the same network, but it reads from left to right only
    def __init__(self, size, weigh):
        super().__init__(size, weigh)
        self.encoder = nn.GRU(size, size, batch_first=True)

one_way = trained(OneWay, softmax)
record("8 letters, one-way encoder", letters_right(one_way, 8))
one_way_on_target = alignment(one_way)
record("largest weight on the right letter, one-way encoder", one_way_on_target)

# %% [markdown] slideshow={"slide_type": "slide"}
# *Figure 01.13.* Compare the two recorded numbers with each other: how often is the letter right, and how often does
# the largest weight lie on it? Where the first is larger, letters came out right while the weights pointed
# elsewhere. How? A state $h_i$ is not the letter $i$. It is everything read up to there, so a letter can be taken
# from its neighbour's state.
#
# **A weight says which state was used, not which input mattered.** In a deep network on images every feature has
# seen its surroundings too. Notebook 10 comes back to this.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 12 · What the deck says, and what we found
#
# The next cell puts the deck's claims beside what this run measured. Four remarks:
#
# - The deck's score has no $\sqrt d$. Our word network learns without it too; section 6 shows when it hurts. Luong
#   et al. (2015) have the same unscaled score; the division is from Vaswani et al. (2017).
# - "The context is full" and "trained too little" give the same curve: train longer, vary the size.
# - The deck blames `tanh` and many layers for the vanishing gradient. For a sequence, what counts is the number
#   of *steps*.
# - "Attend to what is relevant" is a hope, not a property of (01.3). Exercise 01.3 and the fifth failure test it.

# %%
print("\n".join(f"{claim:42s} {result}" for claim, result in {
    "a signal fades through an RNN's steps": f"gradient, word 1 over word 30: {from_last[0] / from_last[-1]:.0e}",
    "a fixed context is too small": "10 letters, practised: {:.0%} right; trained 4 × as long {:.0%}".format(
        *(results[name][3] for name in ("last state only", "last state only, 4 × as long"))),
    "attention mends it": f"10 letters: {results['with attention'][3]:.0%}; 16, never practised: {results['with attention'][-1]:.0%}",
    "the choice is what helps": f"16 letters: {results['all states, no choice'][-1]:.0%} without it",
    "it looks at the relevant input": f"largest weight on it: both ways {on_target:.0%}, one way {one_way_on_target:.0%}",
}.items()))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Quiz
#
# Four questions; every answer gets a reason.

# %% jupyter={"source_hidden": true}
quiz([
    Question(
        "You add 5 to every score of one query. What happens to its weights?",
        ["They grow", "They get sharper", "Nothing"], answer=2,
        feedback=["The shares still sum to 1, so they cannot all grow.",
                  "Sharpness follows the differences, and those stay as they are.",
                  "Right: exp(5) is a factor of every term and cancels in the division."]),
    Question(
        "Scores have shape (B, T, N). Along which axis must the weights sum to 1?",
        ["T", "N", "B"], answer=1,
        feedback=["Then each key would share itself among the queries.",
                  "Right: each query shares its attention among N keys.",
                  "Sentences of a batch have nothing to do with each other."]),
    Question(
        "Why divide by √d, and not by d?",
        ["The spread of a score grows like √d", "√d is quicker", "It makes no difference"], answer=0,
        feedback=["Right: the variance is d, so the spread is √d.",
                  "Speed is the same.",
                  "Dividing by d would make long vectors too hot: nearly equal weights."]),
    Question(
        "An attention map is bright on the tumour. What follows?",
        ["The tumour decided the answer", "States there got large weights, no more", "It is right"], answer=1,
        feedback=["Not shown: in section 11, letters came out right while the weights lay elsewhere.",
                  "Right. What those states carry, and what is done with them, is another question.",
                  "A map says nothing about the answer."]),
])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## Summary
#
# | step | formula | shape | goes wrong when |
# |---|---|---|---|
# | scores | $QK^\top / \sqrt d$ | (B, T, N) | not scaled |
# | weights | softmax over the keys | (B, T, N) | wrong axis, no mask |
# | context | weights times $V$ | (B, T, v) | sum or mean instead |
# | concatenate | $[a; s]$ | (B, T, v + d) | order swapped |
#
# **Next:** [02 · Squeeze-and-excitation](02_squeeze_excitation.ipynb) asks not *where* to look but *which channels* to
# turn up, and softmax gives way to a gate.
#
# **Read on:** [Bahdanau 2015](https://arxiv.org/abs/1409.0473) (additive score, alignment),
# [Luong 2015](https://arxiv.org/abs/1508.04025) (dot score, concatenation),
# [Vaswani 2017](https://arxiv.org/abs/1706.03762) (scaling, heads). The code: `medattn_lite/attention/scores.py`.
# Words: [glossary](glossary.md).
