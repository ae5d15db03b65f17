/* QHAdam. Written by optgen 0.1.0 (format 1) from rules/qhadam.py; do not edit.
 *
 *     optgen build qhadam --backend c
 *
 * Ma & Yarats, Quasi-hyperbolic momentum and Adam for deep learning, ICLR 2019, https://arxiv.org/abs/1810.06801,
 * equations 17 to 20. Numbers as pytorch_optimizer.QHAdam with weight_decouple=True.
 *
 *     w1[t] = beta1*w1[t - 1] + 1
 *     w2[t] = beta2*w2[t - 1] + 1
 *     m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
 *     v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
 *     u[t] = nu1*m[t] + (1 - nu1)*g[t]
 *     s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
 *     theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
 */
#define STORED 3
#define SCALARS 9
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
    const real lr = (real)row[0];
    const real nu1 = (real)row[1];
    const real nu2 = (real)row[2];
    const real eps = (real)row[3];
    const real inv_w1 = (real)row[4];
    const real inv_w2 = (real)row[5];
    const real one_minus_nu1 = (real)row[6];
    const real one_minus_nu2 = (real)row[7];
    const real one_minus_lr_weight_decay = (real)row[8];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // m[t] = m[t - 1] + (g[t] - m[t - 1])/w1[t]
        const real m = m_prev + (g - m_prev) * inv_w1;
        // v[t] = v[t - 1] + (g[t]**2 - v[t - 1])/w2[t]
        const real v = v_prev + (g * g - v_prev) * inv_w2;
        // u[t] = nu1*m[t] + (1 - nu1)*g[t]
        const real u = nu1 * m + one_minus_nu1 * g;
        // s[t] = nu2*v[t] + (1 - nu2)*g[t]**2
        const real s = nu2 * v + one_minus_nu2 * (g * g);
        // theta[t] = theta[t - 1]*(1 - lr*weight_decay) - lr*(u[t]/(sqrt(s[t]) + eps))
        const real theta = theta_prev * one_minus_lr_weight_decay - lr * (u / (sqrt(s) + eps));
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
