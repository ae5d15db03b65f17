/* Adagrad. Written by optgen 0.1.0 (format 1) from rules/adagrad.py; do not edit.
 *
 *     optgen build adagrad --backend c
 *
 * Duchi, Hazan & Singer, Adaptive Subgradient Methods for Online Learning and Stochastic Optimization, JMLR 2011.
 * https://jmlr.org/papers/v12/duchi11a.html, Figure 1. Numbers as torch.optim.Adagrad.
 *
 *     eta[t] = lr/(1 + (t - 1)*lr_decay)
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
 *     G[t] = G[t - 1] + g_wd[t]**2
 *     theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
 */
#define STORED 2
#define SCALARS 3
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -DG_type=fp32 -DHAS_WEIGHT_DECAY=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    G_type *G_at = (G_type *)tensor->at[1] + start;
    #if HAS_WEIGHT_DECAY
        const real weight_decay = (real)row[0];
    #endif
    const real eps = (real)row[1];
    const real eta = (real)row[2];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real G_prev = load(G_type, G_at + i);
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        #if HAS_WEIGHT_DECAY
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        // G[t] = G[t - 1] + g_wd[t]**2
        const real G = G_prev + g_wd * g_wd;
        // theta[t] = theta[t - 1] - eta[t]*(g_wd[t]/(sqrt(G[t]) + eps))
        const real theta = theta_prev - eta * (g_wd / (sqrt(G) + eps));
        store(theta_type, theta_at + i, theta);
        store(G_type, G_at + i, G);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
