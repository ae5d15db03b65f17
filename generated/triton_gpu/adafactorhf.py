"""AdafactorHF. Written by optgen 0.1.0 (format 1) from rules/adafactorhf.py; do not edit.

    optgen build adafactorhf --backend triton

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

from collections.abc import Mapping

import triton
import triton.language as tl

from ._device import (
    address,
    chunk_of,
    div,
    fp64,
    maximum,
    minimum,
    number,
    one_minus_power,
    put,
    row_of,
    sqrt,
    stream,
    tensor_of,
    truth,
)
from ._matrices import Tiles
from ._matrix_tiles import (
    LINE,
    inside,
    lines_summed,
    load_cols,
    load_lines,
    load_rows,
    load_tile,
    put_cols,
    put_lines,
    put_rows,
    store_tile,
    whole_rows,
)
from ._phases import Form, Launches
from ._reductions import summed
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
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
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "eps1", "clip_threshold", "decay_rate", "weight_decay", "beta1", "eps2")
KEPT: tuple[str, ...] = ()
TOLD: tuple[str, ...] = ()


@triton.jit
def _lines_1(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    parts: tl.tensor,
    shares: tl.tensor,
    common: tl.tensor,
    lines: tl.tensor,
    planes: tl.tensor,
    tall: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    r_type: tl.constexpr,
    c_type: tl.constexpr,
    m_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """r, c, r_mean: of some rows or columns of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 11
    elements = tl.load(record + 4)
    its_rows = tl.load(record + 6)
    its_cols = tl.load(record + 7)
    matrices = elements // (its_rows * its_cols)
    down = tl.cdiv(its_rows, tall)
    across = tl.cdiv(its_cols, COLS)
    row_blocks = tl.cdiv(its_rows, LINE)
    blocks = row_blocks + tl.cdiv(its_cols, LINE)
    matrix = chunk_of(word) // blocks
    block = chunk_of(word) % blocks
    mine = lines + tl.program_id(0).to(tl.int64)
    goes = ~truth(found_inf) if SCALED else tl.full((), 1, tl.int1)
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 9)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    row_values = col_parts + all_cols * down
    q_mean_parts = row_parts
    r_values = row_values
    q_mean_2_parts = col_parts
    c_values = col_values
    r_at = stream(record + 1, r_type, 0)
    c_at = stream(record + 2, c_type, 0)
    beta2 = tl.load(row + 5)
    one_minus_beta2 = tl.load(row + 6)
    r_mean = tl.full((), 0.0, COMPUTE)
    if block < row_blocks:
        line = block * LINE + tl.arange(0, LINE)
        there = line < its_rows
        line += matrix * its_rows
        q_mean = div(lines_summed(q_mean_parts, line, there, across, all_rows), its_cols.to(COMPUTE), STRICT)
        r_prev = load_lines(r_at, line, there, COMPUTE)
        # r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
        r = beta2 * r_prev + one_minus_beta2 * q_mean
        # u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
        r_mean = tl.sum(tl.where(there, r, 0.0))
        put_lines(r_values, line, r, there)
        put_lines(r_at, line, r, there & goes)
    else:
        line = (block - row_blocks) * LINE + tl.arange(0, LINE)
        there = line < its_cols
        line += matrix * its_cols
        q_mean_2 = div(lines_summed(q_mean_2_parts, line, there, down, all_cols), its_rows.to(COMPUTE), STRICT)
        c_prev = load_lines(c_at, line, there, COMPUTE)
        # c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
        c = beta2 * c_prev + one_minus_beta2 * q_mean_2
        put_lines(c_values, line, c, there)
        put_lines(c_at, line, c, there & goes)
    tl.store(mine + 0, r_mean)


