"""bf16_sr. Written by optgen 0.1.0 (format 1); do not edit.

Bfloat16, rounded stochastically.
"""

from __future__ import annotations

from ._parameters import Stochastic

bf16_sr = Stochastic()
