/* NAdamW. Written by optgen 0.1.0 (format 1) from rules/nadamw.py; do not edit.
 *
 *     optgen build nadamw --backend c
 *
 * Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
 * https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ, with decoupled weight decay as in Dahl et al., Benchmarking
 * Neural Network Training Algorithms, 2023, https://arxiv.org/abs/2306.07179. Numbers as timm.optim.NAdamW.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     m_ahead[t] = beta1*m[t] + (1 - beta1)*g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m_ahead[t]/(sqrt(v[t])/sqrt(1 - beta2**t) +
 *         eps))
 */
#define STORED 3
#define SCALARS 8
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    v_type *v_at = (v_type *)tensor->at[2] + start;
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real eps = (real)row[2];
    const real one_minus_beta1 = (real)row[3];
    const real one_minus_beta2 = (real)row[4];
    const real one_minus_lr_weight_decay = (real)row[5];
    const real lr_over_one_minus_beta1_t = (real)row[6];
    const real inv_sqrt_one_minus_beta2_t = (real)row[7];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g * g);
        // m_ahead[t] = beta1*m[t] + (1 - beta1)*g[t]
        const real m_ahead = beta1 * m + one_minus_beta1 * g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m_ahead[t]/(sqrt(v[t])/sqrt(1 -
        //     beta2**t) + eps))
        const real theta = theta_prev * one_minus_lr_weight_decay -
            lr_over_one_minus_beta1_t * (m_ahead / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps));
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
