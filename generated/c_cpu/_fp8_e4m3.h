/* fp8_e4m3. Written by optgen 0.1.0 (format 1); do not edit.
 *
 * 8-bit floats e4m3, blocks of 256 with a float32 absmax.
 */

/* Codes of numbers from -1 to 1, not yet whole, and the numbers that codes stand for. */
static inline real code_fp8_e4m3_signed(real x)
{
    real count = float_place(fabs(x), 3, (real)28672.0, 0);
    return x < 0 ? 128 + count : count;
}

static const float numbers_fp8_e4m3_signed[256] = {
    0.0f, 4.359654e-06f, 8.719308e-06f, 1.3078962e-05f, 1.7438617e-05f, 2.179827e-05f, 2.6157924e-05f,
    3.0517578e-05f, 3.4877234e-05f, 3.9236886e-05f, 4.359654e-05f, 4.7956193e-05f, 5.231585e-05f, 5.66755e-05f,
    6.1035156e-05f, 6.539481e-05f, 6.975447e-05f, 7.847377e-05f, 8.719308e-05f, 9.5912386e-05f, 0.0001046317f,
    0.000113351f, 0.00012207031f, 0.00013078962f, 0.00013950893f, 0.00015694754f, 0.00017438616f, 0.00019182477f,
    0.0002092634f, 0.000226702f, 0.00024414062f, 0.00026157923f, 0.00027901787f, 0.00031389509f, 0.00034877233f,
    0.00038364955f, 0.0004185268f, 0.000453404f, 0.00048828125f, 0.00052315847f, 0.00055803574f, 0.00062779017f,
    0.00069754466f, 0.0007672991f, 0.0008370536f, 0.000906808f, 0.0009765625f, 0.0010463169f, 0.0011160715f,
    0.0012555803f, 0.0013950893f, 0.0015345982f, 0.0016741072f, 0.001813616f, 0.001953125f, 0.0020926339f,
    0.002232143f, 0.0025111607f, 0.0027901786f, 0.0030691964f, 0.0033482143f, 0.003627232f, 0.00390625f,
    0.0041852677f, 0.004464286f, 0.0050223214f, 0.0055803573f, 0.0061383927f, 0.0066964286f, 0.007254464f,
    0.0078125f, 0.008370535f, 0.008928572f, 0.010044643f, 0.011160715f, 0.012276785f, 0.013392857f, 0.014508928f,
    0.015625f, 0.01674107f, 0.017857144f, 0.020089285f, 0.02232143f, 0.02455357f, 0.026785715f, 0.029017856f,
    0.03125f, 0.03348214f, 0.035714287f, 0.04017857f, 0.04464286f, 0.04910714f, 0.05357143f, 0.058035713f, 0.0625f,
    0.06696428f, 0.071428575f, 0.08035714f, 0.08928572f, 0.09821428f, 0.10714286f, 0.116071425f, 0.125f,
    0.13392857f, 0.14285715f, 0.16071428f, 0.17857143f, 0.19642857f, 0.21428572f, 0.23214285f, 0.25f, 0.26785713f,
    0.2857143f, 0.32142857f, 0.35714287f, 0.39285713f, 0.42857143f, 0.4642857f, 0.5f, 0.53571427f, 0.5714286f,
    0.64285713f, 0.71428573f, 0.78571427f, 0.85714287f, 0.9285714f, 1.0f, 1.0714285f, -0.0f, -4.359654e-06f,
    -8.719308e-06f, -1.3078962e-05f, -1.7438617e-05f, -2.179827e-05f, -2.6157924e-05f, -3.0517578e-05f,
    -3.4877234e-05f, -3.9236886e-05f, -4.359654e-05f, -4.7956193e-05f, -5.231585e-05f, -5.66755e-05f,
    -6.1035156e-05f, -6.539481e-05f, -6.975447e-05f, -7.847377e-05f, -8.719308e-05f, -9.5912386e-05f,
    -0.0001046317f, -0.000113351f, -0.00012207031f, -0.00013078962f, -0.00013950893f, -0.00015694754f,
    -0.00017438616f, -0.00019182477f, -0.0002092634f, -0.000226702f, -0.00024414062f, -0.00026157923f,
    -0.00027901787f, -0.00031389509f, -0.00034877233f, -0.00038364955f, -0.0004185268f, -0.000453404f,
    -0.00048828125f, -0.00052315847f, -0.00055803574f, -0.00062779017f, -0.00069754466f, -0.0007672991f,
    -0.0008370536f, -0.000906808f, -0.0009765625f, -0.0010463169f, -0.0011160715f, -0.0012555803f, -0.0013950893f,
    -0.0015345982f, -0.0016741072f, -0.001813616f, -0.001953125f, -0.0020926339f, -0.002232143f, -0.0025111607f,
    -0.0027901786f, -0.0030691964f, -0.0033482143f, -0.003627232f, -0.00390625f, -0.0041852677f, -0.004464286f,
    -0.0050223214f, -0.0055803573f, -0.0061383927f, -0.0066964286f, -0.007254464f, -0.0078125f, -0.008370535f,
    -0.008928572f, -0.010044643f, -0.011160715f, -0.012276785f, -0.013392857f, -0.014508928f, -0.015625f,
    -0.01674107f, -0.017857144f, -0.020089285f, -0.02232143f, -0.02455357f, -0.026785715f, -0.029017856f, -0.03125f,
    -0.03348214f, -0.035714287f, -0.04017857f, -0.04464286f, -0.04910714f, -0.05357143f, -0.058035713f, -0.0625f,
    -0.06696428f, -0.071428575f, -0.08035714f, -0.08928572f, -0.09821428f, -0.10714286f, -0.116071425f, -0.125f,
    -0.13392857f, -0.14285715f, -0.16071428f, -0.17857143f, -0.19642857f, -0.21428572f, -0.23214285f, -0.25f,
    -0.26785713f, -0.2857143f, -0.32142857f, -0.35714287f, -0.39285713f, -0.42857143f, -0.4642857f, -0.5f,
    -0.53571427f, -0.5714286f, -0.64285713f, -0.71428573f, -0.78571427f, -0.85714287f, -0.9285714f, -1.0f,
};

