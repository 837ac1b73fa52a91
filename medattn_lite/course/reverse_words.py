"""The smallest task that needs a memory: read a word of random letters, write it backwards.

Nothing can be guessed from habit, since all letters are equally likely, so the share of letters written
right says how much of the word got through. Notebook 01 uses it to compare a fixed context with
attention, as the word grows (Bahdanau et al. 2015 plot the same for translation).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import trange

LETTERS = 10
START = 0  # what the decoder has "written" before the first letter


def practice_words(count: int, length: int, *, seed: int | torch.Generator = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Draws random words with their answers.

    Args:
        count: number of words.
        length: letters in each.
        seed: a seed, or a generator to go on with.

    Returns:
        word: (count, length) letters 1 to `LETTERS`.
        written: (count, length), what the decoder sees: `START`, then the answer up to the letter before.
        answer: (count, length), the word backwards.
    """
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    word = torch.randint(1, LETTERS + 1, (count, length), generator=generator)
    answer = word.flip(1)
    written = torch.cat([torch.full((count, 1), START), answer[:, :-1]], dim=1)
    return word, written, answer


def train_backwards(
    network: nn.Module,
    *,
    iterations: int,
    seed: int = 0,
    lengths: tuple[int, int] = (3, 10),
    batch_size: int = 64,
    learning_rate: float = 4e-3,
    progress: bool = True,
) -> nn.Module:
    """Trains a network to predict each letter of the reverse from the word and the letters before.

    Args:
        network: called with word (B, N) and written (B, N), gives logits (B, N, LETTERS + 1).
        iterations: steps; each has one batch of words of one length.
        seed: of the words; the same seed shows the same words to any network.
        lengths: shortest and longest word to practise on.
        batch_size: words in a step.
        learning_rate: highest rate of the one-cycle schedule.
        progress: whether to show a progress bar.

    Returns:
        The same network, trained, in evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=iterations)
    network.train()
    for _ in trange(iterations, desc="writing backwards", leave=False, disable=not progress):
        length = int(torch.randint(lengths[0], lengths[1] + 1, (1,), generator=generator))
        word, written, answer = practice_words(batch_size, length, seed=generator)
        loss = F.cross_entropy(network(word, written).flatten(0, 1), answer.flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)  # one long word must not undo the others
        optimiser.step()
        schedule.step()
    return network.eval()


@torch.no_grad()
def letters_right(network: nn.Module, length: int, *, count: int = 500, seed: int = 1) -> float:
    """Computes the share of letters that the network gets right on new words, given the right letters before each.

    Args:
        network: as in `train_backwards`.
        length: letters in each word.
        count: number of words.
        seed: of the words.
    """
    word, written, answer = practice_words(count, length, seed=seed * 1000 + length)
    return (network(word, written).argmax(dim=-1) == answer).float().mean().item()
