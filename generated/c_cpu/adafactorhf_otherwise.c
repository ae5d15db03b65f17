/* AdafactorHF. Written by optgen 0.1.0 (format 1) from rules/adafactorhf.py; do not edit.
 *
 *     optgen build adafactorhf --backend c
 *
 * Shazeer & Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, ICML 2018,
 * https://arxiv.org/abs/1804.04235, Algorithms 4 and 5. Numbers as transformers.Adafactor: what is None there is a
 * flag here, lr is read with relative_step=False only, and a vector has a second moment of its own.
 *
 *     rho[t] = Piecewise((Min(1.0e-6*t, 1/(sqrt(t))), warmup_init), (Min(0.01, 1/(sqrt(t))), relative_step), (lr,
 *         True))
 *     eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
 *     beta2[t] = 1 - t**decay_rate
 *     q[t] = g[t]**2 + eps1
 *     v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
 *     u[t] = g[t]/sqrt(v[t])
 *     s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
 *     theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
 */
#define STORED 3
#define SCALARS 11
#define PER_TENSOR 2
#define PER_MATRIX 0
#define PER_ROW 0
#define PER_COL 0
#define PER_TILE 2
#define PER_ROW_PART 0
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dv_type=fp32 -Dm_type=fp32 -DWARMUP_INIT=0 -DRELATIVE_STEP=0
 * -DSCALE_PARAMETER=0 -DUSE_FIRST_MOMENT=0
 */

/* u_sq_mean, theta_prev_sq_mean: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    #if SCALE_PARAMETER
        theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    #endif
    v_type *v_at = (v_type *)tensor->at[1] + part->start;
    const real eps1 = (real)row[0];
    const real beta2 = (real)row[5];
    const real one_minus_beta2 = (real)row[6];
    #if SCALE_PARAMETER
        real *theta_prev_sq_mean_parts = tile_parts(tensor, values, 1) + part->tile;
        real theta_prev_sq_mean = 0;
    #endif
    real *u_sq_mean_parts = tile_parts(tensor, values, 0) + part->tile;
    real u_sq_mean = 0;
    #if SCALE_PARAMETER
        #pragma omp simd reduction(+ : theta_prev_sq_mean, u_sq_mean)
    #else
        #pragma omp simd reduction(+ : u_sq_mean)
    #endif
    for (int64_t i = 0; i < length; i++) {
        #if SCALE_PARAMETER
            const real theta_prev = load(theta_type, theta_at + i);
        #endif
        const real g = factor * load(grad_type, grad + i);
        const real v_prev = load(v_type, v_at + i);
        #if SCALE_PARAMETER
            // eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
            theta_prev_sq_mean += theta_prev * theta_prev;
        #endif
        // q[t] = g[t]**2 + eps1
        const real q = g * g + eps1;
        // v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
        const real v = beta2 * v_prev + one_minus_beta2 * q;
        // u[t] = g[t]/sqrt(v[t])
        const real u = g / sqrt(v);
        // s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
        u_sq_mean += u * u;
    }
    #if SCALE_PARAMETER
        *theta_prev_sq_mean_parts = theta_prev_sq_mean;
    #endif
    *u_sq_mean_parts = u_sq_mean;
}

/* u_sq_mean, theta_prev_sq_mean, eta: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    #if SCALE_PARAMETER
        const real eps2 = (real)row[1];
        const real rho = (real)row[4];
        const real theta_prev_sq_mean =
            (real)(summed(tile_parts(tensor, values, 1), tiles(tensor)) / tensor->numel);
    #endif
    const real u_sq_mean = (real)(summed(tile_parts(tensor, values, 0), tiles(tensor)) / tensor->numel);
    values[0] = u_sq_mean;
    #if SCALE_PARAMETER
        // eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
        const real eta = maximum(eps2, sqrt(theta_prev_sq_mean)) * rho;
        values[1] = eta;
    #endif
}

/* theta, v, m: of a part of a tensor. */
static void phase_2(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    #if USE_FIRST_MOMENT
        m_type *m_at = (m_type *)tensor->at[2] + part->start;
    #endif
    v_type *v_at = (v_type *)tensor->at[1] + part->start;
    const real eps1 = (real)row[0];
    #if USE_FIRST_MOMENT
        const real beta1 = (real)row[2];
    #endif
    #if SCALE_PARAMETER
        const real weight_decay = (real)row[3];
    #endif
    const real beta2 = (real)row[5];
    const real one_minus_beta2 = (real)row[6];
    const real inv_clip_threshold = (real)row[7];
    #if USE_FIRST_MOMENT
        const real one_minus_beta1 = (real)row[8];
    #endif
    #if SCALE_PARAMETER
        const real eta = values[1];
    #else
        const real eta = (real)row[9];
        const real one_minus_weight_decay_eta = (real)row[10];
    #endif
    const real u_sq_mean = values[0];
    #pragma omp simd
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        #if USE_FIRST_MOMENT
            const real m_prev = load(m_type, m_at + i);
        #endif
        const real v_prev = load(v_type, v_at + i);
        // q[t] = g[t]**2 + eps1
        const real q = g * g + eps1;
        // v[t] = beta2[t]*v[t - 1] + (1 - beta2[t])*q[t]
        const real v = beta2 * v_prev + one_minus_beta2 * q;
        // u[t] = g[t]/sqrt(v[t])
        const real u = g / sqrt(v);
        // s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
        const real s = eta / maximum((real)1, sqrt(u_sq_mean) * inv_clip_threshold) * u;
        #if USE_FIRST_MOMENT
            // m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
            const real m = beta1 * m_prev + one_minus_beta1 * s;
        #endif
        // theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
        #if USE_FIRST_MOMENT
            #if SCALE_PARAMETER
                const real theta = theta_prev * (1 - weight_decay * eta) - m;
            #else
                const real theta = theta_prev * one_minus_weight_decay_eta - m;
            #endif
        #else
            #if SCALE_PARAMETER
                const real theta = theta_prev * (1 - weight_decay * eta) - s;
            #else
                const real theta = theta_prev * one_minus_weight_decay_eta - s;
            #endif
        #endif
        store(theta_type, theta_at + i, theta);
        #if USE_FIRST_MOMENT
            store(m_type, m_at + i, m);
        #endif
        store(v_type, v_at + i, v);
    }
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    struct work work;
    int found = begin(&work, group);
    if (found != STEPPED)
        return found;
    each_part(&work, phase_1);
    each_tensor(&work, values_2);
    each_part(&work, phase_2);
    return end(&work);
}
