"""A gallery of what the explorers show: pictures with alt texts, a page, and the README's part of it.

    medattn study gallery            writes figures/gallery_*.png, figures/gallery.md, README.md

All heads are synthetic. A picture has at most 256 colours, so that the whole gallery stays small.
"""

from __future__ import annotations

import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medattn_lite.data import new_file
from medattn_lite.errors import UserError
from medattn_lite.plots.alt import alt_text
from medattn_lite.plots.show import render_png
from medattn_lite.widgets.ready import READY, ready

COLOURS = 256
BEGIN, END = "<!-- made by `medattn study gallery`: begin -->", "<!-- made by `medattn study gallery`: end -->"


@dataclass(frozen=True)
class Shown:
    """One picture of the gallery.

    Attributes:
        explorer: its name in `READY`.
        notebook: where the reader finds it.
        caption: what to see.
        moved: controls and where they stand.
    """

    explorer: str
    notebook: str
    caption: str
    moved: tuple[tuple[str, Any], ...] = ()


GALLERY = (
    Shown("playground", "01_attention_scores", "Attention by hand: keys, scores, weights, context"),
    Shown("slices", "00_start_here", "A phantom in three planes, its tumour in colour", (("channel", "flair"),)),
    Shown("inter-slice", "05_p3d_iam", "A gate for each channel in each slice, and where the tumour is"),
    Shown("affinity", "06_nonlocal_rsa", "What one voxel looks at, by two kinds of attention"),
    Shown("explanations", "09_attention_maps_gradcam", "A map, and that of the same network re-initialised"),
    Shown("mechanisms", "11_explore", "One person, several mechanisms: maps, parameters, AUC"),
)


def picture(shown: Shown) -> tuple[bytes, str]:
    """PNG and alt text of one picture."""
    from PIL import Image

    explorer = ready(shown.explorer)
    explorer.set(**dict(shown.moved))
    figure = explorer.static()
    drawn = Image.open(io.BytesIO(render_png(figure))).convert("RGB")
    stream = io.BytesIO()
    drawn.quantize(COLOURS, dither=Image.Dither.NONE).save(stream, format="png", optimize=True)
    return stream.getvalue(), alt_text(figure)


def page(alts: dict[str, str]) -> str:
    """The page of the gallery.

    Args:
        alts: explorer → alt text of its picture.
    """
    parts = ["# Gallery\n\nMade by `medattn study gallery`. Every picture is one state of an explorer; "
             "`medattn explore` opens them. All heads are synthetic.\n"]  # fmt: skip
    for shown in GALLERY:
        drawn = f"![{_plain(alts[shown.explorer])}](gallery_{shown.explorer}.png)"
        where = f"[notebook {shown.notebook[:2]}](../notebooks/{shown.notebook}.ipynb)"
        parts.append(f"## {READY[shown.explorer].title}\n\n{drawn}\n\n*{shown.caption}: {where}.* "
                     f"{READY[shown.explorer].try_this}\n")  # fmt: skip
    return "\n".join(parts)


def table(alts: dict[str, str]) -> str:
    """The README's part: two pictures per row."""
    cells = [f"![{_plain(alts[shown.explorer])}](figures/gallery_{shown.explorer}.png)<br>*{shown.caption} "
             f"([{shown.notebook[:2]}](notebooks/{shown.notebook}.ipynb))*" for shown in GALLERY]  # fmt: skip
    rows = [f"| {' | '.join(pair)} |" for pair in zip(cells[::2], cells[1::2], strict=True)]
    return "\n".join([BEGIN, "", "| | |", "|---|---|", *rows, "", END])


def put(readme: str, part: str) -> str:
    """A README with its gallery replaced.

    Raises:
        UserError: it has no place for one.
    """
    if BEGIN not in readme or END not in readme:
        raise UserError(f"README.md has no lines {BEGIN} and {END}: put them where the gallery belongs")
    return re.sub(f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: part, readme, flags=re.DOTALL)


def main(root: Path = Path()) -> int:
    """Writes pictures, page and the README's part.

    Args:
        root: the checkout.
    """
    readme = root / "README.md"
    if not readme.is_file() or not (root / "figures").is_dir():
        print("run it in a checkout of the repository: no README.md and figures here", file=sys.stderr)
        return 2
    put(readme.read_text(encoding="utf-8"), "")  # before the work: is there a place?
    alts = {}
    for shown in GALLERY:
        png, alts[shown.explorer] = picture(shown)
        _write(root / "figures" / f"gallery_{shown.explorer}.png", png)
    _write(root / "figures" / "gallery.md", page(alts).encode())
    _write(readme, put(readme.read_text(encoding="utf-8"), table(alts)).encode())
    print(root / "figures" / "gallery.md")
    return 0


def _write(path: Path, content: bytes) -> None:
    with new_file(path, overwrite=True) as part:
        part.write_bytes(content)


def _plain(words: str) -> str:
    """Alt text that ends neither a table's cell nor a picture's brackets."""
    return words.replace("|", "/").replace("[", "(").replace("]", ")")


if __name__ == "__main__":
    sys.exit(main())
