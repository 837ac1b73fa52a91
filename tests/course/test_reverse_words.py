"""Claims about the task "write a word backwards"."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from medattn_lite.course.reverse_words import LETTERS, START, letters_right, practice_words, train_backwards


class CopiesTheAnswer(nn.Module):
    """Knows the word, so it can write it backwards without learning."""

    def forward(self, word, written):
        return F.one_hot(word.flip(1), LETTERS + 1).float()


class KnowsOnlyWhatIsWritten(nn.Module):
    """Sees no word; the best it can do is to guess."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(LETTERS + 1, LETTERS + 1)

    def forward(self, word, written):
        return self.table(written)


def test_the_answer_is_the_word_backwards_and_the_decoder_sees_only_the_letters_before():
    word, written, answer = practice_words(5, 7, seed=3)
    assert torch.equal(answer, word.flip(1))
    assert torch.equal(written[:, 1:], answer[:, :-1])
    assert (written[:, 0] == START).all()
    assert word.min() >= 1 and word.max() <= LETTERS


def test_the_same_seed_gives_the_same_words_and_another_seed_others():
    assert torch.equal(practice_words(4, 6, seed=1)[0], practice_words(4, 6, seed=1)[0])
    assert not torch.equal(practice_words(4, 6, seed=1)[0], practice_words(4, 6, seed=2)[0])


def test_a_network_that_knows_the_word_gets_every_letter_right():
    assert letters_right(CopiesTheAnswer(), 9) == 1.0


def test_what_is_already_written_does_not_give_the_next_letter_away():
    torch.manual_seed(0)
    network = train_backwards(KnowsOnlyWhatIsWritten(), iterations=200, progress=False)
    assert letters_right(network, 8, count=2000) < 1.5 / LETTERS


def test_training_twice_with_one_seed_gives_the_same_network():
    tables = []
    for _ in range(2):
        torch.manual_seed(4)
        tables.append(train_backwards(KnowsOnlyWhatIsWritten(), iterations=5, seed=7, progress=False).table.weight)
    assert torch.equal(*tables)