@triton.jit
def _phase_1(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    parts: tl.tensor,
    shares: tl.tensor,
    common: tl.tensor,
    lines: tl.tensor,
    planes: tl.tensor,
    tall: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    r_type: tl.constexpr,
    c_type: tl.constexpr,
    m_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """q_mean, q_mean_2, theta_prev_sq_mean: of one tile of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 11
    elements = tl.load(record + 4)
    its_rows = tl.load(record + 6)
    its_cols = tl.load(record + 7)
    matrices = elements // (its_rows * its_cols)
    down = tl.cdiv(its_rows, tall)
    across = tl.cdiv(its_cols, COLS)
    matrix = chunk_of(word) // (down * across)
    at_row = chunk_of(word) // across % down * tall
    at_col = chunk_of(word) % across * COLS
    row_start = matrix * its_rows + at_row
    col_start = matrix * its_cols + at_col
    start = row_start * its_cols + at_col
    height = tl.minimum(its_rows - at_row, tall).to(tl.int32)
    width = tl.minimum(its_cols - at_col, COLS).to(tl.int32)
    if SCALED:
        height = tl.where(truth(found_inf), 0, height)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    if scale_parameter:
        mine = parts + tl.program_id(0).to(tl.int64) * 2
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 9)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    q_mean_parts = row_parts + at_col // COLS * all_rows + row_start
    q_mean_2_parts = col_parts + at_row // tall * all_cols + col_start
    if scale_parameter:
        theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    eps1 = tl.load(row + 0)
    if scale_parameter:
        theta_prev_sq_mean = tl.full((), 0.0, COMPUTE)
    q_mean_2 = tl.full((COLS,), 0.0, COMPUTE)
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        if scale_parameter:
            theta_prev_sq_mean_block = tl.full((ROWS // 2 if tail else ROWS, COLS), 0.0, COMPUTE)
        q_mean_2_block = tl.full((ROWS // 2 if tail else ROWS, COLS), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            if scale_parameter:
                theta_prev = load_tile(theta_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            if scale_parameter:
                # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
                theta_prev_sq_mean_block += inside(theta_prev * theta_prev, 0.0, at, height, width, tail, ROWS, COLS)
            # q[t] = g[t]**2 + eps1
            q = g * g + eps1
            # r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
            q_mean = tl.sum(inside(q, 0.0, at, height, width, tail, ROWS, COLS), 1)
            put_rows(q_mean_parts, q_mean, at, height, tail, ROWS)
            # c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
            q_mean_2_block += inside(q, 0.0, at, height, width, tail, ROWS, COLS)
        if scale_parameter:
            theta_prev_sq_mean += tl.sum(tl.sum(theta_prev_sq_mean_block, 1))
        q_mean_2 += tl.sum(q_mean_2_block, 0)
    if scale_parameter:
        tl.store(mine + 1, theta_prev_sq_mean)
    put_cols(q_mean_2_parts, q_mean_2, width, COLS)


@triton.jit
def _phase_2(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    parts: tl.tensor,
    shares: tl.tensor,
    common: tl.tensor,
    lines: tl.tensor,
    planes: tl.tensor,
    tall: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    r_type: tl.constexpr,
    c_type: tl.constexpr,
    m_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """u_sq_mean: of one tile of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    elements = tl.load(record + 4)
    its_rows = tl.load(record + 6)
    its_cols = tl.load(record + 7)
    matrices = elements // (its_rows * its_cols)
    down = tl.cdiv(its_rows, tall)
    across = tl.cdiv(its_cols, COLS)
    row_blocks = tl.cdiv(its_rows, LINE)
    blocks = row_blocks + tl.cdiv(its_cols, LINE)
    matrix = chunk_of(word) // (down * across)
    at_row = chunk_of(word) // across % down * tall
    at_col = chunk_of(word) % across * COLS
    row_start = matrix * its_rows + at_row
    col_start = matrix * its_cols + at_col
    start = row_start * its_cols + at_col
    height = tl.minimum(its_rows - at_row, tall).to(tl.int32)
    width = tl.minimum(its_cols - at_col, COLS).to(tl.int32)
    if SCALED:
        height = tl.where(truth(found_inf), 0, height)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    mine = parts + tl.program_id(0).to(tl.int64) * 2
    its_lines = lines + tl.load(record + 8)
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 9)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    row_values = col_parts + all_cols * down
    r_values = row_values + row_start
    c_values = col_values + col_start
    g_at = stream(gradients + tensor, g_type, start)
    r_mean = div(summed(its_lines + matrix * blocks + 0, blocks, 1), its_rows.to(COMPUTE), STRICT)
    c = load_cols(c_values, width, COLS, COMPUTE)
    u_sq_mean = tl.full((), 0.0, COMPUTE)
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        u_sq_mean_block = tl.full((ROWS // 2 if tail else ROWS, COLS), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            r = load_rows(r_values, at, height, tail, ROWS, COMPUTE)
            # u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
            u = div(g, sqrt(div(r, r_mean, STRICT), STRICT) * sqrt(c, STRICT), STRICT)
            # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
            u_sq_mean_block += inside(u * u, 0.0, at, height, width, tail, ROWS, COLS)
        u_sq_mean += tl.sum(tl.sum(u_sq_mean_block, 1))
    tl.store(mine + 0, u_sq_mean)


@triton.jit
def _phase_3(
    words: tl.tensor,
    records: tl.tensor,
    gradients: tl.tensor,
    scalars: tl.tensor,
    grad_scale: tl.tensor,
    found_inf: tl.tensor,
    parts: tl.tensor,
    shares: tl.tensor,
    common: tl.tensor,
    lines: tl.tensor,
    planes: tl.tensor,
    tall: tl.tensor,
    theta_type: tl.constexpr,
    g_type: tl.constexpr,
    r_type: tl.constexpr,
    c_type: tl.constexpr,
    m_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """theta, m: of one tile of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 11
    elements = tl.load(record + 4)
    its_rows = tl.load(record + 6)
    its_cols = tl.load(record + 7)
    matrices = elements // (its_rows * its_cols)
    down = tl.cdiv(its_rows, tall)
    across = tl.cdiv(its_cols, COLS)
    row_blocks = tl.cdiv(its_rows, LINE)
    blocks = row_blocks + tl.cdiv(its_cols, LINE)
    matrix = chunk_of(word) // (down * across)
    at_row = chunk_of(word) // across % down * tall
    at_col = chunk_of(word) % across * COLS
    row_start = matrix * its_rows + at_row
    col_start = matrix * its_cols + at_col
    start = row_start * its_cols + at_col
    height = tl.minimum(its_rows - at_row, tall).to(tl.int32)
    width = tl.minimum(its_cols - at_col, COLS).to(tl.int32)
    if SCALED:
        height = tl.where(truth(found_inf), 0, height)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    its_parts = parts + tl.load(record + 5) * 2
    its_lines = lines + tl.load(record + 8)
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 9)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    row_values = col_parts + all_cols * down
    r_values = row_values + row_start
    c_values = col_values + col_start
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    if use_first_moment:
        m_at = stream(record + 3, m_type, start)
    if scale_parameter:
        eps2 = tl.load(row + 1)
    if use_first_moment:
        beta1 = tl.load(row + 2)
    if scale_parameter:
        weight_decay = tl.load(row + 3)
        rho = tl.load(row + 4)
    inv_clip_threshold = tl.load(row + 7)
    if use_first_moment:
        one_minus_beta1 = tl.load(row + 8)
    if scale_parameter:
        theta_prev_sq_mean = div(
            summed(its_parts + 1, down * across * matrices, 2), elements.to(COMPUTE), STRICT
        )
    else:
        eta = tl.load(row + 9)
        one_minus_weight_decay_eta = tl.load(row + 10)
    r_mean = div(summed(its_lines + matrix * blocks + 0, blocks, 1), its_rows.to(COMPUTE), STRICT)
    u_sq_mean = div(summed(its_parts + 0, down * across * matrices, 2), elements.to(COMPUTE), STRICT)
    c = load_cols(c_values, width, COLS, COMPUTE)
    if scale_parameter:
        # eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
        eta = maximum(eps2, sqrt(theta_prev_sq_mean, STRICT)) * rho
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            theta_prev = load_tile(theta_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            if use_first_moment:
                m_prev = load_tile(m_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            r = load_rows(r_values, at, height, tail, ROWS, COMPUTE)
            # u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
            u = div(g, sqrt(div(r, r_mean, STRICT), STRICT) * sqrt(c, STRICT), STRICT)
            # s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
            s = div(eta, maximum(tl.full((), 1, COMPUTE), sqrt(u_sq_mean, STRICT) * inv_clip_threshold), STRICT) * u
            if use_first_moment:
                # m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
                m = beta1 * m_prev + one_minus_beta1 * s
            # theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
            if use_first_moment:
                if scale_parameter:
                    theta = theta_prev * (1 - weight_decay * eta) - m
                else:
                    theta = theta_prev * one_minus_weight_decay_eta - m
            else:
                if scale_parameter:
                    theta = theta_prev * (1 - weight_decay * eta) - s
                else:
                    theta = theta_prev * one_minus_weight_decay_eta - s
            store_tile(theta_at, theta, at, height, width, its_cols, tail, ROWS, COLS, VEC)
            if use_first_moment:
                store_tile(m_at, m, at, height, width, its_cols, tail, ROWS, COLS, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    warmup_init: tl.constexpr,
    relative_step: tl.constexpr,
    scale_parameter: tl.constexpr,
    use_first_moment: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 7
    row = scalars + tensor * 11
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    eps1 = number(hyper + 1, there)
    clip_threshold = number(hyper + 2, there)
    decay_rate = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    beta1 = number(hyper + 5, there)
    eps2 = number(hyper + 6, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    if warmup_init:
        rho = minimum(1e-06 * t, 1 / tl.sqrt(t))
    elif relative_step:
        rho = minimum(fp64(0.01), 1 / tl.sqrt(t))
    else:
        rho = lr
    if not scale_parameter:
        eta = rho
    beta2 = one_minus_power(t, decay_rate)
    one_minus_beta2 = 1 - beta2
    inv_clip_threshold = 1 / clip_threshold
    if use_first_moment:
        one_minus_beta1 = 1 - beta1
    if not scale_parameter:
        one_minus_weight_decay_eta = 1 - weight_decay * eta
    put(row + 0, eps1, there)
    if scale_parameter:
        put(row + 1, eps2, there)
    if use_first_moment:
        put(row + 2, beta1, there)
    if scale_parameter:
        put(row + 3, weight_decay, there)
        put(row + 4, rho, there)
    put(row + 5, beta2, there)
    put(row + 6, one_minus_beta2, there)
    put(row + 7, inv_clip_threshold, there)
    if use_first_moment:
        put(row + 8, one_minus_beta1, there)
    if not scale_parameter:
        put(row + 9, eta, there)
        put(row + 10, one_minus_weight_decay_eta, there)
    put(t_at, t, goes)


def flags(
    *,
    scale_parameter: bool,
    relative_step: bool,
    warmup_init: bool,
    use_first_moment: bool,
) -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {
        "warmup_init": warmup_init,
        "relative_step": relative_step,
        "scale_parameter": scale_parameter,
        "use_first_moment": use_first_moment,
    }


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.each_line(_lines_1)
    launches.each_chunk(_phase_2)
    launches.each_chunk(_phase_3)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(
        ("row", "col", "element"), parts=2, shares=0, common=0,
        tiles=Tiles(lines=1, row_parts=1, col_parts=1, row_values=1, col_values=1)
    )
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
