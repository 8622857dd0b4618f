"""The model card: what an exported network is, how it was made, how far to trust it."""

from __future__ import annotations

from collections import Counter
from typing import Any

WEIGHTS = {
    "shared": "the shared weights of the search, not trained on their own",
    "alone": "a short training of its own in the search",
    "finetuned": "finetuned from the shared weights of the search",
    "retrained": "trained from scratch",
}


def model_card(report: dict[str, Any]) -> str:
    """The archive's README.md, from its report.json."""
    return (
        "\n\n".join(
            (
                f"# {report['space']['name']} · {report['data']['name']}",
                _what(report),
                "## Accuracy\n\n" + _accuracy(report),
                "## Latency\n\n" + _latency(report),
                "## Use\n\n" + _use(report),
                "## Where it comes from\n\n" + _origin(report),
                "## Twelve checks\n\n" + _checks(report),
            )
        )
        + "\n"
    )


def _what(report: dict[str, Any]) -> str:
    shape = report["preprocessing"]
    return (
        f"An image classifier for {len(report['data']['classes'])} classes "
        f"({shape['size']}x{shape['size']} pixels, {shape['channels']} channels), chosen by "
        f"single-path neural architecture search under a latency limit.\n\n"
        f"Architecture `{report['arch']}`: {report['params']:,} parameters, "
        f"{report['macs']:,} multiply-accumulates, {report['size_bytes']:,} bytes as ONNX."
    )


def _accuracy(report: dict[str, Any]) -> str:
    lines = [f"Weights: {WEIGHTS[report['weights']]}.", ""]
    if report["proxy_accuracy"] is not None:
        kind = "short training alone" if report["weights"] == "alone" else "shared weights"
        what = f"Proxy accuracy ({kind}, architecture split)"
        lines.append(_share(what, report["proxy_accuracy"]))
    if report["accuracy"] is not None:
        lines.append(_share("Accuracy on the architecture split", report["accuracy"]))
    if report["test_accuracy"] is not None:
        lines.append(
            _share(f"Accuracy on the test split, {_times(report)}", report["test_accuracy"])
        )
    else:
        lines.append("- No accuracy on the test split: finetune or retrain to have it judged.")
    lines += [
        "",
        "The architecture was chosen on the architecture split, so accuracy there is flattering.",
    ]
    return "\n".join(lines)


def _times(report: dict[str, Any]) -> str:
    times = report["times_tested"]
    if times == 1:
        return "touched once"
    return (
        f"touched {times} times, once per training of this network; the more, the more flattering"
    )


def _share(what: str, value: float) -> str:
    return f"- {what}: {100 * value:.2f} %"


def _latency(report: dict[str, Any]) -> str:
    latency, device = report["latency"], report["device"]
    verdict = "within" if report["within_limit"] else "NOT within"
    facts = "\n".join(f"- {key}: {value}" for key, value in device.items())
    return (
        f"p50 {latency['p50_ms']:.4g} ms, p90 {latency['p90_ms']:.4g} ms, p99 "
        f"{latency['p99_ms']:.4g} ms over {latency['runs']} runs, batch 1, "
        f"{latency['threads']} thread(s), {latency['runtime']}: {verdict} the limit of "
        f"{report['limit_ms']:.4g} ms (every measuring session must meet it).\n\n"
        f"Measured on:\n\n{facts}\n\n"
        f"Percentiles are those of an undisturbed computer: turns that other work slowed down were "
        f"taken again, {100 * latency['disturbed']:.0f} % remained; {latency['warmup']} untimed "
        "runs before each turn.\n\n"
        "Another machine, runtime or load gives other figures; `python benchmark.py` measures here."
    )


def _use(report: dict[str, Any]) -> str:
    shape = report["preprocessing"]
    size, channels = shape["size"], shape["channels"]
    return f"""```python
import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("model.onnx")
facts = json.load(open("report.json"))
mean = np.array(facts["preprocessing"]["mean"], np.float32)[:, None, None]
std = np.array(facts["preprocessing"]["std"], np.float32)[:, None, None]
pixels = np.zeros(({channels}, {size}, {size}), np.uint8)  # your image, resized, channels first
image = ((pixels / np.float32(255) - mean) / std)[None]
logits = session.run(None, {{"image": image.astype(np.float32)}})[0]
print(facts["data"]["classes"][int(logits.argmax())])
```

`benchmark.py` needs onnxruntime and numpy only: `python benchmark.py --threads 1`."""


def _origin(report: dict[str, Any]) -> str:
    splits = ", ".join(f"{name} {count:,}" for name, count in report["data"]["splits"].items())
    versions = ", ".join(f"{name} {v}" for name, v in report["versions"].items())
    return (
        f"- Data: {report['data']['name']}, hash `{report['data']['hash']}`, images: {splits}\n"
        f"- Search: {report['strategy']}, {report['epochs']} epochs, seed {report['seed']}\n"
        f"- ONNX file: sha256 `{report['onnx_sha256']}`; it differs from the trained network by at "
        f"most {report['parity_max_abs']:.1e} over {report['parity_inputs']} inputs\n"
        f"- Versions: {versions}\n"
        f"- Written {report['date']} by Onepath Studio"
    )


def _checks(report: dict[str, Any]) -> str:
    """What Yang, Esperança and Carlucci (2020) ask of a search, as far as it is known."""
    rows = report["checks"]
    counts = Counter(row["state"] for row in rows)
    told = ", ".join(f"{counts[state]} {state}" for state in ("met", "failed", "open"))
    lines = [f"{r['number']}. {r['title']}, {r['state']}: {r['says']}" for r in rows]
    head = f"What a search has to show before its result means much: {told}."
    return "\n".join([head, "", *lines])
