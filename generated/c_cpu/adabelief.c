/* AdaBelief. Written by optgen 0.1.0 (format 1) from rules/adabelief.py; do not edit.
 *
 *     optgen build adabelief --backend c
 *
 * Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris & Duncan, AdaBelief Optimizer: Adapting Stepsizes by the Belief
 * in Observed Gradients, NeurIPS 2020, https://arxiv.org/abs/2010.07468, Algorithm 2. Numbers as
 * pytorch_optimizer.AdaBelief.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     s[t] = (beta2*s[t - 1] + (1 - beta2)*(g[t] - m[t])**2) + eps
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(s[t])/sqrt(1 - beta2**t) + eps))
 */
#define STORED 3
#define SCALARS 8
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Ds_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    s_type *s_at = (s_type *)tensor->at[2] + start;
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
        const real s_prev = load(s_type, s_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // s[t] = (beta2*s[t - 1] + (1 - beta2)*(g[t] - m[t])**2) + eps
        const real s_base = g - m;
        const real s = beta2 * s_prev + one_minus_beta2 * (s_base * s_base) + eps;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr/(1 - beta1**t)*(m[t]/(sqrt(s[t])/sqrt(1 -
        //     beta2**t) + eps))
        const real theta = theta_prev * one_minus_lr_weight_decay -
            lr_over_one_minus_beta1_t * (m / (sqrt(s) * inv_sqrt_one_minus_beta2_t + eps));
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(s_type, s_at + i, s);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
