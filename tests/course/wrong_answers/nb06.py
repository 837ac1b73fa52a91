"""Wrong answers that learners of notebook 06 give, and what the check must say of each."""

from __future__ import annotations

import torch

from tests.course.answers import Answer


def right(c, d, h, w):
    n = d * h * w
    return 2 * c * n * n, 2 * c * n * (d + h + w)


def changed_places(c, d, h, w):
    return right(c, d, h, w)[::-1]


def one_product(c, d, h, w):
    return tuple(number // 2 for number in right(c, d, h, w))


def rsa_one_product(c, d, h, w):
    non_local, rsa = right(c, d, h, w)
    return non_local, rsa // 2


def weights_only(c, d, h, w):
    return (d * h * w) ** 2, d**2 + h**2 + w**2


def short_rows(c, d, h, w):
    return right(c, d, h, w)[0], 2 * c * (d**2 + h**2 + w**2)


def no_channels(c, d, h, w):
    return right(1, d, h, w)


def one_direction(c, d, h, w):
    return right(c, d, h, w)[0], 2 * c * d * h * w * d


def directions_multiplied(c, d, h, w):
    return right(c, d, h, w)[0], 2 * c * (d * h * w) ** 2


def no_pairs(c, d, h, w):
    return 2 * c * d * h * w, 2 * c * (d + h + w)


def channels_squared(c, d, h, w):
    return tuple(c * number for number in right(c, d, h, w))


def ratio_only(c, d, h, w):
    return d * h * w / (d + h + w)


def columns(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("d,h,w->dhw", axial[:, d], coronal[:, h], sagittal[:, w])


def added(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return axial[d].reshape(-1, 1, 1) + coronal[h].reshape(1, -1, 1) + sagittal[w].reshape(1, 1, -1)


def averaged(coronal, sagittal, axial, voxel):
    return added(coronal, sagittal, axial, voxel) / 3


def wrong_owners(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("d,h,w->dhw", coronal[d], sagittal[h], axial[w])


def coronal_and_sagittal_turned(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("d,h,w->dhw", axial[d], sagittal[h], coronal[w])


def other_axes(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return torch.einsum("h,w,d->hwd", coronal[h], sagittal[w], axial[d])


def diagonals(coronal, sagittal, axial, voxel):
    return torch.einsum("dd,hh,ww->dhw", axial, coronal, sagittal)


def mean_rows(coronal, sagittal, axial, voxel):
    return torch.einsum("d,h,w->dhw", axial.mean(0), coronal.mean(0), sagittal.mean(0))


def to_the_largest(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    volume = torch.einsum("d,h,w->dhw", axial[d], coronal[h], sagittal[w])
    return volume / volume.max()


def one_number(coronal, sagittal, axial, voxel):
    d, h, w = voxel
    return axial[d, d] * coronal[h, h] * sagittal[w, w]


WRONG_ANSWERS = {
    "06-cost": [
        (changed_places, "changed places"),
        (one_product, "one of the two products"),
        (rsa_one_product, "RSA has two products"),
        (weights_only, "number of weights"),
        (short_rows, "rows are longer than C"),
        (no_channels, "channels are missing"),
        (one_direction, "one direction of RSA"),
        (directions_multiplied, "multiplied the three directions"),
        (no_pairs, "each PAIR"),
        (channels_squared, "C occurs once"),
        (ratio_only, "two numbers"),
    ],
    "06-three-steps": [
        (columns, "you took columns"),
        (added, "added the three rows"),
        (averaged, "mean of the three rows"),
        (wrong_owners, "matrices have changed places"),
        (coronal_and_sagittal_turned, "coronal and sagittal have changed places"),
        (other_axes, "order H, W, D"),
        (diagonals, "took the diagonals"),
        (mean_rows, "mean row"),
        (to_the_largest, "divided by the largest"),
        (one_number, "that is one number"),
    ],
    "06-examine": [
        Answer("never an alarm", "lambda attend: 'nothing found'", "it cannot fail"),
        Answer("always an alarm", "lambda attend: 'depends on the batch'", "nothing found"),
        Answer("says right", "lambda attend: 'right'", "not one of the four findings"),
        Answer("True or False", "lambda attend: True", "True"),
        Answer("exactly equal", [("not torch.allclose(one, other, atol=1e-3)", "not torch.equal(one, other)")],
               "last digits"),
        Answer("axis 2 only", [("for axis in (2, 3, 4)", "for axis in (2,)")], "some of the axes"),
        Answer("axes 3 and 4", [("for axis in (2, 3, 4)", "for axis in (3, 4)")], "some of the axes"),
        Answer("no batch", [("(alone, out[:1])", "(alone, alone)")], "among others"),
        Answer("no constant", [("(attend(query, key, ones, axis), ones)", "(ones, ones)")], "weights sum to 1"),
        Answer("no mirror", [("(mirrored, out.flip(axis))", "(mirrored, mirrored)")], "never mirrors"),
        Answer("one image", [("torch.randn(2, 4, 3, 5, 6)", "torch.randn(1, 4, 3, 5, 6)")], "one image"),
        Answer("result not mirrored", [("out.flip(axis)", "out")], "half a mirror"),
        Answer("values alone mirrored", [("attend(query.flip(axis), key.flip(axis),", "attend(query, key,")],
               "half a mirror"),
        Answer("mirrored along H", [("(query.flip(axis), key.flip(axis), value.flip(axis), axis)",
                                     "(query.flip(3), key.flip(3), value.flip(3), axis)"),
                                    ("out.flip(axis)", "out.flip(3)")], "expected"),
        Answer("ones become S", [("(attend(query, key, ones, axis), ones)",
                                  "(attend(query, key, ones, axis), ones * ones.shape[axis])")],
               "a mean and not a sum"),
        Answer("the mirror is asked about first", [("names = (\"depends on the batch\", \"changes a constant\", "
                                                    "\"changes in a mirror\")",
                                                    "names = (\"changes in a mirror\", \"changes a constant\", "
                                                    "\"depends on the batch\")")], "the order is that of the four"),
        Answer("the constant is asked about first", [("names = (\"depends on the batch\", \"changes a constant\"",
                                                      "names = (\"changes a constant\", \"depends on the batch\"")],
               "the batch is asked about first"),
        Answer("compares with the formula", [("(mirrored, out.flip(axis))", "(attend_slices(query, key, value, axis), "
                                              "out)")], "the formula itself"),
        Answer("all findings", [("return next((name for name in names if name in found), \"nothing found\")",
                                 "return [name for name in names if name in found] or [\"nothing found\"]")],
               "finding"),
        Answer("capital letters", [("\"nothing found\")", "\"Nothing found\")")], "finding"),
        Answer("prints it", [("return next(", "print(")], "None"),
    ],
}
