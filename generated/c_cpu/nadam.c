/* NAdam. Written by optgen 0.1.0 (format 1) from rules/nadam.py; do not edit.
 *
 *     optgen build nadam --backend c
 *
 * Dozat, Incorporating Nesterov Momentum into Adam, ICLR Workshop 2016,
 * https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ. Numbers as torch.optim.NAdam.
 *
 *     theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
 *         (theta[t - 1], True))
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
 *         True))
 *     mu[t] = beta1*(1 + (-0.5)*0.96**(t*momentum_decay))
 *     mu_next[t] = beta1*(1 + (-0.5)*0.96**((t + 1)*momentum_decay))
 *     P[t] = P[t - 1]*mu[t]
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
 *     D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
 *     theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
 *         P[t]*mu_next[t])*(m[t]/D[t])
 */
#define STORED 3
#define SCALARS 10
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -DHAS_WEIGHT_DECAY=0
 * -DDECOUPLED_WEIGHT_DECAY=0
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
    #if HAS_WEIGHT_DECAY
        #if DECOUPLED_WEIGHT_DECAY
            const real one_minus_lr_weight_decay = (real)row[4];
        #else
            const real weight_decay = (real)row[3];
        #endif
    #endif
    const real one_minus_beta1 = (real)row[5];
    const real one_minus_beta2 = (real)row[6];
    const real inv_one_minus_beta2_t = (real)row[7];
    const real lr_one_minus_mu_over_one_minus_P = (real)row[8];
    const real theta_scale = (real)row[9];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay &
        //     Ne(weight_decay, 0)), (theta[t - 1], True))
        #if HAS_WEIGHT_DECAY && DECOUPLED_WEIGHT_DECAY
            const real theta_wd = theta_prev * one_minus_lr_weight_decay;
        #else
            const real theta_wd = theta_prev;
        #endif
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay,
        //     0)), (g[t], True))
        #if DECOUPLED_WEIGHT_DECAY || !HAS_WEIGHT_DECAY
            const real g_wd = g;
        #else
            const real g_wd = g + weight_decay * theta_prev;
        #endif
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g_wd;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd);
        // D[t] = sqrt(v[t]/(1 - beta2**t)) + eps
        const real D = sqrt(v * inv_one_minus_beta2_t) + eps;
        // theta[t] = (theta_wd[t] - lr*(1 - mu[t])/(1 - P[t])*(g_wd[t]/D[t])) - lr*mu_next[t]/(1 -
        //     P[t]*mu_next[t])*(m[t]/D[t])
        const real theta = theta_wd - lr_one_minus_mu_over_one_minus_P * (g_wd / D) - theta_scale * (m / D);
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
