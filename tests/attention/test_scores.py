"""Scores, weights and context by hand, and the shapes they come in."""

from __future__ import annotations

import math

import pytest
import torch

from medattn_lite.attention import (
    AdditiveScores,
    MultiHeadAttention,
    NonLocal,
    RecurrentSliceAttention,
    Seq2SeqAttention,
    attend,
    dot_scores,
    scaled_dot_scores,
    softmax_weights,
)
from medattn_lite.explain import capture_attention
from tests.attention.support import passes_gradcheck, stirred

QUERY = torch.tensor([1.0, 0.0])
KEYS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
VALUES = torch.tensor([[1.0], [10.0], [100.0]])


def test_three_keys_by_hand() -> None:
    attended = attend(QUERY, KEYS, VALUES)
    assert attended.scores.tolist() == [1.0, 0.0, 2.0]
    total = math.e + 1 + math.e**2
    expected = [math.e / total, 1 / total, math.e**2 / total]
    torch.testing.assert_close(attended.weights, torch.tensor(expected))
    context = expected[0] * 1 + expected[1] * 10 + expected[2] * 100
    assert attended.context.item() == pytest.approx(context, rel=1e-6)


def test_scaled_scores_are_dot_scores_over_the_root_of_the_width() -> None:
    torch.testing.assert_close(scaled_dot_scores(QUERY, KEYS), dot_scores(QUERY, KEYS) / math.sqrt(2))


def test_scaling_keeps_the_spread_of_scores_for_any_width() -> None:
    generator = torch.Generator().manual_seed(0)
    for width in (4, 64, 1024):
        scores = scaled_dot_scores(
            torch.randn(200, width, generator=generator), torch.randn(200, width, generator=generator)
        )
        assert scores.std().item() == pytest.approx(1.0, abs=0.1)


def test_a_low_temperature_picks_the_best_key_and_a_high_one_averages() -> None:
    scores = dot_scores(QUERY, KEYS)
    assert softmax_weights(scores, temperature=0.01)[2] > 0.999
    torch.testing.assert_close(softmax_weights(scores, temperature=1e6), torch.full((3,), 1 / 3), rtol=0, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_zero_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="use a number above 0"):
        softmax_weights(torch.zeros(3), temperature=temperature)


def test_masked_keys_get_no_weight_and_the_others_share_it() -> None:
    weights = softmax_weights(torch.zeros(2, 3), mask=torch.tensor([[True, False, True], [False, False, False]]))
    assert weights.tolist() == [[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]]


def test_a_fully_masked_query_sends_no_nan_into_the_gradient() -> None:
    scores = torch.zeros(2, 3, requires_grad=True)
    mask = torch.tensor([[True, True, True], [False, False, False]])
    softmax_weights(scores, mask=mask).square().sum().backward()
    assert torch.isfinite(scores.grad).all()


def test_softmax_over_the_wrong_axis_differs() -> None:
    queries = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    scores = dot_scores(queries, queries[:2])
    assert not torch.allclose(softmax_weights(scores), torch.softmax(scores, dim=0))
    torch.testing.assert_close(softmax_weights(scores).sum(-1), torch.ones(4))


def test_additive_scores_are_the_formula_for_one_query_and_for_many() -> None:
    torch.manual_seed(0)
    scorer = AdditiveScores(3, 5, hidden_features=7)
    queries, keys = torch.randn(2, 4, 3), torch.randn(2, 6, 5)
    scores = scorer(queries, keys)
    assert scores.shape == (2, 4, 6)
    one = scorer.score.weight @ torch.tanh(
        scorer.query.weight @ queries[1, 2] + scorer.key.weight @ keys[1, 5] + scorer.key.bias
    )
    torch.testing.assert_close(scores[1, 2, 5], one.squeeze())
    torch.testing.assert_close(scorer(queries[1, 2], keys[1]), scores[1, 2])


def test_attend_takes_a_score_of_ones_own() -> None:
    attended = attend(QUERY, KEYS, VALUES, score=lambda query, keys: -torch.cdist(query[None], keys)[0])
    assert attended.weights.argmax() == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((QUERY, KEYS, VALUES, {"score": "cosine"}), "unknown score 'cosine'"),
        ((QUERY, KEYS, VALUES[:2], {}), "3 keys but 2 values"),
        ((torch.zeros(3), KEYS, VALUES, {}), "query has 3 features and keys have 2"),
    ],
)
def test_attend_refuses_what_does_not_fit(arguments: tuple, says: str) -> None:
    *tensors, options = arguments
    with pytest.raises(ValueError, match=says):
        attend(*tensors, **options)


