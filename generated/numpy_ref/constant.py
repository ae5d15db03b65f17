"""Constant. Written by optgen 0.1.0 (format 1) from rules/constant.py; do not edit.

    optgen build constant --backend numpy

The learning rate stays as it is.

    factor(t) = 1
"""

from __future__ import annotations


def factor(t: int) -> float:
    """What the initial learning rate is multiplied by at step t; 0 is the first."""
    return 1
