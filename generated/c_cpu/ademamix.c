/* AdEMAMix. Written by optgen 0.1.0 (format 1) from rules/ademamix.py; do not edit.
 *
 *     optgen build ademamix --backend c
 *
 * Pagliardini, Ablin & Grangier, The AdEMAMix Optimizer: Better, Faster, Older, ICLR 2025,
 * https://arxiv.org/abs/2409.03137, Algorithm 1. Numbers as pytorch_optimizer.AdEMAMix(weight_decouple=True).
 *
 *     A[t] = Piecewise((Min(t*alpha/t_alpha_beta3, alpha), t_alpha_beta3 > 0), (alpha, True))
 *     B[t] = Piecewise((Min(exp(log(beta1)*log(beta3)/((1 - t/t_alpha_beta3)*log(beta3) +
 *         t/t_alpha_beta3*log(beta1))), beta3), t_alpha_beta3 > 0), (beta3, True))
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) + A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 -
 *         beta2**t) + eps))
 */
#define STORED 4
#define SCALARS 12
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -Dm_slow_type=fp32
 * -DT_ALPHA_BETA3_ABOVE_0=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    v_type *v_at = (v_type *)tensor->at[2] + start;
    m_slow_type *m_slow_at = (m_slow_type *)tensor->at[3] + start;
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    const real A = (real)row[4];
    const real B = (real)row[5];
    const real one_minus_beta1 = (real)row[6];
    const real one_minus_beta2 = (real)row[7];
    const real one_minus_B = (real)row[8];
    const real one_minus_lr_weight_decay = (real)row[9];
    const real inv_one_minus_beta1_t = (real)row[10];
    const real inv_sqrt_one_minus_beta2_t = (real)row[11];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        const real m_slow_prev = load(m_slow_type, m_slow_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g * g);
        // m_slow[t] = B[t]*m_slow[t - 1] + (1 - B[t])*g[t]
        const real m_slow = B * m_slow_prev + one_minus_B * g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*((m[t]/(1 - beta1**t) +
        //     A[t]*m_slow[t])/(sqrt(v[t])/sqrt(1 - beta2**t) + eps))
        const real theta = theta_prev * one_minus_lr_weight_decay -
            lr * ((m * inv_one_minus_beta1_t + A * m_slow) / (sqrt(v) * inv_sqrt_one_minus_beta2_t + eps));
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
        store(m_slow_type, m_slow_at + i, m_slow);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
