/* Rprop. Written by optgen 0.1.0 (format 1) from rules/rprop.py; do not edit.
 *
 *     optgen build rprop --backend c
 *
 * Riedmiller & Braun, A Direct Adaptive Method for Faster Backpropagation Learning, IEEE ICNN 1993,
 * https://doi.org/10.1109/ICNN.1993.298623. Numbers as torch.optim.Rprop.
 *
 *     q[t] = g[t]*g_used[t - 1]
 *     f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
 *     D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
 *     g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
 *     theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
 */
#define STORED 3
#define SCALARS 4
#include "_numbers.h"
#include "_walk.h"

/* Elements start to start + count of one tensor. The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dg_used_type=fp32 -DD_type=fp32
 */
static void span(
    const struct tensor *tensor, const grad_type *grad, const double *row, real factor, int64_t start, int64_t count)
{
    theta_type *theta_at = (theta_type *)tensor->at[0] + start;
    g_used_type *g_used_at = (g_used_type *)tensor->at[1] + start;
    D_type *D_at = (D_type *)tensor->at[2] + start;
    const real eta_minus = (real)row[0];
    const real eta_plus = (real)row[1];
    const real smallest = (real)row[2];
    const real largest_step = (real)row[3];
    #pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real g_used_prev = load(g_used_type, g_used_at + i);
        const real D_prev = load(D_type, D_at + i);
        // q[t] = g[t]*g_used[t - 1]
        const real q = g * g_used_prev;
        // f[t] = Piecewise((eta_plus, q[t] > 0), (eta_minus, q[t] < 0), (1, True))
        const real f = (q > 0 ? eta_plus : (q < 0 ? eta_minus : (real)1));
        // D[t] = Min(Max(D[t - 1]*f[t], smallest), largest_step)
        const real D = minimum(maximum(D_prev * f, smallest), largest_step);
        // g_used[t] = Piecewise((0, q[t] < 0), (g[t], True))
        const real g_used = (q < 0 ? (real)0 : g);
        // theta[t] = theta[t - 1] - sign(g_used[t])*D[t]
        const real theta = theta_prev - sign(g_used) * D;
        store(theta_type, theta_at + i, theta);
        store(g_used_type, g_used_at + i, g_used);
        store(D_type, D_at + i, D);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    return each_span(group, span);
}