static void encode_fp8_e4m3_signed(uint8_t *codes, const real *values, float largest, int64_t count)
{
    const real inverse = inverse_of(largest);
    if (is_finite(largest)) {
        #pragma omp simd
        for (int64_t i = 0; i < count; i++)
            codes[i] = whole(code_fp8_e4m3_signed(values[i] * inverse), 254);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const real x = values[i] * inverse;
        codes[i] = x == x ? whole(code_fp8_e4m3_signed(x), 254) : 0;
    }
}

/* Elements `start` to `start + count` of a state. */
static void load_fp8_e4m3_signed(real *values, const uint8_t *codes, const float *largest, int64_t start, int64_t count)
{
    const struct table table = table_of(numbers_fp8_e4m3_signed);
    for (int64_t at = start, end = start + count, next; at < end; at = next) {
        next = at - at % 256 + 256 < end ? at - at % 256 + 256 : end;
        decode(values + at - start, codes + at, &table, largest[at / 256], next - at);
    }
}

/* The same stored, where `start` begins a block. */
static void store_fp8_e4m3_signed(real *values, uint8_t *codes, float *largest, int64_t start, int64_t count)
{
    for (int64_t first = 0; first < count; first += 256) {
        const int64_t length = count - first < 256 ? count - first : 256;
        const float found = largest_of(values + first, length);
        encode_fp8_e4m3_signed(codes + start + first, values + first, found, length);
        largest[(start + first) / 256] = found;
    }
}

/* Codes of numbers from 0 to 1, not yet whole, and the numbers that codes stand for. */
static inline real code_fp8_e4m3_unsigned(real x)
{
    return float_place(x, 3, (real)28672.0, 1);
}

