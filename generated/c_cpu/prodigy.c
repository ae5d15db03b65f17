/* Prodigy. Written by optgen 0.1.0 (format 1) from rules/prodigy.py; do not edit.
 *
 *     optgen build prodigy --backend c
 *
 * Mishchenko & Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free Learner, ICML 2024,
 * https://arxiv.org/abs/2306.06101, Algorithm 4. Numbers as prodigyopt.Prodigy with slice_p=1; growth_rate=0 is its
 * inf, beta3=0 its None.
 *
 *     b3[t] = Piecewise((beta3, Ne(beta3, 0)), (sqrt(beta2), True))
 *     a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
 *     g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
 *     p0[t] = p0[t - 1]
 *     r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
 *     m[t] = beta1*m[t - 1] + (1 - beta1)*d[t - 1]*g_wd[t]
 *     v[t] = beta2*v[t - 1] + (1 - beta2)*(d[t - 1]*g_wd[t])**2
 *     s[t] = b3[t]*s[t - 1] + d[t - 1]/d0*Piecewise((d[t - 1], safeguard_warmup), (a[t], True))*g_wd[t]
 *     den[t] = total(Abs(s[t]), model)
 *     d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
 *     d_max[t] = Max(d_max[t - 1], d_hat[t])
 *     d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
 *     d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
 *     theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
 *         a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
 */
#define STORED 8
#define SCALARS 13
#define PER_TENSOR 4
#define PER_MATRIX 0
#define PER_ROW 0
#define PER_COL 0
#define PER_TILE 2
#define PER_ROW_PART 0
#define PER_COL_PART 0
#include "_numbers.h"
#include "_tiles.h"

/* The command line defines the types and the variant:
 * -Dreal=float -Dtheta_type=fp32 -Dgrad_type=fp32 -Dm_type=fp32 -Dv_type=fp32 -Dr_type=fp32 -Dp0_type=fp32
 * -Ds_type=fp32 -Dd_max_type=fp32 -Dd_type=fp32 -DHAS_BETA3=0 -DUSE_BIAS_CORRECTION=0 -DDECOUPLE=0
 * -DSAFEGUARD_WARMUP=0 -DHAS_GROWTH_RATE=0
 */

/* a: of a whole tensor. */
static void values_1(const struct tensor *tensor, const double *row, real *values)
{
    #if USE_BIAS_CORRECTION
        const real a_scale = (real)row[9];
    #else
        const real lr = (real)row[0];
    #endif
    d_type *d_at = (d_type *)tensor->at[7];
    const real d_prev = load(d_type, d_at);
    // a[t] = d[t - 1]*Piecewise((lr*(sqrt(1 - beta2**t)/(1 - beta1**t)), use_bias_correction), (lr, True))
    #if USE_BIAS_CORRECTION
        const real a = d_prev * a_scale;
    #else
        const real a = d_prev * lr;
    #endif
    values[0] = a;
}

/* r_sum, den, s: of a part of a tensor. */
static void phase_1(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    p0_type *p0_at = (p0_type *)tensor->at[4] + part->start;
    s_type *s_at = (s_type *)tensor->at[5] + part->start;
    #if !DECOUPLE
        const real weight_decay = (real)row[4];
    #endif
    const real b3 = (real)row[8];
    const real inv_d0 = (real)row[10];
    const real d_prev = load(d_type, (d_type *)tensor->at[7]);
    const real a = values[0];
    real *r_sum_parts = tile_parts(tensor, values, 0) + part->tile;
    real r_sum = 0;
    real *den_parts = tile_parts(tensor, values, 1) + part->tile;
    real den = 0;
    #pragma omp simd reduction(+ : r_sum, den)
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real p0_prev = load(p0_type, p0_at + i);
        const real s_prev = load(s_type, s_at + i);
        // g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
        #if !DECOUPLE
            const real g_wd = g + weight_decay * theta_prev;
        #else
            const real g_wd = g;
        #endif
        // r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
        r_sum += d_prev * inv_d0 * a * (g_wd * (p0_prev - theta_prev));
        // s[t] = b3[t]*s[t - 1] + d[t - 1]/d0*Piecewise((d[t - 1], safeguard_warmup), (a[t], True))*g_wd[t]
        #if SAFEGUARD_WARMUP
            const real s = b3 * s_prev + d_prev * inv_d0 * d_prev * g_wd;
        #else
            const real s = b3 * s_prev + d_prev * inv_d0 * a * g_wd;
        #endif
        // den[t] = total(Abs(s[t]), model)
        den += fabs(s);
        store(s_type, s_at + i, s);
    }
    *r_sum_parts = r_sum;
    *den_parts = den;
}

