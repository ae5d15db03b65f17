/* DiffGrad. Written by optgen 0.1.0 (format 1) from rules/diffgrad.py; do not edit.
 *
 *     optgen build diffgrad --backend c
 *
 * Dubey, Chakraborty, Roy, Mukherjee, Singh & Chaudhuri, diffGrad: An Optimization Method for Convolutional Neural
 * Networks, IEEE TNNLS 31(11), 2020, https://arxiv.org/abs/1909.11015, equations 9 to 12. Numbers as
 * pytorch_optimizer.DiffGrad, which adds 1e-15 to v.
 *
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
 *     xi[t] = 1/(1 + exp(-Abs(g_old[t - 1] - g[t])))
 *     g_old[t] = g[t]
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(1 - beta2**t)/(1 - beta1**t)*(xi[t]*m[t]/(sqrt(v[t] +
 *         1.0e-15) + eps))
 */
#define STORED 4
#define SCALARS 7
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -Dg_old_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    v_type *v_at = (v_type *)tensor->at[2] + start;
    g_old_type *g_old_at = (g_old_type *)tensor->at[3] + start;
    const real beta1 = (real)row[0];
    const real beta2 = (real)row[1];
    const real eps = (real)row[2];
    const real one_minus_beta1 = (real)row[3];
    const real one_minus_beta2 = (real)row[4];
    const real one_minus_lr_weight_decay = (real)row[5];
    const real theta_scale = (real)row[6];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        const real g_old_prev = load(g_old_type, g_old_at + i);
        // m[t] = beta1*m[t - 1] + (1 - beta1)*g[t]
        const real m = beta1 * m_prev + one_minus_beta1 * g;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*g[t]**2
        const real v = beta2 * v_prev + one_minus_beta2 * (g * g);
        // xi[t] = 1/(1 + exp(-Abs(g_old[t - 1] - g[t])))
        const real xi = 1 / (1 + exponential(-fabs(g_old_prev - g)));
        // g_old[t] = g[t]
        const real g_old = g;
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*sqrt(1 - beta2**t)/(1 -
        //     beta1**t)*(xi[t]*m[t]/(sqrt(v[t] + 1.0e-15) + eps))
        const real theta = theta_prev * one_minus_lr_weight_decay -
            theta_scale * (xi * m / (sqrt(v + (real)1e-15) + eps));
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
        store(g_old_type, g_old_at + i, g_old);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
