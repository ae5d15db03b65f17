/* Adan. Written by optgen 0.1.0 (format 1) from rules/adan.py; do not edit.
 *
 *     optgen build adan --backend c
 *
 * Xie, Zhou, Li, Lin & Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster Optimizing Deep Models, TPAMI 2024,
 * https://arxiv.org/abs/2208.06677, Algorithm 1. Numbers as timm.optim.Adan.
 *
 *     change[t] = g[t] - g[t - 1]
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
 *     n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
 *     D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
 *     u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
 *     theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1 +
 *         lr*weight_decay), True))
 */
#define STORED 5
#define SCALARS 12
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dd_type=fp32 -Dn_type=fp32 -Dg_prev_type=fp32
 * -DNO_PROX=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    d_type *d_at = (d_type *)tensor->at[2] + start;
    n_type *n_at = (n_type *)tensor->at[3] + start;
    g_prev_type *g_prev_at = (g_prev_type *)tensor->at[4] + start;
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real beta3 = (real)row[2];
    const real eps = (real)row[3];
    const real one_minus_beta1 = (real)row[4];
    const real one_minus_beta2 = (real)row[5];
    const real one_minus_beta3 = (real)row[6];
    const real inv_sqrt_one_minus_beta3_t = (real)row[7];
    const real lr_over_one_minus_beta1_t = (real)row[8];
    const real lr_beta2_over_one_minus_beta2_t = (real)row[9];
    #if NO_PROX
        const real one_minus_lr_weight_decay = (real)row[11];
    #else
        const real inv_one_plus_lr_weight_decay = (real)row[10];
    #endif
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real d_prev = load(d_type, d_at + i);
        const real n_prev = load(n_type, n_at + i);
        const real g_prev = load(g_prev_type, g_prev_at + i);
        // change[t] = g[t] - g[t - 1]
        const real change = g - g_prev;
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // d[t] = beta2*d[t - 1] + (1 - beta2)*change[t]
        const real d = beta2 * d_prev + one_minus_beta2 * change;
        // n[t] = beta3*n[t - 1] + (1 - beta3)*(g[t] + beta2*change[t])**2
        const real n_base = g + beta2 * change;
        const real n = beta3 * n_prev + one_minus_beta3 * (n_base * n_base);
        // D[t] = sqrt(n[t])/sqrt(1 - beta3**t) + eps
        const real D = sqrt(n) * inv_sqrt_one_minus_beta3_t + eps;
        // u[t] = lr/(1 - beta1**t)*(m[t]/D[t]) + lr*beta2/(1 - beta2**t)*(d[t]/D[t])
        const real u = lr_over_one_minus_beta1_t * (m / D) + lr_beta2_over_one_minus_beta2_t * (d / D);
        // theta[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay) - u[t], no_prox), ((theta[t - 1] - u[t])/(1
        //     + lr*weight_decay), True))
        #if NO_PROX
            const real theta = theta_prev * one_minus_lr_weight_decay - u;
        #else
            const real theta = (theta_prev - u) * inv_one_plus_lr_weight_decay;
        #endif
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(d_type, d_at + i, d);
        store(n_type, n_at + i, n);
        store(g_prev_type, g_prev_at + i, g);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