/* r, d_hat, d_max, d, d_new: of a whole tensor. */
static void values_2(const struct tensor *tensor, const double *row, real *values)
{
    #if HAS_GROWTH_RATE
        const real d0 = (real)row[5];
    #endif
    const real d_coef = (real)row[6];
    #if HAS_GROWTH_RATE
        const real growth_rate = (real)row[7];
    #endif
    const real b3 = (real)row[8];
    r_type *r_at = (r_type *)tensor->at[3];
    const real r_prev = load(r_type, r_at);
    d_max_type *d_max_at = (d_max_type *)tensor->at[6];
    const real d_max_prev = load(d_max_type, d_max_at);
    d_type *d_at = (d_type *)tensor->at[7];
    const real d_prev = load(d_type, d_at);
    const real r_sum = values[2];
    const real den = values[3];
    // r[t] = b3[t]*r[t - 1] + total(d[t - 1]/d0*a[t]*(g_wd[t]*(p0[t] - theta[t - 1])), model)
    const real r = b3 * r_prev + r_sum;
    // d_hat[t] = Piecewise((d_coef*r[t]/den[t], den[t] > 0), (d[t - 1], True))
    const real d_hat = (den > 0 ? d_coef * r / den : d_prev);
    // d_max[t] = Max(d_max[t - 1], d_hat[t])
    const real d_max = maximum(d_max_prev, d_hat);
    #if HAS_GROWTH_RATE
        // d_new[t] = Piecewise((Max(d[t - 1], d_hat[t]), Eq(d[t - 1], d0)), (d[t - 1], True))
        const real d_new = (d_prev == d0 ? maximum(d_prev, d_hat) : d_prev);
    #endif
    // d[t] = Piecewise((Min(d_max[t], d_new[t]*growth_rate), Ne(growth_rate, 0)), (d_max[t], True))
    #if HAS_GROWTH_RATE
        const real d = minimum(d_max, d_new * growth_rate);
    #else
        const real d = d_max;
    #endif
    values[1] = d;
    store(r_type, r_at, r);
    store(d_max_type, d_max_at, d_max);
}

/* theta, m, v: of a part of a tensor. */
static void phase_2(const struct part *part)
{
    const struct tensor *tensor = part->tensor;
    const double *row = part->row;
    real *values = part->values;
    const real factor = part->factor;
    const grad_type *grad = part->grad;
    const int64_t length = part->cols;
    theta_type *theta_at = (theta_type *)tensor->at[0] + part->start;
    m_type *m_at = (m_type *)tensor->at[1] + part->start;
    v_type *v_at = (v_type *)tensor->at[2] + part->start;
    const real beta1 = (real)row[1];
    const real beta2 = (real)row[2];
    const real eps = (real)row[3];
    const real weight_decay = (real)row[4];
    const real one_minus_beta1 = (real)row[11];
    const real one_minus_beta2 = (real)row[12];
    const real d_prev = load(d_type, (d_type *)tensor->at[7]);
    const real a = values[0];
    const real d = values[1];
    #pragma omp simd
    for (int64_t i = 0; i < length; i++) {
        const real theta_prev = load(theta_type, theta_at + i);
        const real g = factor * load(grad_type, grad + i);
        const real m_prev = load(m_type, m_at + i);
        const real v_prev = load(v_type, v_at + i);
        // g_wd[t] = Piecewise((g[t], decouple), (g[t] + weight_decay*theta[t - 1], True))
        #if DECOUPLE
            const real g_wd = g;
        #else
            const real g_wd = g + weight_decay * theta_prev;
        #endif
        // m[t] = beta1*m[t - 1] + (1 - beta1)*d[t - 1]*g_wd[t]
        const real m = beta1 * m_prev + one_minus_beta1 * d_prev * g_wd;
        // v[t] = beta2*v[t - 1] + (1 - beta2)*(d[t - 1]*g_wd[t])**2
        const real v_base = d_prev * g_wd;
        const real v = beta2 * v_prev + one_minus_beta2 * (v_base * v_base);
        // theta[t] = Piecewise((theta[t - 1]*(1 - weight_decay*a[t]), decouple), (theta[t - 1], True)) -
        //     a[t]*m[t]/(sqrt(v[t]) + d[t]*eps)
        #if DECOUPLE
            const real theta = theta_prev * (1 - weight_decay * a) - a * m / (sqrt(v) + d * eps);
        #else
            const real theta = theta_prev - a * m / (sqrt(v) + d * eps);
        #endif
        store(theta_type, theta_at + i, theta);
        store(m_type, m_at + i, m);
        store(v_type, v_at + i, v);
    }
}

/* d: of a whole tensor. */
static void values_3(const struct tensor *tensor, const double *row, real *values)
{
    d_type *d_at = (d_type *)tensor->at[7];
    const real d = values[1];
    store(d_type, d_at, d);
}

/* One step of all tensors of a group: STEPPED, or what kept it from changing anything. */
int step(const struct group *group)
{
    struct work work;
    int found = begin(&work, group);
    if (found != STEPPED)
        return found;
    each_tensor(&work, values_1);
    each_part(&work, phase_1);
    sum_tiles_of_all(&work, 0, 2);
    sum_tiles_of_all(&work, 1, 3);
    each_tensor(&work, values_2);
    each_part(&work, phase_2);
    each_tensor(&work, values_3);
    return end(&work);
}
