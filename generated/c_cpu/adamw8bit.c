/* AdamW8bit. Written by optgen 0.1.0 (format 1) from rules/adamw8bit.py; do not edit.
 *
 *     optgen build adamw8bit --backend c
 *
 * AdamW with 8-bit states. Dettmers, Lewis, Shleifer & Zettlemoyer, 8-bit Optimizers via Block-wise Quantization, ICLR
 * 2022. https://arxiv.org/abs/2110.02861. Formats as bitsandbytes.optim.AdamW8bit.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     v_max[t] = Max(v_max[t - 1], v[t])
 *     m_hat[t] = m[t]/(1 - beta1**t)
 *     v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
 *     theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
 *     with every state as int8, of parameters with at least 4096 elements
 */
#define STORED 7
#define SCALARS 9
#define UNIT 256
#include "_numbers.h"
#include "_walk.h"
#include "_codes.h"
#include "_int8.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -DAMSGRAD=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    real m_values[BLOCK];
    real v_values[BLOCK];
    #if AMSGRAD
        real v_max_values[BLOCK];
    #endif
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    const real weight_decay = (real)row[4];
    const real one_minus_beta1 = (real)row[5];
    const real one_minus_beta2 = (real)row[6];
    const real inv_one_minus_beta1_t = (real)row[7];
    const real inv_one_minus_beta2_t = (real)row[8];
    load_int8_signed(m_values, tensor->at[1], tensor->at[2], start, count);
    load_int8_unsigned(v_values, tensor->at[3], tensor->at[4], start, count);
    #if AMSGRAD
        load_int8_unsigned(v_max_values, tensor->at[5], tensor->at[6], start, count);
    #endif
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = m_values[i];
        const real v_prev = v_values[i];
        #if AMSGRAD
            const real v_max_prev = v_max_values[i];
        #endif
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g * g);
        #if AMSGRAD
            // v_max[t] = Max(v_max[t - 1], v[t])
            const real v_max = maximum(v_max_prev, v);
        #endif
        // m_hat[t] = m[t]/(1 - beta1**t)
        const real m_hat = m * inv_one_minus_beta1_t;
        // v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
        #if AMSGRAD
            const real v_hat = v_max * inv_one_minus_beta2_t;
        #else
            const real v_hat = v * inv_one_minus_beta2_t;
        #endif
        // theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
        const real theta = theta_prev - lr * (m_hat / (sqrt(v_hat) + eps) + weight_decay * theta_prev);
        store(theta_type, theta_at + i, theta);
        m_values[i] = m;
        v_values[i] = v;
        #if AMSGRAD
            v_max_values[i] = v_max;
        #endif
    }
    store_int8_signed(m_values, tensor->at[1], tensor->at[2], start, count);
    store_int8_unsigned(v_values, tensor->at[3], tensor->at[4], start, count);
    #if AMSGRAD
        store_int8_unsigned(v_max_values, tensor->at[5], tensor->at[6], start, count);
    #endif
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
