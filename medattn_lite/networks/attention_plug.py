"""How a network comes to its attention mechanism: by name, with options, in words where they do not fit.

    make_attention("eca", 64, spatial_dims=3)        as `medattn_lite.attention.create`, mistakes as a `UserError`

A published network has a mechanism of its own, with arguments of its own (`reduction`, `kernel_size`).
`choose_attention` puts another one in its place without dropping any of them in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from medattn_lite.attention import create
from medattn_lite.errors import UserError


def make_attention(
    name: str, channels: int, *, spatial_dims: int, options: Mapping[str, Any] | None = None
) -> nn.Module:
    """`medattn_lite.attention.create`, its mistakes as one line for the user.

    Raises:
        UserError: no such mechanism, none in so many dimensions, or options that do not fit.
    """
    try:
        return create(name, channels, spatial_dims=spatial_dims, **(options or {}))
    except ValueError as error:
        raise UserError(str(error)) from error


def choose_attention(
    requested: str | bool | None,
    options: Mapping[str, Any] | None,
    *,
    published: str,
    published_options: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> tuple[str, dict[str, Any]]:
    """Which mechanism a published network gets, and with which options.

    Args:
        requested: name of a mechanism; True for the published one, False or None for none.
        options: options of the mechanism, over the published ones where it is the published one.
        published: name of the network's own mechanism.
        published_options: the network's own arguments for it.
        defaults: what those arguments are where nobody gives them.

    Raises:
        UserError: an argument for the published mechanism is given with another one, which would not hear of it.
    """
    name = requested if isinstance(requested, str) else published if requested else "none"
    if name == published:
        return name, {**published_options, **(options or {})}
    changed = [key for key, value in published_options.items() if value != defaults[key]]
    if changed and name != "none":
        raise UserError(
            f"{', '.join(changed)} {'belongs' if len(changed) == 1 else 'belong'} to {published!r}, not to {name!r}; "
            f"give options of {name!r} as attention_options"
        )
    return name, dict(options or {})
