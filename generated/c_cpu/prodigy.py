"""Prodigy. Written by optgen 0.1.0 (format 1) from rules/prodigy.py; do not edit.

    optgen build prodigy --backend c

Mishchenko & Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, ICML 2024,
https://arxiv.org/abs/2306.06101, Algorithm 4. Numbers as prodigyopt.Prodigy with slice_p=1; growth_rate=0 is its
inf, beta3=0 its None.

    b3[t] = Piecewise((beta3, Ne(beta3, 0)), (sqrt(beta2), True))
    a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
    g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
    p0[t] = p0[t - 1]
    r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    m[t] = beta1*m[t - 1] + (1 - beta1)*d[t - 1]*g_wd[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*(d[t - 1]*g_wd[t])**2
    s[t] = b3[t]*s[t - 1] + d[t - 1]/d0*Piecewise((d[t - 1], safeguard_warmup), (a[t], True))*g_wd[t]
    den[t] = total(Abs(s[t]), model)
    d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
    d_max[t] = Max(d_max[t - 1], d_hat[t])
    d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
    d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
    theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
        a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
"""

from __future__ import annotations

from pathlib import Path

from ._runtime import Form, Launcher

# The states that the step keeps, by their keys in a checkpoint, and the scalars that it reads.
STATES: tuple[str, ...] = ("exp_avg", "exp_avg_sq", "d_numerator", "p0", "s", "d_max", "d")
SCALARS = (
    "lr",
    "beta1",
    "beta2",
    "eps",
    "weight_decay",
    "d0",
    "d_coef",
    "growth_rate",
    "b3",
    "a_scale",
    "inv_d0",
    "one_minus_beta1",
    "one_minus_beta2",
)


def flags(
    *,
    beta3: float,
    decouple: bool,
    use_bias_correction: bool,
    safeguard_warmup: bool,
    growth_rate: float,
) -> dict[str, bool]:
    """The variant of the step that a parameter group needs."""
    return {
        "has_beta3": beta3 != 0,
        "use_bias_correction": use_bias_correction,
        "decouple": decouple,
        "safeguard_warmup": safeguard_warmup,
        "has_growth_rate": growth_rate != 0,
    }


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    types = ("theta_type", "m_type", "v_type", "r_type", "p0_type", "s_type", "d_max_type", "d_type")
    form = Form(
        ("element", "element", "tensor", "element", "element", "tensor", "tensor"), by_rows=False, together=True
    )
    return Launcher(__name__, Path(__file__).with_suffix(".c"), types, SCALARS, form)
