"""Quizzes answer every choice and can be read without a kernel."""

from __future__ import annotations

import pytest

from medattn_lite.course import Question, quiz

ASKED = [
    Question("Which axis does softmax run over?", ("queries", "keys <all>"), 1, ("That mixes them.", "One sum.")),
    Question("What is the sum of the weights?", ("0", "1", "as many as keys"), "1", ("No.", "Yes.", "Not that much.")),
]


def test_every_choice_gets_its_own_feedback_and_the_right_ones_are_counted() -> None:
    shown = quiz(ASKED)
    for number, question in enumerate(ASKED):
        for option, feedback in enumerate(question.feedback):
            shown.buttons[number][option].click()
            assert feedback in shown.feedback[number].value
            assert ("✓" in shown.feedback[number].value) == (option == question.right)
            assert shown.buttons[number][option].button_style == ("success" if option == question.right else "warning")
    shown.choose(0, 0)
    shown.choose(1, 1)
    assert "1 of 2 right" in shown.status.value
    shown.choose(0, 1)
    assert "2 of 2 right" in shown.status.value


def test_options_are_buttons_with_names_so_that_the_keyboard_and_a_screen_reader_reach_them() -> None:
    shown = quiz(ASKED)
    assert shown.buttons[0][1].description == "B"
    assert shown.buttons[0][1].tooltip == "Question 1, B: keys <all>"


def test_without_a_kernel_the_same_output_has_questions_and_folded_answers() -> None:
    bundle = quiz(ASKED)._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    for question in ASKED:
        assert question.text in data["text/plain"]
        assert all(option in data["text/plain"] for option in question.options)
    assert data["text/plain"].index("Answers") > data["text/plain"].index("as many as keys")
    assert data["text/html"].count("<details>") == len(ASKED)
    assert "keys &lt;all&gt;" in data["text/html"] and "keys <all>" not in data["text/html"]


@pytest.mark.parametrize(
    ("options", "answer", "feedback"),
    [(("a",), 0, ("x",)), (("a", "a"), 0, ("x", "y")), (("a", "b"), 2, ("x", "y")), (("a", "b"), 0, ("x",)),
     (("a", "b"), "c", ("x", "y")), (("a", "b"), 0, ("x", ""))],
)
def test_a_question_that_cannot_be_answered_is_refused(options: tuple, answer: int, feedback: tuple) -> None:
    with pytest.raises(ValueError):
        Question("?", options, answer, feedback)
