"""The X-ray of a search space: what it holds, what it costs and what is wrong with it; no torch.

Nothing is trained or measured: `report` counts, `reach` proves what a limit rules out, `words` says
what deserves a second look. Drawing is done elsewhere.
"""

from __future__ import annotations

from engine.xray.figures import Card, Spread, Within, XRay
from engine.xray.reach import Choice
from engine.xray.report import examine

__all__ = ["Card", "Choice", "Spread", "Within", "XRay", "examine"]
