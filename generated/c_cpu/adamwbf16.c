/* AdamWBF16. Written by optgen 0.1.0 (format 1) from rules/adamwbf16.py; do not edit.
 *
 *     optgen build adamwbf16 --backend c
 *
 * AdamW for bfloat16 parameters, rounded stochastically. Zamirai, Zhang, Aberger & De Sa, Revisiting BFloat16
 * Training, 2020. https://arxiv.org/abs/2010.06192. States have the parameter's dtype.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     v_max[t] = Max(v_max[t - 1], v[t])
 *     m_hat[t] = m[t]/(1 - beta1**t)
 *     v_hat[t] = Piecewise((v_max[t], amsgrad), (v[t], True))/(1 - beta2**t)
 *     theta[t] = theta[t - 1] - lr*(m_hat[t]/(sqrt(v_hat[t]) + eps) + weight_decay*theta[t - 1])
 *     with theta as bf16_sr
 */
#define STORED 4
#define SCALARS 11
#define UNIT 8
#include "_numbers.h"
#include "_walk.h"
#include "_parameters.h"
#define HELD JOIN(IS_, theta_type)

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -Dv_max_type=fp32 -DAMSGRAD=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    v_type *v_at = (v_type *)tensor->at[2] + start;
    #if AMSGRAD
        v_max_type *v_max_at = (v_max_type *)tensor->at[3] + start;
    #endif
    #if HELD
        union chance chance;
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
    #if HELD
        const uint16_t *theta_chance = draw(&chance, tensor, row[9], row[10], start, count);
    #endif
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        #if AMSGRAD
            const real v_max_prev = load(v_max_type, v_max_at + i);
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
        #if HELD
            store_stochastic(theta_at + i, theta, theta_chance[i]);
        #else
            store(theta_type, theta_at + i, theta);
        #endif
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
        #if AMSGRAD
            store(v_max_type, v_max_at + i, v_max);
        #endif
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
