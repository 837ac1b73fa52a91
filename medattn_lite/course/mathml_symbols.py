"""The TeX names that the notebooks' formulas may use, and what stands for each."""

from __future__ import annotations

IDENTIFIERS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε", "zeta": "ζ",
    "eta": "η", "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "ϕ", "varphi": "φ", "chi": "χ", "psi": "ψ",
    "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Pi": "Π", "Sigma": "Σ",
    "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "ell": "ℓ", "infty": "∞", "partial": "∂", "nabla": "∇", "top": "⊤",
    "bot": "⊥", "emptyset": "∅", "varnothing": "∅", "ldots": "…", "dots": "…", "cdots": "⋯", "vdots": "⋮",
    "ddots": "⋱", "prime": "′", "%": "%", "#": "#", "$": "$", "_": "_", "&": "&amp;", "checkmark": "✓",
}
OPERATORS = {
    "cdot": "⋅", "times": "×", "odot": "⊙", "otimes": "⊗", "oplus": "⊕", "div": "÷", "pm": "±", "mp": "∓",
    "ast": "∗", "star": "⋆", "circ": "∘", "bullet": "•", "in": "∈", "notin": "∉", "ni": "∋", "subset": "⊂",
    "subseteq": "⊆", "cup": "∪", "cap": "∩", "setminus": "∖", "to": "→", "rightarrow": "→", "leftarrow": "←",
    "longrightarrow": "⟶", "mapsto": "↦", "Rightarrow": "⇒", "Leftarrow": "⇐", "Leftrightarrow": "⇔",
    "leftrightarrow": "↔", "iff": "⟺", "implies": "⟹", "uparrow": "↑", "downarrow": "↓", "le": "≤", "leq": "≤",
    "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "sim": "∼", "simeq": "≃", "equiv": "≡",
    "propto": "∝", "ll": "≪", "gg": "≫", "lt": "<", "gt": ">", "perp": "⊥", "parallel": "∥", "mid": "∣",
    "colon": ":", "forall": "∀", "exists": "∃", "neg": "¬", "land": "∧", "lor": "∨", "wedge": "∧", "vee": "∨",
    "sum": "∑", "prod": "∏", "int": "∫", "bigcup": "⋃", "bigoplus": "⨁", "bigodot": "⨀", "coloneqq": "≔",
}
FENCES = {
    "{": "{", "}": "}", "|": "‖", "lVert": "‖", "rVert": "‖", "Vert": "‖", "lvert": "|", "rvert": "|", "vert": "|",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "langle": "⟨", "rangle": "⟩",
    "lbrace": "{", "rbrace": "}",
}
FUNCTIONS = {name: name for name in ("exp", "log", "ln", "sin", "cos", "tan", "tanh", "max", "min", "sup", "inf",
                                     "lim", "det", "dim", "arg", "Pr", "deg")}
SPACES = {",": "0.17em", ":": "0.22em", ";": "0.28em", "!": "-0.17em", " ": "0.25em", "quad": "1em", "qquad": "2em",
          ">": "0.22em", "enspace": "0.5em"}
IGNORED = {"displaystyle", "textstyle", "scriptstyle", "nonumber", "notag", "limits", "nolimits", "middle"}
ACCENTS = {
    "hat": ("mover", "^"), "widehat": ("mover", "^"), "bar": ("mover", "¯"), "overline": ("mover", "‾"),
    "tilde": ("mover", "~"), "widetilde": ("mover", "~"), "vec": ("mover", "→"), "dot": ("mover", "˙"),
    "ddot": ("mover", "¨"), "underline": ("munder", "_"), "underbrace": ("munder", "⏟"), "overbrace": ("mover", "⏞"),
}
# Whose limits stand below and above on a line of their own, and whose always do.
LIMITS = {"\\sum", "\\prod", "\\max", "\\min", "\\lim", "\\sup", "\\inf", "\\bigcup", "\\operatorname*"}
ALWAYS_LIMITS = {"\\underbrace", "\\overbrace"}
ALPHABETS = {"mathbf": "bold", "boldsymbol": "bold", "bm": "bold", "mathbb": "double", "mathcal": "script",
             "mathsf": "plain", "mathit": "plain", "mathfrak": "plain"}

_DOUBLE = {"C": "ℂ", "E": "𝔼", "N": "ℕ", "P": "ℙ", "Q": "ℚ", "R": "ℝ", "Z": "ℤ", "1": "𝟙"}
_SCRIPT = {"B": "ℬ", "E": "ℰ", "F": "ℱ", "H": "ℋ", "I": "ℐ", "L": "ℒ", "M": "ℳ", "R": "ℛ"}


def styled(letter: str, alphabet: str) -> str:
    """The letter in the alphabet of a TeX command, as one Unicode character."""
    style = ALPHABETS[alphabet]
    if style == "double":
        return _DOUBLE.get(letter, letter)
    if style == "script":
        return _SCRIPT.get(letter) or _shift(letter, upper=0x1D49C, lower=0x1D4B6)
    if style == "bold":
        return _shift(letter, upper=0x1D400, lower=0x1D41A, digit=0x1D7CE, greek_upper=0x1D6A8, greek_lower=0x1D6C2)
    return letter


def _shift(letter: str, *, upper: int, lower: int, digit: int | None = None, greek_upper: int | None = None,
           greek_lower: int | None = None) -> str:
    starts = (("A", "Z", upper), ("a", "z", lower), ("0", "9", digit), ("Α", "Ω", greek_upper), ("α", "ω", greek_lower))
    for first, last, start in starts:
        if start is not None and first <= letter <= last:
            return chr(start + ord(letter) - ord(first))
    return letter
