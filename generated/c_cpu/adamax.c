/* Adamax. Written by optgen 0.1.0 (format 1) from rules/adamax.py; do not edit.
 *
 *     optgen build adamax --backend c
 *
 * Kingma & Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, https://arxiv.org/abs/1412.6980, Algorithm 2.
 * Numbers as torch.optim.Adamax.
 *
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
 *     u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
 *     theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
 */
#define STORED 3
#define SCALARS 6
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Du_type=fp32 -DHAS_WEIGHT_DECAY=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    u_type *u_at = (u_type *)tensor->at[2] + start;
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real eps = (real)row[2];
    #if HAS_WEIGHT_DECAY
        const real weight_decay = (real)row[3];
    #endif
    const real one_minus_beta1 = (real)row[4];
    const real lr_over_one_minus_beta1_t = (real)row[5];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real u_prev = load(u_type, u_at + i);
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        #if HAS_WEIGHT_DECAY
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g_wd;
        // u[t] = Max(beta2*u[t - 1], Abs(g_wd[t]) + eps)
        const real u = maximum(beta2 * u_prev, fabs(g_wd) + eps);
        // theta[t] = theta[t - 1] - lr/(1 - beta1**t)*(m[t]/u[t])
        const real theta = theta_prev - lr_over_one_minus_beta1_t * (m / u);
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(u_type, u_at + i, u);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
