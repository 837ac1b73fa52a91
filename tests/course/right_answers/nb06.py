"""Right answers to the exercises of notebook 06 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "06-cost": [
        Answer("numpy pair",
            "lambda channels, depth, height, width: np.array([2 * channels * (depth * height * width) ** 2, "
            "2 * channels * depth * height * width * (depth + height + width)])"),
        Answer("list", [("return non_local, rsa", "return [non_local, rsa]")]),
        Answer("floats", [("return non_local, rsa", "return float(non_local), float(rsa)")]),
        Answer("sum over the directions",
            "def multiplications(channels, depth, height, width):\n"
            "    n = depth * height * width\n"
            "    return n * channels * n + n * n * channels, sum(2 * s * s * channels * (n // s) for s in "
            "(depth, height, width))"),
        Answer("torch pair",
            "lambda channels, depth, height, width: torch.tensor([2 * channels * (depth * height * width) ** "
            "2, 2 * channels * depth * height * width * (depth + height + width)])"),
    ],
    "06-three-steps": [
        Answer("einsum",
            "lambda coronal, sagittal, axial, voxel: torch.einsum('d,h,w->dhw', axial[voxel[0]], "
            "coronal[voxel[1]], sagittal[voxel[2]])"),
        Answer("outer",
            "def three_steps(coronal, sagittal, axial, voxel):\n"
            "    d, h, w = voxel\n"
            "    return torch.outer(torch.outer(axial[d], coronal[h]).flatten(), "
            "sagittal[w]).reshape(len(axial), len(coronal), len(sagittal))"),
        Answer("numpy",
            "lambda coronal, sagittal, axial, voxel: "
            "np.multiply.outer(np.multiply.outer(axial[voxel[0]].numpy(), coronal[voxel[1]].numpy()), "
            "sagittal[voxel[2]].numpy())"),
        Answer("three loops",
            "def three_steps(coronal, sagittal, axial, voxel):\n"
            "    d, h, w = voxel\n"
            "    return torch.tensor([[[a * c * s for s in sagittal[w]] for c in coronal[h]] for a in axial[d]])"),
        Answer("cartesian products",
            "lambda coronal, sagittal, axial, voxel: torch.cartesian_prod(axial[voxel[0]], "
            "coronal[voxel[1]], sagittal[voxel[2]]).prod(1).reshape(len(axial), len(coronal), len(sagittal))"),
    ],
    "06-examine": [
        Answer("returns at once", [
            ("    ones, found = torch.ones_like(value), set()\n", "    ones = torch.ones_like(value)\n"),
            ("    for axis in (2, 3, 4):\n", "    seen = []\n    for axis in (4, 3, 2):\n"),
            ("        found |= {name for name, (one, other) in pairs.items() if not torch.allclose(one, other, "
             "atol=1e-3)}",
             "        seen += [k for k, (a, b) in enumerate(pairs.values()) if (a - b).abs().max() > 1e-3]"),
            ("    return next((name for name in names if name in found), \"nothing found\")",
             "    return [*names, \"nothing found\"][min(seen, default=3)]"),
        ]),
        Answer("three loops",
            """
            def examine(attend):
                q, k, v = torch.rand(3, 5, 2, 4, 7, 3).unbind()
                for axis in (2, 3, 4):
                    for row in range(5):
                        one = attend(*(part[row : row + 1] for part in (q, k, v)), axis)
                        if not torch.allclose(one[0], attend(q, k, v, axis)[row], atol=1e-3):
                            return "depends on the batch"
                for axis in (2, 3, 4):
                    if (attend(q, k, torch.ones_like(v), axis) - 1).abs().max() > 1e-3:
                        return "changes a constant"
                for axis in (2, 3, 4):
                    turned = attend(q.flip(axis), k.flip(axis), v.flip(axis), axis).flip(axis)
                    if not torch.allclose(turned, attend(q, k, v, axis), atol=1e-3):
                        return "changes in a mirror"
                return "nothing found"
            """),
        Answer("large inputs, double precision",
            """
            def examine(attend):
                q, k, v = torch.randn(3, 3, 2, 5, 3, 4, dtype=torch.float64).unbind()
                def rules(axis):
                    out = attend(q, k, v, axis)
                    yield attend(q[1:2], k[1:2], v[1:2], axis), out[1:2]
                    yield attend(q, k, 0 * v + 7, axis), 0 * v + 7
                    yield attend(*(part.flip(axis) for part in (q, k, v)), axis), out.flip(axis)
                names = ["depends on the batch", "changes a constant", "changes in a mirror"]
                wrong = [place for axis in (2, 3, 4) for place, (a, b) in enumerate(rules(axis))
                         if np.abs(a.numpy() - b.numpy()).max() > 1e-3]
                return names[min(wrong)] if wrong else "nothing found"
            """),
        Answer("another permutation than the mirror",
            """
            def examine(attend):
                torch.manual_seed(1)
                q, k, v = (torch.randn(2, 3, 4, 5, 7) / 2 for _ in range(3))
                broken = [False] * 3
                for axis in (2, 3, 4):
                    out, order = attend(q, k, v, axis), torch.roll(torch.arange(q.shape[axis]), 2)
                    moved = attend(*(part.index_select(axis, order) for part in (q, k, v)), axis)
                    broken[0] |= not torch.allclose(attend(q[:1], k[:1], v[:1], axis)[0], out[0], atol=1e-3)
                    broken[1] |= not torch.allclose(attend(q, k, torch.ones_like(v), axis), torch.ones(()), atol=1e-3)
                    broken[2] |= not torch.allclose(moved, out.index_select(axis, order), atol=1e-3)
                for name, hit in zip(("depends on the batch", "changes a constant", "changes in a mirror"), broken):
                    if hit:
                        return name
                return "nothing found"
            """),
        Answer("asserts that are caught",
            """
            def examine(attend):
                q, k, v = (0.5 * torch.randn(4, 2, 3, 4, 5) for _ in range(3))
                def alone(axis):
                    torch.testing.assert_close(attend(q[2:3], k[2:3], v[2:3], axis), attend(q, k, v, axis)[2:3],
                                               atol=1e-3, rtol=0)
                def constant(axis):
                    torch.testing.assert_close(attend(q, k, v * 0 + 1, axis), v * 0 + 1, atol=1e-3, rtol=0)
                def mirror(axis):
                    torch.testing.assert_close(attend(q.flip(axis), k.flip(axis), v.flip(axis), axis),
                                               attend(q, k, v, axis).flip(axis), atol=1e-3, rtol=0)
                for rule, name in ((alone, "depends on the batch"), (constant, "changes a constant"),
                                   (mirror, "changes in a mirror")):
                    try:
                        [rule(axis) for axis in (2, 3, 4)]
                    except AssertionError:
                        return name
                return "nothing found"
            """),
    ],
}  # fmt: skip
