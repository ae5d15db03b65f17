"""AdamMini. Written by optgen 0.1.0 (format 1) from rules/adammini.py; do not edit.

    optgen build adammini --backend triton

Zhang, Chen, Li, Ding, Wu, Kingma, Ye, Luo & Sun, Adam-mini: Use Fewer Learning Rates To Gain More, ICLR 2025,
https://arxiv.org/abs/2406.16793, Algorithm 1, with a block for each row of a matrix and one for any other tensor.
Numbers as adam_mini.Adam_mini for MLPs, values, projections, embeddings, outputs and normalisation; it has a block
for each head of queries and keys, and for each element of a bias.

    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
    and for parameters of other shapes, as another rule:
    m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
    v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, elems)
    theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) + eps)*m[t]
"""

from __future__ import annotations

from collections.abc import Mapping

import triton
import triton.language as tl

from ._device import address, chunk_of, div, number, one_minus_power, put, row_of, sqrt, stream, tensor_of, truth
from ._matrices import Tiles
from ._matrix_tiles import (
    LINE,
    inside,
    lines_summed,
    load_lines,
    load_rows,
    load_tile,
    put_lines,
    put_rows,
    store_tile,
    whole_rows,
)
from ._phases import Form, Launches
from ._runtime import Launcher, Names

