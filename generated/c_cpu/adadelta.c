/* Adadelta. Written by optgen 0.1.0 (format 1) from rules/adadelta.py; do not edit.
 *
 *     optgen build adadelta --backend c
 *
 * Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, https://arxiv.org/abs/1212.5701, Algorithm 1. Numbers as
 * torch.optim.Adadelta.
 *
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
 *     v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
 *     d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
 *     u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
 *     theta[t] = theta[t - 1] - lr*d[t]
 */
#define STORED 3
#define SCALARS 5
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dv_type=fp32 -Du_type=fp32 -DHAS_WEIGHT_DECAY=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    v_type *v_at = (v_type *)tensor->at[1] + start;
    u_type *u_at = (u_type *)tensor->at[2] + start;
    const real lr = (real)row[0];
    const real rho = (real)row[1];
    const real eps = (real)row[2];
    #if HAS_WEIGHT_DECAY
        const real weight_decay = (real)row[3];
    #endif
    const real one_minus_rho = (real)row[4];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real v_prev = load(v_type, v_at + i);
        const real u_prev = load(u_type, u_at + i);
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        #if HAS_WEIGHT_DECAY
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        // v[t] = rho*v[t - 1] + (1 - rho)*g_wd[t]**2
        const real v = rho * v_prev + one_minus_rho * (g_wd * g_wd);
        // d[t] = sqrt(u[t - 1] + eps)/sqrt(v[t] + eps)*g_wd[t]
        const real d = sqrt(u_prev + eps) / sqrt(v + eps) * g_wd;
        // u[t] = rho*u[t - 1] + (1 - rho)*d[t]**2
        const real u = rho * u_prev + one_minus_rho * (d * d);
        // theta[t] = theta[t - 1] - lr*d[t]
        const real theta = theta_prev - lr * d;
        store(theta_type, theta_at + i, theta);
        store(v_type, v_at + i, v);
        store(u_type, u_at + i, u);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
