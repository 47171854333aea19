"""What a trained model is worth and what it looks at: as text, as values, and as one page."""

from __future__ import annotations

from fastmlp.tabular.report.content import Report

__all__ = ["Report"]
