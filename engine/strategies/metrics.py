"""Training-free metrics: what an untrained network tells of how well it will learn, on one batch.

Formulas as in Abdelfattah et al. 2021 (arXiv:2101.08134) and Mellor et al. 2021 (arXiv:2006.04647).
None compares between pools, and most follow the number of parameters: their rank correlation with
what is known for free belongs beside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from engine.train import loss_of

METRICS = ("grad_norm", "snip", "synflow", "jacob_cov", "naswot", "l2_norm")
SWITCHES = ("relu", "relu6", "hswish", "swish", "gelu", "leaky")  # their answer tells the sign
TINY = 1e-5  # keeps logarithms of eigenvalues finite


def training_free(network: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """The METRICS of an untrained `network` on images x (N, C, H, W) with labels y (N,).

    grad_norm: sum over weights of |gradient of the loss|. snip: sum of |weight · gradient|.
    synflow: log of the sum of weight · gradient of a network of absolute weights that answers to
    ones. jacob_cov: how little images' input gradients correlate. naswot: log determinant of how
    many switches (activations) each pair of images sets alike. l2_norm: sum over weights of |w|.
    NaN or infinite where a network has no such figure. The network is used up: see `synflow`.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    codes: list[Tensor] = []
    hooks = [m.register_forward_hook(_keep(codes)) for m in network.modules() if _switches(m)]
    x = x.detach().clone().requires_grad_(True)
    logits = network(x)
    for hook in hooks:
        hook.remove()
    (slopes,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
    weights = [p for p in network.parameters() if p.ndim > 1]
    grads = torch.autograd.grad(loss_of(logits, y, 0.0), weights, allow_unused=True)
    pairs = [(w.detach(), g) for w, g in zip(weights, grads, strict=True) if g is not None]
    return {
        "grad_norm": sum(float(g.norm()) for _, g in pairs),
        "snip": sum(float((w * g).abs().sum()) for w, g in pairs),
        "l2_norm": sum(float(w.detach().norm()) for w in weights),
        "jacob_cov": jacob_cov(slopes),
        "naswot": naswot(codes),
        "synflow": synflow(network, x[:1]),  # last, for what it does to the weights
    }


def synflow(network: nn.Module, x: Tensor) -> float:
    """Log of the synaptic flow, in double precision, since products over layers grow fast.

    Of `x` only the shape counts. The network keeps absolute weights and fresh batch norms, which
    in eval mode pass on what they are given: a copy would take longer than the flow.
    """
    network.double().eval()
    with torch.no_grad():
        for p in network.parameters():
            p.abs_()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    weights = [p for p in network.parameters() if p.ndim > 1]
    answer = network(torch.ones_like(x, dtype=torch.float64)).sum()
    grads = torch.autograd.grad(answer, weights, allow_unused=True)
    pairs = [(w.detach(), g) for w, g in zip(weights, grads, strict=True) if g is not None]
    total = sum(float((w * g).sum()) for w, g in pairs)
    return math.log(total) if total > 0 else math.nan


def jacob_cov(slopes: Tensor) -> float:
    """-sum(ln v + 1 / v) of the eigenvalues of the correlation of input gradients (N, ...)."""
    correlation = torch.corrcoef(slopes.flatten(1).double())
    if not bool(correlation.isfinite().all()):
        return math.nan
    values = torch.linalg.eigvalsh(correlation).clamp_min(0.0) + TINY
    return -float((values.log() + 1 / values).sum())


def naswot(codes: list[Tensor]) -> float:
    """Log determinant of how many switches each pair of images sets alike; codes (N, switches).

    -inf where two images set all of them alike, NaN where there are no switches.
    """
    if not codes:
        return math.nan
    alike = sum(c @ c.T + (1 - c) @ (1 - c).T for c in codes)
    assert isinstance(alike, Tensor)
    return float(torch.linalg.slogdet(alike.double()).logabsdet)


def _keep(codes: list[Tensor]) -> Callable[[nn.Module, object, Tensor], None]:
    def hook(_module: nn.Module, _given: object, out: Tensor) -> None:
        codes.append((out.detach() > 0).flatten(1).float())

    return hook


def _switches(module: nn.Module) -> bool:
    """Whether a module's answer is that of an activation with a threshold at 0."""
    spec = getattr(module, "spec", None)
    names = (getattr(module, "act", ""), getattr(spec, "act", ""), getattr(spec, "kind", ""))
    return any(name in SWITCHES for name in names)
