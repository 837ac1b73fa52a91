"""Every mechanism by name, with one signature: channels first, (B, C, …) in, the same shape out.

    create("cbam", 64, spatial_dims=3)                   a CBAM for (B, 64, D, H, W)
    create("cbam", 64, spatial_dims=3, kernel_size=3)    with an option of its class
    options("cbam")                                      {"reduction": 16, "kernel_size": 7, …}

A line of `MECHANISMS` is all that a mechanism needs to be found: the networks take it by its name, its class can be
imported from `medattn_lite.attention`, and the contract tests, the checklist and the list of networks hold it.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Mechanism:
    """One line of the registry.

    Attributes:
        file: its file in `medattn_lite/attention`, without ending.
        class_name: its class there, called as `Class(channels, *, spatial_dims, **options)`.
        title: what it is called in a table.
        spatial_dims: which of 2-D and 3-D it is defined in.
        short: what it is called where a table is narrow; the title where left out.
    """

    file: str
    class_name: str
    title: str
    spatial_dims: tuple[int, ...] = (2, 3)
    short: str = ""

    @property
    def short_title(self) -> str:
        """The short name, or the title where it has none."""
        return self.short or self.title

    def load(self) -> type[nn.Module]:
        """The class, imported."""
        return getattr(importlib.import_module(f"medattn_lite.attention.{self.file}"), self.class_name)


MECHANISMS: Mapping[str, Mechanism] = MappingProxyType({
    "none": Mechanism("none", "NoAttention", "no attention"),
    "se": Mechanism("squeeze_excitation", "SqueezeExcitation", "squeeze-and-excitation", short="SE"),
    "eca": Mechanism("eca", "EfficientChannelAttention", "efficient channel attention", short="ECA"),
    "cbam": Mechanism("cbam", "CBAM", "CBAM"),
    "coordinate": Mechanism("coordinate", "CoordinateAttention", "coordinate attention"),
    "split": Mechanism("split_attention", "SplitAttention", "split attention"),
    "iam": Mechanism("inter_slice", "InterSliceAttention", "inter-slice attention", spatial_dims=(3,), short="IAM"),
    "non_local": Mechanism("non_local", "NonLocal", "non-local attention", short="non-local"),
    "rsa": Mechanism("rsa", "RecurrentSliceAttention", "recurrent slice attention", short="RSA"),
})  # fmt: skip


# What `create` is given by position or as a keyword of its own, and what would change the shape.
_NO_OPTIONS = frozenset({"in_channels", "channels", "spatial_dims", "stride"})


def names(spatial_dims: int | None = None) -> tuple[str, ...]:
    """Lists the names of all mechanisms, or of those that are defined in so many dimensions.

    Example:
        >>> from medattn_lite.attention import names
        >>> names()
        ('none', 'se', 'eca', 'cbam', 'coordinate', 'split', 'iam', 'non_local', 'rsa')
        >>> "iam" in names(spatial_dims=2)
        False
    """
    return tuple(
        name for name, mechanism in MECHANISMS.items() if spatial_dims is None or spatial_dims in mechanism.spatial_dims
    )


def find(name: str) -> Mechanism:
    """Looks up a mechanism by name.

    Raises:
        ValueError: there is no such mechanism.
    """
    if name not in MECHANISMS:
        raise ValueError(f"no attention mechanism is called {name!r}: use one of {', '.join(MECHANISMS)}")
    return MECHANISMS[name]


def options(name: str) -> dict[str, Any]:
    """Lists the options of a mechanism with their defaults, besides `channels` and `spatial_dims`.

    Raises:
        ValueError: there is no such mechanism.

    Example:
        >>> from medattn_lite.attention import options
        >>> options("se")
        {'reduction': 16, 'bias': True}
    """
    parameters = inspect.signature(find(name).load()).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.name not in _NO_OPTIONS}


def create(name: str, channels: int, *, spatial_dims: int, **extra_options: Any) -> nn.Module:
    """Creates a mechanism by its name.

    Args:
        name: one of `names()`.
        channels: C, channels of the input and the output.
        spatial_dims: 2 for (B, C, H, W), 3 for (B, C, D, H, W).
        **extra_options: options of the mechanism's class; see `options(name)`.

    Raises:
        ValueError: no such mechanism, none in so many dimensions, an unknown option, or sizes that do not fit.

    Example:
        >>> import torch
        >>> from medattn_lite.attention import create
        >>> block = create("cbam", 32, spatial_dims=3)
        >>> block(torch.randn(2, 32, 4, 8, 8)).shape
        torch.Size([2, 32, 4, 8, 8])
    """
    mechanism = find(name)
    known = options(name)
    unknown = [option for option in extra_options if option not in known]
    if unknown:
        has = f"it has {', '.join(known)}" if known else "it has none"
        raise ValueError(f"{name!r} has no option {', '.join(map(repr, unknown))}: {has}")
    if spatial_dims in (2, 3) and spatial_dims not in mechanism.spatial_dims:
        fitting = ", ".join(names(spatial_dims))
        raise ValueError(f"{name!r} is not defined in {spatial_dims}-D: use one of {fitting}")
    return mechanism.load()(channels, spatial_dims=spatial_dims, **extra_options)
