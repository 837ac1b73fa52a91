"""The measure of a screen notices what it is for; no browser is needed for that."""

from __future__ import annotations

import pytest

from tests.browser.one_screen import faults

GOOD = {"explorer": [300, 0, 1234, 600], "panel": [300, 0, 1234, 600], "picture": [608, 0, 1234, 400], "natural": 960,
        "letters": [13.0, 12.0], "controls": [["opacity", 300, 0, 590, 30]]}  # fmt: skip


class Seen:
    """Stands for Playwright's locator."""

    def __init__(self, **changed: object) -> None:
        self.answer = {**GOOD, **changed}

    def evaluate(self, script: str) -> dict[str, object]:
        return self.answer


def test_an_explorer_that_fits_has_no_faults():
    assert faults(Seen()) == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"explorer": [300, 0, 1234, 1045]}, "1045 pixels high"), ({"picture": [608, 0, 1300, 400]}, "picture outside"),
        ({"controls": [["opacity", 300, 0, 590, 30], ["slice", 1200, 0, 1400, 30]]}, "outside the view: slice"),
        ({"picture": [800, 0, 1234, 300]}, "letters of 6.3 pixels in"),
        ({"letters": [13.0, 8.0]}, "letters of 8.0 pixels beside"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(changed, says):
    [problem] = faults(Seen(**changed))
    assert says in problem


def test_height_does_not_count_where_the_picture_stands_below():
    assert faults(Seen(explorer=[0, 0, 600, 1200], panel=[0, 0, 600, 1200], picture=[0, 500, 600, 800],
                       natural=900, controls=[["opacity", 0, 0, 290, 30]])) == []  # fmt: skip


def test_letters_count_as_the_screen_shows_them_in_a_narrow_window_too():
    narrow = {"explorer": [0, 0, 500, 800], "panel": [0, 0, 500, 800], "picture": [0, 400, 500, 700], "letters": [6.0],
              "controls": []}  # fmt: skip
    assert len(faults(Seen(**narrow))) == 2 and faults(Seen(**narrow), zoom=2.0) == []


def test_a_canvas_has_no_letters_of_a_figure():
    assert faults(Seen(natural=None)) == []
