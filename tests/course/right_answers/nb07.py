"""Right answers to the exercises of notebook 07 in forms that are not the solution's."""

from __future__ import annotations

from tests.course.answers import Answer

RIGHT_ANSWERS = {
    "07-dice": [
        Answer("a loop over the regions",
            "def dice_by_region(predicted, wanted):\n"
            "    out = []\n"
            "    for f, w in zip(predicted, wanted):\n"
            "        s = int(f.sum() + w.sum())\n"
            "        out.append(1.0 if s == 0 else 2 * int((f & w).sum()) / s)\n"
            "    return out"),
        Answer("numpy",
            "def dice_by_region(predicted, wanted):\n"
            "    f, w = predicted.numpy().reshape(len(predicted), -1), wanted.numpy().reshape(len(wanted), -1)\n"
            "    s = f.sum(1) + w.sum(1)\n"
            "    return np.where(s > 0, 2 * (f & w).sum(1) / np.maximum(s, 1), 1)"),
        Answer("as floats, einsum",
            "def dice_by_region(predicted, wanted):\n"
            "    f, w = predicted.float().flatten(1), wanted.float().flatten(1)\n"
            "    return torch.nan_to_num(2 * torch.einsum('rn,rn->r', f, w) / (f.sum(1) + w.sum(1)), nan=1.0)"),
        Answer("from F1 and counts",
            "def dice_by_region(predicted, wanted):\n"
            "    tp = (predicted & wanted).sum((1, 2, 3))\n"
            "    fp, fn = (predicted & ~wanted).sum((1, 2, 3)), (~predicted & wanted).sum((1, 2, 3))\n"
            "    d = (2 * tp).double() / (2 * tp + fp + fn)\n"
            "    d[(fp + fn + tp) == 0] = 1\n"
            "    return d"),
        Answer("from the IoU",
            "def dice_by_region(predicted, wanted):\n"
            "    i, u = (predicted & wanted).flatten(1).sum(1), (predicted | wanted).flatten(1).sum(1)\n"
            "    j = i / u.clamp(min=1)\n"
            "    return torch.where(u == 0, torch.ones(()), 2 * j / (1 + j))"),
        Answer("scikit-learn",
            "def dice_by_region(predicted, wanted):\n"
            "    from sklearn.metrics import f1_score\n"
            "    return np.array([f1_score(w.flatten(), f.flatten(), zero_division=1.0) for f, w in "
            "zip(predicted, wanted)])"),
    ],
    "07-blocks": [
        Answer("in float64",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    q, k, v = query.double(), key.double(), value.double()\n"
            "    top = torch.full_like(q[:, :, :1], -torch.inf)\n"
            "    total, context = torch.zeros_like(top), torch.zeros_like(q)\n"
            "    for a, b in zip(k.split(block, 1), v.split(block, 1)):\n"
            "        s = q @ a.mT / q.shape[-1] ** 0.5\n"
            "        new = torch.maximum(top, s.amax(-1, keepdim=True))\n"
            "        total = total * (top - new).exp() + (s - new).exp().sum(-1, keepdim=True)\n"
            "        context = context * (top - new).exp() + (s - new).exp() @ b\n"
            "        top = new\n"
            "    return (context / total).to(query.dtype)"),
        Answer("log-sum-exp of each block",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    parts, weights = [], []\n"
            "    for k, v in zip(key.split(block, 1), value.split(block, 1)):\n"
            "        s = query @ k.transpose(1, 2) / math.sqrt(query.shape[-1])\n"
            "        parts.append(s.softmax(-1) @ v)\n"
            "        weights.append(s.logsumexp(-1))\n"
            "    w = torch.stack(weights, -1).softmax(-1)\n"
            "    return (torch.stack(parts, -1) * w[:, :, None]).sum(-1)"),
        Answer("running logaddexp",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    lse, out = None, None\n"
            "    for a in range(0, key.shape[1], block):\n"
            "        s = torch.einsum('bnf,bmf->bnm', query, key[:, a : a + block]) * query.shape[-1] ** -0.5\n"
            "        l, o = s.logsumexp(-1, keepdim=True), s.softmax(-1) @ value[:, a : a + block]\n"
            "        if lse is None:\n"
            "            lse, out = l, o\n"
            "        else:\n"
            "            new = torch.logaddexp(lse, l)\n"
            "            out, lse = out * (lse - new).exp() + o * (l - new).exp(), new\n"
            "    return out"),
        Answer("two passes: largest first",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    f = math.sqrt(query.shape[-1])\n"
            "    top = torch.stack([(query @ k.mT / f).amax(-1) for k in key.split(block, 1)]).amax(0)[..., None]\n"
            "    total = context = 0\n"
            "    for k, v in zip(key.split(block, 1), value.split(block, 1)):\n"
            "        w = (query @ k.mT / f - top).exp()\n"
            "        total, context = total + w.sum(-1, keepdim=True), context + w @ v\n"
            "    return context / total"),
        Answer("numpy",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    q, k, v = query.numpy(), key.numpy(), value.numpy()\n"
            "    top = np.full(q.shape[:2] + (1,), -np.inf)\n"
            "    total, context = 0 * np.exp(top), 0.0\n"
            "    for a in range(0, k.shape[1], block):\n"
            "        s = q @ k[:, a : a + block].transpose(0, 2, 1) / np.sqrt(q.shape[-1])\n"
            "        new = np.maximum(top, s.max(-1, keepdims=True))\n"
            "        w, fade = np.exp(s - new), np.exp(top - new)\n"
            "        total, context, top = total * fade + w.sum(-1, keepdims=True), context * fade + w @ "
            "v[:, a : a + block], new\n"
            "    return context / total"),
        Answer("bmm and baddbmm",
            "def attend_in_key_blocks(query, key, value, block):\n"
            "    top = query.new_full((*query.shape[:2], 1), -math.inf)\n"
            "    total, context = torch.zeros_like(top), torch.zeros_like(query)\n"
            "    for k, v in zip(torch.split(key, block, dim=1), torch.split(value, block, dim=1)):\n"
            "        s = torch.bmm(query / math.sqrt(query.size(-1)), k.transpose(1, 2))\n"
            "        new = torch.maximum(top, s.max(-1, keepdim=True).values)\n"
            "        w = torch.exp(s - new)\n"
            "        total.mul_((top - new).exp()).add_(w.sum(-1, keepdim=True))\n"
            "        context = torch.baddbmm(context * (top - new).exp(), w, v)\n"
            "        top = new\n"
            "    return context.div_(total)"),
    ],
    "07-near-places": [
        Answer("masked_fill",
            "def near_places(affinity, reach):\n"
            "    near = affinity.masked_fill(steps_apart(affinity.shape[1:4]) > reach, 0.0)\n"
            "    return near / near.sum((4, 5, 6), keepdim=True)"),
        Answer("where and flatten",
            "def near_places(affinity, reach):\n"
            "    near = torch.where(steps_apart(affinity.shape[1:4]) <= reach, affinity, 0).flatten(4)\n"
            "    return (near / near.sum(-1, keepdim=True)).reshape(affinity.shape)"),
        Answer("softmax of the logarithm",
            "lambda affinity, reach: affinity.log().masked_fill(steps_apart(affinity.shape[1:4]) > reach, "
            "-math.inf).flatten(4).softmax(-1).reshape(affinity.shape)"),
        Answer("numpy",
            "def near_places(affinity, reach):\n"
            "    near = affinity.numpy() * (steps_apart(affinity.shape[1:4]).numpy() <= reach)\n"
            "    return near / near.sum((4, 5, 6), keepdims=True)"),
        Answer("own steps",
            "def near_places(affinity, reach):\n"
            "    p = torch.stack(torch.meshgrid(*map(torch.arange, affinity.shape[1:4]), indexing='ij'), -1)\n"
            "    near = affinity * ((p[:, :, :, None, None, None] - p).abs() <= reach).all(-1)\n"
            "    return near / near.sum((-3, -2, -1), True)"),
        Answer("normalize",
            "def near_places(affinity, reach):\n"
            "    near = affinity * (steps_apart(affinity.shape[1:4]) <= reach)\n"
            "    return torch.nn.functional.normalize(near.flatten(4), p=1, dim=-1).reshape(affinity.shape)"),
    ],
}  # fmt: skip