static const float numbers_fp8_e4m3_unsigned[256] = {
    0.0f, 4.359654e-06f, 8.719308e-06f, 1.3078962e-05f, 1.7438617e-05f, 2.179827e-05f, 2.6157924e-05f,
    3.0517578e-05f, 3.4877234e-05f, 3.9236886e-05f, 4.359654e-05f, 4.7956193e-05f, 5.231585e-05f, 5.66755e-05f,
    6.1035156e-05f, 6.539481e-05f, 6.975447e-05f, 7.847377e-05f, 8.719308e-05f, 9.5912386e-05f, 0.0001046317f,
    0.000113351f, 0.00012207031f, 0.00013078962f, 0.00013950893f, 0.00015694754f, 0.00017438616f, 0.00019182477f,
    0.0002092634f, 0.000226702f, 0.00024414062f, 0.00026157923f, 0.00027901787f, 0.00031389509f, 0.00034877233f,
    0.00038364955f, 0.0004185268f, 0.000453404f, 0.00048828125f, 0.00052315847f, 0.00055803574f, 0.00062779017f,
    0.00069754466f, 0.0007672991f, 0.0008370536f, 0.000906808f, 0.0009765625f, 0.0010463169f, 0.0011160715f,
    0.0012555803f, 0.0013950893f, 0.0015345982f, 0.0016741072f, 0.001813616f, 0.001953125f, 0.0020926339f,
    0.002232143f, 0.0025111607f, 0.0027901786f, 0.0030691964f, 0.0033482143f, 0.003627232f, 0.00390625f,
    0.0041852677f, 0.004464286f, 0.0050223214f, 0.0055803573f, 0.0061383927f, 0.0066964286f, 0.007254464f,
    0.0078125f, 0.008370535f, 0.008928572f, 0.010044643f, 0.011160715f, 0.012276785f, 0.013392857f, 0.014508928f,
    0.015625f, 0.01674107f, 0.017857144f, 0.020089285f, 0.02232143f, 0.02455357f, 0.026785715f, 0.029017856f,
    0.03125f, 0.03348214f, 0.035714287f, 0.04017857f, 0.04464286f, 0.04910714f, 0.05357143f, 0.058035713f, 0.0625f,
    0.06696428f, 0.071428575f, 0.08035714f, 0.08928572f, 0.09821428f, 0.10714286f, 0.116071425f, 0.125f,
    0.13392857f, 0.14285715f, 0.16071428f, 0.17857143f, 0.19642857f, 0.21428572f, 0.23214285f, 0.25f, 0.26785713f,
    0.2857143f, 0.32142857f, 0.35714287f, 0.39285713f, 0.42857143f, 0.4642857f, 0.5f, 0.53571427f, 0.5714286f,
    0.64285713f, 0.71428573f, 0.78571427f, 0.85714287f, 0.9285714f, 1.0f,
};

static void encode_fp8_e4m3_unsigned(uint8_t *codes, const real *values, float largest, int64_t count)
{
    const real inverse = inverse_of(largest);
    if (is_finite(largest)) {
        #pragma omp simd
        for (int64_t i = 0; i < count; i++)
            codes[i] = whole(code_fp8_e4m3_unsigned(values[i] * inverse), 126);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const real x = values[i] * inverse;
        codes[i] = x == x ? whole(code_fp8_e4m3_unsigned(x), 126) : 0;
    }
}

/* Elements `start` to `start + count` of a state. */
static void load_fp8_e4m3_unsigned(real *values, const uint8_t *codes, const float *largest, int64_t start, int64_t count)
{
    const struct table table = table_of(numbers_fp8_e4m3_unsigned);
    for (int64_t at = start, end = start + count, next; at < end; at = next) {
        next = at - at % 256 + 256 < end ? at - at % 256 + 256 : end;
        decode(values + at - start, codes + at, &table, largest[at / 256], next - at);
    }
}

/* The same stored, where `start` begins a block. */
static void store_fp8_e4m3_unsigned(real *values, uint8_t *codes, float *largest, int64_t start, int64_t count)
{
    for (int64_t first = 0; first < count; first += 256) {
        const int64_t length = count - first < 256 ? count - first : 256;
        const float found = largest_of(values + first, length);
        encode_fp8_e4m3_unsigned(codes + start + first, values + first, found, length);
        largest[(start + first) / 256] = found;
    }
}
