"""The article's own two classes, kept verbatim as the oracle of the tests.

Source: chizuchizu, 「IFモデルをPyTorchで動かす」, 2022-09-03.
"""
# ruff: noqa: N805, RET504
# fmt: off

import torch


# https://pytorch.org/docs/stable/generated/torch.autograd.function.FunctionCtx.save_for_backward.html
class Heaviside(torch.autograd.Function):
    def forward(ctx, input_):
        out = (input_ > 0).float()
        ctx.save_for_backward(out.bool())  # 保存する
        return out

    def backward(ctx, grad_output):
        (out,) = ctx.saved_tensors  # {0, 1}
        grad = grad_output * out  # {0, 1}
        return grad


class IF(torch.nn.Module):
    def __init__(self, threshold=1):
        super().__init__()

        self.threshold = threshold

    def forward(self, v_previous, vt, s_previous):
        x = v_previous * (1 - s_previous) + vt
        spikes = Heaviside.apply(x - self.threshold)
        return spikes
