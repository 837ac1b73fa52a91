"""An executed notebook as a page of the book: widgets as figures, figures with their alternative text, no noise."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

from medattn_lite.course.outcome import cell_errors
from medattn_lite.course.safe_html import safe_html, viewer_page
from medattn_lite.errors import UserError
from medattn_lite.escaping import without_tags
from medattn_lite.plots.show import DARK_PNG

_WIDGET = "application/vnd.jupyter.widget-view+json"
_KEPT = ("text/html", "text/markdown", "text/plain")


def book_notebook(executed: Path, page: Path, figures: Path) -> None:
    """Writes the notebook that the book is made of.

    Of a widget its figure is kept, or what it says in HTML; a progress bar, standard error and what only the report
    reads go. A figure becomes a file and an `<img>` with the alternative text that came with it.

    Args:
        executed: the executed notebook.
        page: where the cleaned one goes.
        figures: folder for its figures, `NAME-number.png`, beside the pages' folder.

    Raises:
        UserError: it was not run, it holds an error, or a figure has no alternative text.
    """
    import nbformat

    notebook = nbformat.read(executed, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not any(cell.outputs for cell in code):
        raise UserError(f"{executed} was not run: run medattn course first")
    errors = cell_errors(notebook)
    if errors:
        raise UserError(f"{executed.name} holds an error: {errors[0]}; run medattn course again")
    notebook.metadata.pop("widgets", None)
    notebook.cells = [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]
    number = 0
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type != "code":
            continue
        kept, last = [], None
        for output in cell.outputs:
            shown, data = _shown(output, executed.name)
            if shown is None or (data is not None and data == last):
                continue  # the figure under a widget is the one it already shows
            if data is not None:
                number += 1
                file = figures / f"{executed.stem}-{number}.png"
                file.write_bytes(data)
                html = shown["data"]["text/html"].replace("SOURCE", f"../_static/{file.name}")
                if DARK_PNG in output.data:
                    night = file.with_stem(f"{file.stem}-dark")
                    night.write_bytes(base64.b64decode(output.data[DARK_PNG]))
                    html = html.replace("DARK", f"../_static/{night.name}")
                shown["data"]["text/html"] = html
                last = data
            kept.append(shown)
        cell.outputs = kept
    nbformat.write(notebook, page)


def _shown(output: Any, name: str) -> tuple[Any | None, bytes | None]:
    """What the book shows of an output, and the figure in it."""
    from nbformat.v4 import new_output

    if output.output_type == "stream":
        return (None, None) if output.name == "stderr" or not output.text.strip() else (output, None)
    if output.output_type == "error":  # of a cell that raises on purpose
        return output, None
    data = output.data
    if "image/png" in data:
        alt = output.metadata.get("image/png", {}).get("alt", "")
        if not alt.strip():
            raise UserError(f"a figure in {name} has no alternative text: plots.set_alt gives it one")
        words = escape(" ".join(alt.split()))
        html = f'<img class="figure" src="SOURCE" alt="{words}">'
        if DARK_PNG in data:  # the theme shows one of the two
            html = f'<img class="figure only-light" src="SOURCE" alt="{words}">'
            html += f'<img class="figure only-dark" src="DARK" alt="{words}">'
        return new_output("display_data", {"text/html": html}), base64.b64decode(data["image/png"])
    if _WIDGET in data and "text/html" not in data:
        return None, None  # a progress bar
    kept = {kind: data[kind] for kind in _KEPT if kind in data}
    if "text/html" in kept:
        kept["text/html"] = viewer_page(kept["text/html"]) or safe_html(kept["text/html"])
    if "text/markdown" in kept:
        kept["text/markdown"] = without_tags(kept["text/markdown"])
    return (new_output("display_data", kept), None) if kept else (None, None)
