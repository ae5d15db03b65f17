/* RAdam. Written by optgen 0.1.0 (format 1) from rules/radam.py; do not edit.
 *
 *     optgen build radam --backend c
 *
 * Liu, Jiang, He, Chen, Liu, Gao & Han, On the Variance of the Adaptive Learning Rate and Beyond, ICLR 2020,
 * https://arxiv.org/abs/1908.03265, Algorithm 2. Numbers as torch.optim.RAdam.
 *
 *     theta_wd[t] = Piecewise((theta[t - 1]*(1 - lr*weight_decay), decoupled_weight_decay & Ne(weight_decay, 0)),
 *         (theta[t - 1], True))
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], ~decoupled_weight_decay & Ne(weight_decay, 0)), (g[t],
 *         True))
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*g_wd[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*g_wd[t]**2
 *     m_hat[t] = m[t]/(1 - beta1**t)
 *     rho_inf[t] = 2/(1 - beta2) - 1
 *     rho[t] = rho_inf[t] - 2*t*beta2**t/(1 - beta2**t)
 *     r[t] = Piecewise((sqrt((rho[t] - 4)*(rho[t] - 2)*rho_inf[t]/((rho_inf[t] - 4)*(rho_inf[t] - 2)*rho[t])), rho[t]
 *         > 5), (1, True))
 *     u[t] = Piecewise((r[t]*sqrt(1 - beta2**t)/(sqrt(v[t]) + eps), rho[t] > 5), (1, True))
 *     theta[t] = theta_wd[t] - lr*m_hat[t]*u[t]
 */
#define STORED 3
#define SCALARS 11
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
    const real lr = (real)row[0];
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    #if HAS_WEIGHT_DECAY
        #if DECOUPLED_WEIGHT_DECAY
            const real one_minus_lr_weight_decay = (real)row[5];
        #else
            const real weight_decay = (real)row[4];
        #endif
    #endif
    const real one_minus_beta1 = (real)row[6];
    const real one_minus_beta2 = (real)row[7];
    const real inv_one_minus_beta1_t = (real)row[8];
    const int rho_gt_5 = row[9] != 0;
    const real r_sqrt_one_minus_beta2_t = (real)row[10];
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
        // m_hat[t] = m[t]/(1 - beta1**t)
        const real m_hat = m * inv_one_minus_beta1_t;
        // u[t] = Piecewise((r[t]*sqrt(1 - beta2**t)/(sqrt(v[t]) + eps), rho[t] > 5), (1, True))
        const real u = (rho_gt_5 ? r_sqrt_one_minus_beta2_t / (sqrt(v) + eps) : (real)1);
        // theta[t] = theta_wd[t] - lr*m_hat[t]*u[t]
        const real theta = theta_wd - lr * m_hat * u;
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
