/* ASGD. Written by optgen 0.1.0 (format 1) from rules/asgd.py; do not edit.
 *
 *     optgen build asgd --backend c
 *
 * Polyak & Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control Optim. 30(4), 1992,
 * https://doi.org/10.1137/0330046. Numbers as torch.optim.ASGD; the average is the state `ax`.
 *
 *     g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
 *     theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
 *     ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
 *     eta[t] = lr/(1 + lambd*lr*t)**alpha
 *     mu[t] = 1/Max(1, t - t0)
 */
#define STORED 2
#define SCALARS 5
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dax_type=fp32 -DHAS_WEIGHT_DECAY=0
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    ax_type *ax_at = (ax_type *)tensor->at[1] + start;
    #if HAS_WEIGHT_DECAY
        const real weight_decay = (real)row[0];
    #endif
    const real eta_prev = (real)row[1];
    const real mu_prev = (real)row[2];
    const real one_minus_lambd_eta_prev = (real)row[3];
    const int mu_prev_eq_one = row[4] != 0;
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real ax_prev = load(ax_type, ax_at + i);
        // g_wd[t] = Piecewise((g[t] + weight_decay*theta[t - 1], Ne(weight_decay, 0)), (g[t], True))
        #if HAS_WEIGHT_DECAY
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        // theta[t] = theta[t - 1]*(1 - lambd*eta[t - 1]) - eta[t - 1]*g_wd[t]
        const real theta = theta_prev * one_minus_lambd_eta_prev - eta_prev * g_wd;
        // ax[t] = Piecewise((theta[t], Eq(mu[t - 1], 1)), (ax[t - 1] + mu[t - 1]*(theta[t] - ax[t - 1]), True))
        const real ax = (mu_prev_eq_one ? theta : ax_prev + mu_prev * (theta - ax_prev));
        store(theta_type, theta_at + i, theta);
        store(ax_type, ax_at + i, ax);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
