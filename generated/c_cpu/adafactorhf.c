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
 *     r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
 *     c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
 *     u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
 *     s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*s[t]
 *     theta[t] = theta[t - 1]*(1 - weight_decay*eta[t]) - Piecewise((m[t], use_first_moment), (s[t], True))
 *     and for parameters of other shapes, as another rule:
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
#define STORED 4
#define SCALARS 11
#define PER_TENSOR 3
#define PER_MATRIX 1
#define PER_ROW 2
#define PER_COL 3
#define PER_TILE 2
#define PER_ROW_PART 1
#define PER_COL_PART 1
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dr_type=fp32 -Dc_type=fp32 -Dm_type=fp32 -DWARMUP_INIT=0
 * -DRELATIVE_STEP=0 -DSCALE_PARAMETER=0 -DUSE_FIRST_MOMENT=0
 */

/* q_mean, q_mean_2, theta_prev_sq_mean: of a part of a tensor. */
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
    const real eps1 = (real)row[0];
    #if SCALE_PARAMETER
        real *theta_prev_sq_mean_parts = tile_parts(tensor, values, 0) + part->tile;
        real theta_prev_sq_mean = part->opens ? 0 : *theta_prev_sq_mean_parts;
    #endif
    real *q_mean_parts = row_parts(tensor, values, 0) + part->at_row * tiles_across(tensor) + part->across;
    real *q_mean_2_parts = col_parts(tensor, values, 0) + part->down;
    for (int64_t along = 0; along < length && part->opens; along++)
        q_mean_2_parts[along] = 0;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        real q_mean = 0;
        #if SCALE_PARAMETER
            #pragma omp simd reduction(+ : theta_prev_sq_mean, q_mean)
        #else
            #pragma omp simd reduction(+ : q_mean)
        #endif
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            #if SCALE_PARAMETER
                const real theta_prev = load(theta_type, theta_at + i);
            #endif
            const real g = factor * load(grad_type, grad + i);
            #if SCALE_PARAMETER
                // eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
                theta_prev_sq_mean += theta_prev * theta_prev;
            #endif
            // q[t] = g[t]**2 + eps1
            const real q = g * g + eps1;
            // r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
            q_mean += q;
            // c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
            q_mean_2_parts[along] += q;
        }
        q_mean_parts[down * tiles_across(tensor)] = q_mean;
    }
    #if SCALE_PARAMETER
        *theta_prev_sq_mean_parts = theta_prev_sq_mean;
    #endif
}

/* q_mean, q_mean_2, r, r_mean, c, sqrt_c, theta_prev_sq_mean: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    const real beta2 = (real)row[5];
    const real one_minus_beta2 = (real)row[6];
    r_type *r_at = (r_type *)tensor->at[1];
    c_type *c_at = (c_type *)tensor->at[2];
    real *q_mean_values = row_values(tensor, values, 0);
    real *r_values = row_values(tensor, values, 1);
    real *q_mean_2_values = col_values(tensor, values, 0);
    real *c_values = col_values(tensor, values, 1);
    real *r_mean_values = matrix_values(tensor, values, 0);
    real *sqrt_c_values = col_values(tensor, values, 2);
    #if SCALE_PARAMETER
        const real theta_prev_sq_mean =
            (real)(summed(tile_parts(tensor, values, 0), tiles(tensor)) / tensor->numel);
        values[0] = theta_prev_sq_mean;
    #endif
    rows_summed(tensor, q_mean_values, row_parts(tensor, values, 0), tensor->cols);
    cols_summed(tensor, q_mean_2_values, col_parts(tensor, values, 0), tensor->rows);
    // r[t] = beta2[t]*r[t - 1] + (1 - beta2[t])*mean(q[t], cols)
    for (int64_t i = 0; i < tensor->matrices * tensor->rows; i++) {
        const real r_prev = load(r_type, r_at + i);
        const real q_mean = q_mean_values[i];
        r_values[i] = beta2 * r_prev + one_minus_beta2 * q_mean;
    }
    // u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
    for (int64_t matrix = 0; matrix < tensor->matrices; matrix++) {
        double r_mean_parts = 0;
        for (int64_t i = matrix * tensor->rows; i < (matrix + 1) * tensor->rows; i++) {
            const real r = r_values[i];
            r_mean_parts += r;
        }
        r_mean_values[matrix] = (real)(r_mean_parts / tensor->rows);
    }
    // c[t] = beta2[t]*c[t - 1] + (1 - beta2[t])*mean(q[t], rows)
    for (int64_t i = 0; i < tensor->matrices * tensor->cols; i++) {
        const real c_prev = load(c_type, c_at + i);
        const real q_mean_2 = q_mean_2_values[i];
        c_values[i] = beta2 * c_prev + one_minus_beta2 * q_mean_2;
    }
    // u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
    for (int64_t i = 0; i < tensor->matrices * tensor->cols; i++) {
        const real c = c_values[i];
        sqrt_c_values[i] = sqrt(c);
    }
    for (int64_t i = 0; i < tensor->matrices * tensor->rows; i++) {
        const real r = r_values[i];
        store(r_type, r_at + i, r);
    }
    for (int64_t i = 0; i < tensor->matrices * tensor->cols; i++) {
        const real c = c_values[i];
        store(c_type, c_at + i, c);
    }
}

/* u_sq_mean: of a part of a tensor. */
static void phase_2(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    const real *r_values = row_values(tensor, values, 1) + part->at_row;
    const real r_mean = matrix_values(tensor, values, 0)[part->matrix];
    const real *sqrt_c_values = col_values(tensor, values, 2) + part->at_col;
    real *u_sq_mean_parts = tile_parts(tensor, values, 1) + part->tile;
    real u_sq_mean = part->opens ? 0 : *u_sq_mean_parts;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        const real r = r_values[down];
        #pragma omp simd reduction(+ : u_sq_mean)
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real g = factor * load(grad_type, grad + i);
            const real sqrt_c = sqrt_c_values[along];
            // u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
            const real u = g / (sqrt(r / r_mean) * sqrt_c);
            // s[t] = eta[t]/Max(1, rms(u[t], elems)/clip_threshold)*u[t]
            u_sq_mean += u * u;
        }
    }
    *u_sq_mean_parts = u_sq_mean;
}

