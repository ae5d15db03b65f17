"""Adafactor. Written by optgen 0.1.0 (format 1) from rules/adafactor.py; do not edit.

    optgen build adafactor --backend triton

Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as torch.optim.Adafactor: lr bounds the relative step,
and scales the weight decay.

    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
    C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
    U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
    and for parameters of other shapes, as another rule:
    rho[t] = Min(lr, 1/(sqrt(t)))
    alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    w[t] = t**beta2_decay
    V[t] = V[t - 1] + w[t]*(g[t]**2 - V[t - 1])
    U[t] = g[t]/sqrt(Max(V[t], eps1**2))
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
"""

from __future__ import annotations

from collections.abc import Mapping

import triton
import triton.language as tl

from ._device import (
    address,
    chunk_of,
    div,
    maximum,
    minimum,
    number,
    power,
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
STATES: tuple[str, ...] = ("row_var", "col_var")
SCALARS = (
    "eps1",
    "eps2",
    "rho",
    "w",
    "U_scale",
    "one_minus_lr_weight_decay",
    "inv_d",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta2_decay", "eps1", "eps2", "d", "weight_decay")
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
    R_type: tl.constexpr,
    C_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """R, C, R_mean: of some rows or columns of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 7
    elements = tl.load(record + 3)
    its_rows = tl.load(record + 5)
    its_cols = tl.load(record + 6)
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
    col_values = planes + tl.load(record + 8)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    row_values = col_parts + all_cols * down
    g_sq_mean_parts = row_parts
    R_values = row_values
    g_sq_mean_2_parts = col_parts
    C_values = col_values
    R_at = stream(record + 1, R_type, 0)
    C_at = stream(record + 2, C_type, 0)
    w = tl.load(row + 3)
    R_mean = tl.full((), 0.0, COMPUTE)
    if block < row_blocks:
        line = block * LINE + tl.arange(0, LINE)
        there = line < its_rows
        line += matrix * its_rows
        g_sq_mean = div(lines_summed(g_sq_mean_parts, line, there, across, all_rows), its_cols.to(COMPUTE), STRICT)
        R_prev = load_lines(R_at, line, there, COMPUTE)
        # R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
        R = R_prev + w * (g_sq_mean - R_prev)
        # U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
        R_mean = tl.sum(tl.where(there, R, 0.0))
        put_lines(R_values, line, R, there)
        put_lines(R_at, line, R, there & goes)
    else:
        line = (block - row_blocks) * LINE + tl.arange(0, LINE)
        there = line < its_cols
        line += matrix * its_cols
        g_sq_mean_2 = div(
            lines_summed(g_sq_mean_2_parts, line, there, down, all_cols), its_rows.to(COMPUTE), STRICT
        )
        C_prev = load_lines(C_at, line, there, COMPUTE)
        # C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
        C = C_prev + w * (g_sq_mean_2 - C_prev)
        put_lines(C_values, line, C, there)
        put_lines(C_at, line, C, there & goes)
    tl.store(mine + 0, R_mean)


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
    R_type: tl.constexpr,
    C_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """theta_prev_sq_mean, g_sq_mean, g_sq_mean_2: of one tile of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    elements = tl.load(record + 3)
    its_rows = tl.load(record + 5)
    its_cols = tl.load(record + 6)
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
    mine = parts + tl.program_id(0).to(tl.int64) * 2
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 8)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    g_sq_mean_parts = row_parts + at_col // COLS * all_rows + row_start
    g_sq_mean_2_parts = col_parts + at_row // tall * all_cols + col_start
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    theta_prev_sq_mean = tl.full((), 0.0, COMPUTE)
    g_sq_mean_2 = tl.full((COLS,), 0.0, COMPUTE)
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        theta_prev_sq_mean_block = tl.full((ROWS // 2 if tail else ROWS, COLS), 0.0, COMPUTE)
        g_sq_mean_2_block = tl.full((ROWS // 2 if tail else ROWS, COLS), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            theta_prev = load_tile(theta_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
            theta_prev_sq_mean_block += inside(theta_prev * theta_prev, 0.0, at, height, width, tail, ROWS, COLS)
            # R[t] = R[t - 1] + w[t]*(mean(g[t]**2, cols) - R[t - 1])
            g_sq_mean = tl.sum(inside(g * g, 0.0, at, height, width, tail, ROWS, COLS), 1)
            put_rows(g_sq_mean_parts, g_sq_mean, at, height, tail, ROWS)
            # C[t] = C[t - 1] + w[t]*(mean(g[t]**2, rows) - C[t - 1])
            g_sq_mean_2_block += inside(g * g, 0.0, at, height, width, tail, ROWS, COLS)
        theta_prev_sq_mean += tl.sum(tl.sum(theta_prev_sq_mean_block, 1))
        g_sq_mean_2 += tl.sum(g_sq_mean_2_block, 0)
    tl.store(mine + 0, theta_prev_sq_mean)
    put_cols(g_sq_mean_2_parts, g_sq_mean_2, width, COLS)


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
    R_type: tl.constexpr,
    C_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """U_sq_mean: of one tile of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 7
    elements = tl.load(record + 3)
    its_rows = tl.load(record + 5)
    its_cols = tl.load(record + 6)
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
    its_lines = lines + tl.load(record + 7)
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 8)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    row_values = col_parts + all_cols * down
    R_values = row_values + row_start
    C_values = col_values + col_start
    g_at = stream(gradients + tensor, g_type, start)
    eps1 = tl.load(row + 0)
    U_scale = tl.load(row + 4)
    R_mean = div(summed(its_lines + matrix * blocks + 0, blocks, 1), its_rows.to(COMPUTE), STRICT)
    C = load_cols(C_values, width, COLS, COMPUTE)
    U_sq_mean = tl.full((), 0.0, COMPUTE)
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        U_sq_mean_block = tl.full((ROWS // 2 if tail else ROWS, COLS), 0.0, COMPUTE)
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            R = load_rows(R_values, at, height, tail, ROWS, COMPUTE)
            # U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
            U = div(g, sqrt(maximum(div(R * C, maximum(R_mean, eps1), STRICT), U_scale), STRICT), STRICT)
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
            U_sq_mean_block += inside(U * U, 0.0, at, height, width, tail, ROWS, COLS)
        U_sq_mean += tl.sum(tl.sum(U_sq_mean_block, 1))
    tl.store(mine + 1, U_sq_mean)


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
    R_type: tl.constexpr,
    C_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """theta: of one tile of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 7
    elements = tl.load(record + 3)
    its_rows = tl.load(record + 5)
    its_cols = tl.load(record + 6)
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
    its_parts = parts + tl.load(record + 4) * 2
    its_lines = lines + tl.load(record + 7)
    all_rows = matrices * its_rows
    all_cols = matrices * its_cols
    col_values = planes + tl.load(record + 8)
    row_parts = col_values + all_cols
    col_parts = row_parts + all_rows * across
    row_values = col_parts + all_cols * down
    R_values = row_values + row_start
    C_values = col_values + col_start
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    eps1 = tl.load(row + 0)
    eps2 = tl.load(row + 1)
    rho = tl.load(row + 2)
    U_scale = tl.load(row + 4)
    one_minus_lr_weight_decay = tl.load(row + 5)
    inv_d = tl.load(row + 6)
    theta_prev_sq_mean = div(summed(its_parts + 0, down * across * matrices, 2), elements.to(COMPUTE), STRICT)
    R_mean = div(summed(its_lines + matrix * blocks + 0, blocks, 1), its_rows.to(COMPUTE), STRICT)
    U_sq_mean = div(summed(its_parts + 1, down * across * matrices, 2), elements.to(COMPUTE), STRICT)
    C = load_cols(C_values, width, COLS, COMPUTE)
    # alpha[t] = Max(eps2, rms(theta[t - 1], elems))*rho[t]
    alpha = maximum(eps2, sqrt(theta_prev_sq_mean, STRICT)) * rho
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            theta_prev = load_tile(theta_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            R = load_rows(R_values, at, height, tail, ROWS, COMPUTE)
            # U[t] = g[t]/sqrt(Max(R[t]*C[t]/Max(mean(R[t], rows), eps1), eps1**2))
            U = div(g, sqrt(maximum(div(R * C, maximum(R_mean, eps1), STRICT), U_scale), STRICT), STRICT)
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - alpha[t]/Max(1, rms(U[t], elems)/d)*U[t]
            theta = (
                theta_prev * one_minus_lr_weight_decay
                - div(alpha, maximum(tl.full((), 1, COMPUTE), sqrt(U_sq_mean, STRICT) * inv_d), STRICT) * U
            )
            store_tile(theta_at, theta, at, height, width, its_cols, tail, ROWS, COLS, VEC)


@triton.jit
def _prologue(
    clocks: tl.tensor,
    hypers: tl.tensor,
    scalars: tl.tensor,
    found_inf: tl.tensor,
    count: tl.tensor,
    t_type: tl.constexpr,
    SCALED: tl.constexpr,
    TENSORS: tl.constexpr,
) -> None:
    """The rows of scalars of some tensors, in float64, where counts lie on the device; the count and states go on."""
    tensor = tl.program_id(0) * TENSORS + tl.arange(0, TENSORS)
    there = tensor < count
    clock = clocks + tensor * 2
    hyper = hypers + tl.load(clock, there, 0) * 6
    row = scalars + tensor * 7
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta2_decay = number(hyper + 1, there)
    eps1 = number(hyper + 2, there)
    eps2 = number(hyper + 3, there)
    d = number(hyper + 4, there)
    weight_decay = number(hyper + 5, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    rho = minimum(lr, 1 / tl.sqrt(t))
    w = power(t, beta2_decay)
    U_scale = eps1 * eps1
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    inv_d = 1 / d
    put(row + 0, eps1, there)
    put(row + 1, eps2, there)
    put(row + 2, rho, there)
    put(row + 3, w, there)
    put(row + 4, U_scale, there)
    put(row + 5, one_minus_lr_weight_decay, there)
    put(row + 6, inv_d, there)
    put(t_at, t, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.each_line(_lines_1)
    launches.each_chunk(_phase_2)
    launches.each_chunk(_phase_3)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(
        ("row", "col"), parts=2, shares=0, common=0,
        tiles=Tiles(lines=1, row_parts=1, col_parts=1, row_values=1, col_values=1)
    )
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