# A record holds the addresses of the parameter and these states; a row of scalars holds these.
STATES: tuple[str, ...] = ("m", "vmean")
SCALARS = (
    "beta1",
    "beta2",
    "eps",
    "one_minus_beta1",
    "one_minus_beta2",
    "one_minus_lr_weight_decay",
    "lr_over_one_minus_beta1_t",
    "inv_sqrt_one_minus_beta2_t",
)
# A clock holds the number of a row of these hyperparameters, the addresses of the count and these states, and these.
HYPERS: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay")
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
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """v: of some rows or columns of one matrix."""
    word = tl.load(words + tl.program_id(0))
    tensor = tensor_of(word)
    record = records + tensor * 16
    row = scalars + row_of(word) * 8
    elements = tl.load(record + 3)
    its_rows = tl.load(record + 5)
    its_cols = tl.load(record + 6)
    matrices = elements // (its_rows * its_cols)
    across = tl.cdiv(its_cols, COLS)
    row_blocks = tl.cdiv(its_rows, LINE)
    blocks = row_blocks + tl.cdiv(its_cols, LINE)
    matrix = chunk_of(word) // blocks
    block = chunk_of(word) % blocks
    goes = ~truth(found_inf) if SCALED else tl.full((), 1, tl.int1)
    all_rows = matrices * its_rows
    col_values = planes + tl.load(record + 8)
    row_parts = col_values
    col_parts = row_parts + all_rows * across
    row_values = col_parts
    g_sq_mean_parts = row_parts
    v_values = row_values
    v_at = stream(record + 2, v_type, 0)
    beta2 = tl.load(row + 1)
    one_minus_beta2 = tl.load(row + 4)
    if block < row_blocks:
        line = block * LINE + tl.arange(0, LINE)
        there = line < its_rows
        line += matrix * its_rows
        g_sq_mean = div(lines_summed(g_sq_mean_parts, line, there, across, all_rows), its_cols.to(COMPUTE), STRICT)
        v_prev = load_lines(v_at, line, there, COMPUTE)
        # v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
        v = beta2 * v_prev + one_minus_beta2 * g_sq_mean
        put_lines(v_values, line, v, there)
        put_lines(v_at, line, v, there & goes)


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
    m_type: tl.constexpr,
    v_type: tl.constexpr,
    ROUNDS: tl.constexpr,
    MAXIMIZE: tl.constexpr,
    SCALED: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    VEC: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """g_sq_mean: of one tile of one matrix."""
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
    start = row_start * its_cols + at_col
    height = tl.minimum(its_rows - at_row, tall).to(tl.int32)
    width = tl.minimum(its_cols - at_col, COLS).to(tl.int32)
    if SCALED:
        height = tl.where(truth(found_inf), 0, height)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    all_rows = matrices * its_rows
    col_values = planes + tl.load(record + 8)
    row_parts = col_values
    g_sq_mean_parts = row_parts + at_col // COLS * all_rows + row_start
    g_at = stream(gradients + tensor, g_type, start)
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            # v[t] = beta2*v[t - 1] + (1 - beta2)*mean(g[t]**2, cols)
            g_sq_mean = tl.sum(inside(g * g, 0.0, at, height, width, tail, ROWS, COLS), 1)
            put_rows(g_sq_mean_parts, g_sq_mean, at, height, tail, ROWS)


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
    m_type: tl.constexpr,
    v_type: tl.constexpr,
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
    row = scalars + row_of(word) * 8
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
    start = row_start * its_cols + at_col
    height = tl.minimum(its_rows - at_row, tall).to(tl.int32)
    width = tl.minimum(its_cols - at_col, COLS).to(tl.int32)
    if SCALED:
        height = tl.where(truth(found_inf), 0, height)
    factor = div(1.0, tl.load(grad_scale).to(COMPUTE), True) if SCALED else 1.0
    all_rows = matrices * its_rows
    col_values = planes + tl.load(record + 8)
    row_parts = col_values
    col_parts = row_parts + all_rows * across
    row_values = col_parts
    v_values = row_values + row_start
    theta_at = stream(record + 0, theta_type, start)
    g_at = stream(gradients + tensor, g_type, start)
    m_at = stream(record + 1, m_type, start)
    beta1 = tl.load(row + 0)
    eps = tl.load(row + 2)
    one_minus_beta1 = tl.load(row + 3)
    one_minus_lr_weight_decay = tl.load(row + 5)
    lr_over_one_minus_beta1_t = tl.load(row + 6)
    inv_sqrt_one_minus_beta2_t = tl.load(row + 7)
    whole = whole_rows(word, height, width, ROWS, COLS)
    for tail in tl.static_range(2):
        for at in tl.range(whole if tail else 0, height if tail else whole, ROWS // 2 if tail else ROWS, num_stages=1):
            theta_prev = load_tile(theta_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            g = load_tile(g_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            if SCALED:
                g = factor * g
            if MAXIMIZE:
                g = -g
            m_prev = load_tile(m_at, at, height, width, its_cols, tail, ROWS, COLS, VEC, COMPUTE)
            v = load_rows(v_values, at, height, tail, ROWS, COMPUTE)
            # m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
            m = beta1 * m_prev + one_minus_beta1 * g
            # theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)/(sqrt(v[t])/sqrt(1 - beta2**t) +
            #     eps)*m[t]
            theta = (
                theta_prev * one_minus_lr_weight_decay
                - div(lr_over_one_minus_beta1_t, sqrt(v, STRICT) * inv_sqrt_one_minus_beta2_t + eps, STRICT) * m
            )
            store_tile(theta_at, theta, at, height, width, its_cols, tail, ROWS, COLS, VEC)
            store_tile(m_at, m, at, height, width, its_cols, tail, ROWS, COLS, VEC)


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
    hyper = hypers + tl.load(clock, there, 0) * 5
    row = scalars + tensor * 8
    goes = there & ~truth(found_inf) if SCALED else there
    lr = number(hyper + 0, there)
    beta1 = number(hyper + 1, there)
    beta2 = number(hyper + 2, there)
    eps = number(hyper + 3, there)
    weight_decay = number(hyper + 4, there)
    t_at = address(clock + 1, t_type, there)
    t = number(t_at, there) + 1
    one_minus_beta1 = 1 - beta1
    one_minus_beta2 = 1 - beta2
    one_minus_lr_weight_decay = 1 - lr * weight_decay
    lr_over_one_minus_beta1_t = lr / one_minus_power(beta1, t)
    inv_sqrt_one_minus_beta2_t = 1 / tl.sqrt(one_minus_power(beta2, t))
    put(row + 0, beta1, there)
    put(row + 1, beta2, there)
    put(row + 2, eps, there)
    put(row + 3, one_minus_beta1, there)
    put(row + 4, one_minus_beta2, there)
    put(row + 5, one_minus_lr_weight_decay, there)
    put(row + 6, lr_over_one_minus_beta1_t, there)
    put(row + 7, inv_sqrt_one_minus_beta2_t, there)
    put(t_at, t, goes)


def flags() -> dict[str, bool]:
    """The variant of the kernel that a parameter group needs."""
    return {}


def _launches(launches: Launches, flags: Mapping[str, bool], rounds: bool) -> None:
    """What a step launches, one after the other. rounds: whether a stored state may differ from the computed one."""
    launches.each_chunk(_phase_1)
    launches.each_line(_lines_1)
    launches.each_chunk(_phase_2)


def launcher() -> Launcher:
    """A launcher for a set of tensors that step together."""
    form = Form(
        ("element", "row"), parts=0, shares=0, common=0,
        tiles=Tiles(lines=0, row_parts=1, col_parts=0, row_values=1, col_values=0)
    )
    return Launcher(_launches, _prologue, Names(SCALARS, HYPERS, KEPT, TOLD), form)
