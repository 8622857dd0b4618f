"""Proof that an ONNX file computes what the torch network computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from engine.batches import Split
from engine.errors import ExportError

TOLERANCE = 1e-3  # of the largest logit: fp32 noise lies a hundred times below, a wrong layer above


def check_model(model: bytes) -> None:
    """Raises ExportError if the ONNX checker, shapes included, finds the file at fault."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"export: the ONNX checker refused the file: {error}.") from error


@torch.inference_mode()
def max_difference(network: nn.Module, model: bytes, split: Split, count: int) -> float:
    """Largest |torch - ONNX Runtime| over the logits of `count` inputs: images first, then noise.

    Raises ExportError if it exceeds a thousandth of the largest logit.
    """
    inputs = _inputs(split, count)
    expected = network.eval()(inputs).numpy()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    got = session.run(None, {name: inputs.contiguous().numpy()})[0]
    difference = float(np.abs(expected - got).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise ExportError(
            f"export: the ONNX file differs from the trained network by {difference:.2e}.",
            "Nothing was exported.",
        )
    return difference


def _inputs(split: Split, count: int) -> torch.Tensor:
    """(count, C, S, S): images of the split for three quarters, the rest noise."""
    images = split.ready(split.images[: count * 3 // 4])
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count - len(images), *images.shape[1:], generator=generator)
    return torch.cat([images, noise]).contiguous(memory_format=torch.channels_last)
