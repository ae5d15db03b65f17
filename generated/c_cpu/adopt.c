/* ADOPT. Written by optgen 0.1.0 (format 1) from rules/adopt.py; do not edit.
 *
 *     optgen build adopt --backend c
 *
 * Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa & Matsuo, ADOPT: Modified Adam Can
 * Converge with Any beta2 with the Optimal Rate, NeurIPS 2024, https://arxiv.org/abs/2411.02853, Algorithm 2. Numbers
 * as timm.optim.Adopt(clip_exp=0.25).
 *
 *     theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)), (theta[t - 1],
 *         True))
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t], True))
 *     c[t] = (t - 1)**0.25
 *     n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
 *     m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
 *     v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
 *     theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
 */
#define STORED 3
#define SCALARS 11
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -DHAS_WEIGHT_DECAY=0 -DDECOUPLED=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    m_type *m_at = (m_type *)tensor->at[1] + start;
    v_type *v_at = (v_type *)tensor->at[2] + start;
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    #if HAS_WEIGHT_DECAY && !DECOUPLED
        const real weight_decay = (real)row[4];
    #endif
    const real c = (real)row[5];
    #if HAS_WEIGHT_DECAY && DECOUPLED
        const real one_minus_lr_weight_decay = (real)row[6];
    #endif
    const real n_scale = (real)row[7];
    const int t_eq_one = row[8] != 0;
    const real one_minus_beta1 = (real)row[9];
    const real one_minus_beta2 = (real)row[10];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled & Ne(weight_decay, 0)),
        //     (theta[t - 1], True))
        #if HAS_WEIGHT_DECAY && DECOUPLED
            const real theta_wd = theta_prev * one_minus_lr_weight_decay;
        #else
            const real theta_wd = theta_prev;
        #endif
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled & Ne(weight_decay, 0)), (g[t],
        //     True))
        #if DECOUPLED || !HAS_WEIGHT_DECAY
            const real g_wd = g;
        #else
            const real g_wd = g + weight_decay * theta_prev;
        #endif
        // n[t] = Min(Max(g_wd[t]/Max(sqrt(v[t - 1]), eps), -c[t]), c[t])
        const real n = minimum(maximum(g_wd / maximum(sqrt(v_prev), eps), n_scale), c);
        // m[t] = Piecewise((m[t - 1], Eq(t, 1)), (beta1*m[t - 1] + (1 - beta1)*n[t], True))
        const real m = (t_eq_one ? m_prev : beta1 * m_prev + one_minus_beta1 * n);
        // v[t] = Piecewise((g_wd[t]**2, Eq(t, 1)), (beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2, True))
        const real v = (t_eq_one ? g_wd * g_wd : beta2 * v_prev + one_minus_beta2 * (g_wd * g_wd));
        // theta[t] = Piecewise((theta[t - 1], Eq(t, 1)), (theta_wd[t] - lr*m[t], True))
        const real theta = (t_eq_one ? theta_prev : theta_wd - lr * m);
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