/* u_sq_mean, eta: of a whole tensor. */
static void values_3(const struct tensor *tensor, const double *row, real *values)
{
    #if SCALE_PARAMETER
        const real eps2 = (real)row[1];
        const real rho = (real)row[4];
        const real theta_prev_sq_mean = values[0];
    #endif
    const real u_sq_mean = (real)(summed(tile_parts(tensor, values, 1), tiles(tensor)) / tensor->numel);
    values[1] = u_sq_mean;
    #if SCALE_PARAMETER
        // eta[t] = Piecewise((Max(eps2, rms(theta[t - 1], elems))*rho[t], scale_parameter), (rho[t], True))
        const real eta = maximum(eps2, sqrt(theta_prev_sq_mean)) * rho;
        values[2] = eta;
    #endif
}

/* theta, m: of a part of a tensor. */
static void phase_3(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    #if USE_FIRST_MOMENT
        m_type *m_at = (m_type *)tensor->at[3] + part->start;
        const real beta1 = (real)row[2];
    #endif
    #if SCALE_PARAMETER
        const real weight_decay = (real)row[3];
    #endif
    const real inv_clip_threshold = (real)row[7];
    #if USE_FIRST_MOMENT
        const real one_minus_beta1 = (real)row[8];
    #endif
    #if SCALE_PARAMETER
        const real eta = values[2];
    #else
        const real eta = (real)row[9];
        const real one_minus_weight_decay_eta = (real)row[10];
    #endif
    const real *r_values = row_values(tensor, values, 1) + part->at_row;
    const real r_mean = matrix_values(tensor, values, 0)[part->matrix];
    const real u_sq_mean = values[1];
    const real *sqrt_c_values = col_values(tensor, values, 2) + part->at_col;
    for (int64_t down = 0; down < part->rows; down++) {
        const int64_t line = down * tensor->cols;
        const real r = r_values[down];
        #pragma omp simd
        for (int64_t along = 0; along < length; along++) {
            const int64_t i = line + along;
            const real theta_prev = load(theta_type, theta_at + i);
            const real g = factor * load(grad_type, grad + i);
            #if USE_FIRST_MOMENT
                const real m_prev = load(m_type, m_at + i);
            #endif
            const real sqrt_c = sqrt_c_values[along];
            // u[t] = g[t]/(sqrt(r[t]/mean(r[t], rows))*sqrt(c[t]))
            const real u = g / (sqrt(r / r_mean) * sqrt_c);
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
        }
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
    each_tensor(&work, values_3);
    each_part(&work, phase_3);
    return end(&work);
}
