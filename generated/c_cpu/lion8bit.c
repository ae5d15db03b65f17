/* Lion8bit. Written by optgen 0.1.0 (format 1) from rules/lion8bit.py; do not edit.
 *
 *     optgen build lion8bit --backend c
 *
 * Lion with an 8-bit state. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization,
 * ICLR 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.Lion8bit.
 *
 *     u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
 *     m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
 *     with every state as int8, of parameters with at least 4096 elements
 */
#define STORED 3
#define SCALARS 6
#define UNIT 256
#include "_numbers.h"
#include "_walk.h"
#include "_codes.h"
#include "_int8.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    real m_values[BLOCK];
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real one_minus_beta1 = (real)row[3];
    const real one_minus_beta2 = (real)row[4];
    const real one_minus_lr_weight_decay = (real)row[5];
    load_int8_signed(m_values, tensor->at[1], tensor->at[2], start, count);
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = m_values[i];
        // u[t] = sign(beta1*m[t - 1] + (1 - beta1)*g[t])
        const real u = sign(beta1 * m_prev + one_minus_beta1 * g);
        // m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]
        const real m = beta2 * m_prev + one_minus_beta2 * g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*u[t]
        const real theta = theta_prev * one_minus_lr_weight_decay - lr * u;
        store(theta_type, theta_at + i, theta);
        m_values[i] = m;
    }
    store_int8_signed(m_values, tensor->at[1], tensor->at[2], start, count);
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
