"""AdafactorHF. Written by optgen 0.1.0 (format 1) from rules/adafactorhf.py; do not edit.

    optgen build adafactorhf --backend c

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as transformers.Adafactor: what is None there is a
flag here, lr is read with relative_step=False only, and a vector has a second moment of its own.

    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
    c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
    u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
    and for parameters of other shapes, as another rule:
    rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
        True))
    eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
    beta2[t] = 1 - t**decay_rate
    q[t] = g[t]**2 + eps1
    v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
    u[t] = g[t]/sqrt(v[t])
    s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
    m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
    theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg_sq_row", "exp_avg_sq_col", "exp_avg")
SCALARS = (
    "eps1",
    "eps2",
    "beta1",
    "weight_decay",
    "rho",
    "beta2",
    "one_minus_beta2",
    "inv_clip_threshold",
    "one_minus_beta1",
    "eta",
    "one_minus_weight_decay_eta",
)


def flags(
    *,
    scale_parameter: bool,
    relative_step: bool,
    warmup_init: bool,
    use_first_moment: bool,
) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {
        "warmup_init": warmup_init,
        "relative_step": relative_step,
        "scale_parameter": scale_parameter,
        "use_first_moment": use_first_moment,
    }


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "r_type", "c_type", "m_type")
    form = Form(("row", "col", "element"), by_rows=True, together=False)
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
