"""A 3-D convolution that skips the rows of its kernel that meet nothing but padding.

On an axis of one place, such as the depth of a single slice, a kernel of 2p + 1 with p places of padding uses its
middle row alone; the others are multiplied with zeros. With a kernel of 3×3×3 that is two thirds of the work.

Paper: none; the outputs and gradients are those of `torch.nn.Conv3d` (the order of additions may change the last bit).
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from medattn_lite.attention.dimensions import CONVOLUTION


class ThinConv3d(nn.Conv3d):
    """`torch.nn.Conv3d`, cheaper where the image is one place thick along an axis; same parameters, same arguments."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, D, H, W) to (B, C_out, D', H', W')."""
        thin = [axis for axis in range(3) if x.dim() == 5 and x.shape[2 + axis] == 1 and self._only_middle(axis)]
        if not thin:
            return super().forward(x)
        weight, padding, stride = self.weight, [*map(int, self.padding)], list(self.stride)
        for axis in thin:
            weight = weight.narrow(2 + axis, self.kernel_size[axis] // 2, 1)  # (C_out, C_in / groups, 1, kH, kW)
            padding[axis], stride[axis] = 0, 1
        return F.conv3d(x, weight, self.bias, tuple(stride), tuple(padding), self.dilation, self.groups)

    def _only_middle(self, axis: int) -> bool:
        """Whether one place, with its padding, gives one place, under the middle of the kernel."""
        kernel, dilation = self.kernel_size[axis], self.dilation[axis]
        if self.padding_mode != "zeros" or kernel % 2 == 0 or kernel == 1 or isinstance(self.padding, str):
            return False
        return self.padding[axis] == dilation * (kernel // 2)


THIN_CONVOLUTION: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {**CONVOLUTION, 3: ThinConv3d}  # by `spatial_dims`