def test_the_decoder_gets_its_context_and_its_own_state_side_by_side() -> None:
    torch.manual_seed(0)
    encoder, decoder = torch.randn(2, 5, 4), torch.randn(2, 3, 4)
    joined = Seq2SeqAttention(4)(decoder, encoder)
    assert joined.shape == (2, 3, 8)
    torch.testing.assert_close(joined[..., 4:], decoder)
    by_hand = attend(decoder[1, 2], encoder[1], encoder[1]).context
    torch.testing.assert_close(joined[1, 2, :4], by_hand)


def test_padded_encoder_steps_do_not_change_the_context() -> None:
    torch.manual_seed(0)
    encoder, decoder = torch.randn(2, 5, 4), torch.randn(2, 3, 4)
    mask = torch.tensor([[True, True, True, False, False]] * 2)
    block = Seq2SeqAttention(4)
    torch.testing.assert_close(block(decoder, encoder, mask), block(decoder, encoder[:, :3]))


@pytest.mark.parametrize("score", ["dot", "scaled", "additive"])
def test_seq2seq_attention_has_right_gradients(score: str) -> None:
    torch.manual_seed(0)
    block = stirred(Seq2SeqAttention(4, score=score, temperature=0.7))
    assert passes_gradcheck(block, torch.randn(1, 2, 4), torch.randn(1, 3, 4))


def test_seq2seq_attention_refuses_an_unknown_score() -> None:
    with pytest.raises(ValueError, match="unknown score 'cosine'"):
        Seq2SeqAttention(4, score="cosine")


def test_multi_head_attention_splits_the_features_not_the_tokens() -> None:
    torch.manual_seed(0)
    block = MultiHeadAttention(8, num_heads=2, bias=False)
    with torch.no_grad():
        for projection in (block.query, block.key, block.value, block.output):
            projection.weight.copy_(torch.eye(8))
    x = torch.randn(1, 5, 8)
    heads = [attend(part, part, part, score="scaled").context for part in x.split(4, dim=-1)]
    torch.testing.assert_close(block(x), torch.cat(heads, dim=-1))


def test_multi_head_attention_attends_to_other_tokens_and_obeys_a_mask() -> None:
    torch.manual_seed(0)
    block = MultiHeadAttention(8, num_heads=4)
    query, keys = torch.randn(2, 3, 8), torch.randn(2, 6, 8)
    mask = torch.ones(2, 1, 1, 6, dtype=torch.bool)
    mask[..., 4:] = False
    torch.testing.assert_close(block(query, keys, mask=mask), block(query, keys[:, :4]))


def test_multi_head_attention_has_right_gradients() -> None:
    torch.manual_seed(0)
    assert passes_gradcheck(stirred(MultiHeadAttention(4, num_heads=2)), torch.randn(1, 3, 4))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValueError, match="do not divide embed_dim=10"):
        MultiHeadAttention(10, num_heads=4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_scores_beyond_half_precision_stay_finite(dtype: torch.dtype) -> None:
    loud = torch.full((4, 64), 40.0, dtype=dtype)  # a score is 102,400; float16 ends at 65,504
    attended = attend(loud, loud, loud)
    assert torch.isfinite(attended.scores).all()
    torch.testing.assert_close(attended.context.float(), torch.full((4, 64), 40.0))


@pytest.mark.parametrize("how", ["half", "autocast"])
def test_blocks_with_scores_beyond_half_precision_stay_finite(how: str) -> None:
    torch.manual_seed(0)
    features = 30 * torch.randn(1, 16, 6, 8, 8)
    for block in (RecurrentSliceAttention(16), NonLocal(16, sub_sample=False)):
        for name, parameter in block.named_parameters():
            if "beta" in name:
                parameter.data.fill_(0.5)
        block = stirred(block).eval()
        with torch.no_grad(), capture_attention(block):  # watched: by the formula, not by the kernel
            expected = block(features)
            if how == "half":
                output = block.half()(features.half())
            else:
                with torch.autocast("cpu", dtype=torch.float16):
                    output = block(features)
        assert torch.isfinite(output).all()
        correlation = torch.corrcoef(torch.stack([output.float().flatten(), expected.flatten()]))[0, 1]
        assert correlation > 0.95
