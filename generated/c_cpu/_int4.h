/* int4. Written by optgen 0.1.0 (format 1); do not edit.
 *
 * 4-bit codes, blocks of 128 with a float32 absmax.
 */

/* Codes of numbers from -1 to 1, not yet whole, and the numbers that codes stand for. */
static inline real code_int4_signed(real x)
{
    real size = fabs(x);
    size = size >= (real)0.94375 ? (real)1.09 : (size >= (real)0.00275 ? larger(size, (real)0.0055) : size);
    real low = size < (real)0.0995 ? (real)2.0 : (real)4.0;
    real near = size < (real)0.0995 ? (real)10.0 * size : size;
    low = near < (real)0.0995 ? (real)0.5 * low : low;
    near = near < (real)0.0995 ? (real)10.0 * near : near;
    real above = low * ((real)1.1111111111111 * near - (real)0.11111111111111) - (real)0.5;
    real count = low + smaller(above, (real)1.25 * above - (real)0.125);
    return copysign(count, x) + (real)7.5;
}

static const float numbers_int4_signed[256] = {
    -0.8875f, -0.6625f, -0.4375f, -0.2125f, -0.0775f, -0.0325f, -0.0055f, 0.0f, 0.0055f, 0.0325f, 0.0775f, 0.2125f,
    0.4375f, 0.6625f, 0.8875f, 1.0f,
};

static void encode_int4_signed(uint8_t *codes, const real *values, float largest, int64_t count)
{
    const real inverse = inverse_of(largest);
    if (is_finite(largest)) {
        #pragma omp simd
        for (int64_t i = 0; i < count; i++)
            codes[i] = whole(code_int4_signed(values[i] * inverse), 15);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const real x = values[i] * inverse;
        codes[i] = x == x ? whole(code_int4_signed(x), 15) : 0;
    }
}

/* Elements `start` to `start + count` of a state. */
static void load_int4_signed(real *values, const uint8_t *codes, const float *largest, int64_t start, int64_t count)
{
    const struct table table = table_of(numbers_int4_signed);
    for (int64_t at = start, end = start + count, next; at < end; at = next) {
        next = at - at % 128 + 128 < end ? at - at % 128 + 128 : end;
        uint8_t apart[128];
        split(apart, codes + at / 2, at % 2 + next - at);
        decode(values + at - start, apart + at % 2, &table, largest[at / 128], next - at);
    }
}

/* The same stored, where `start` begins a block. */
static void store_int4_signed(real *values, uint8_t *codes, float *largest, int64_t start, int64_t count)
{
    for (int64_t first = 0; first < count; first += 128) {
        const int64_t length = count - first < 128 ? count - first : 128;
        const float found = largest_of(values + first, length);
        uint8_t apart[128];
        if (length % 2)
            values[first + length] = 0;
        encode_int4_signed(apart, values + first, found, length + length % 2);
        join(codes + (start + first) / 2, apart, length);
        largest[(start + first) / 128] = found;
    }
}

/* Codes of numbers from 0 to 1, not yet whole, and the numbers that codes stand for. */
static inline real code_int4_unsigned(real x)
{
    return 16 * x - (real)0.5;
}

static const float numbers_int4_unsigned[256] = {
    0.0625f, 0.125f, 0.1875f, 0.25f, 0.3125f, 0.375f, 0.4375f, 0.5f, 0.5625f, 0.625f, 0.6875f, 0.75f, 0.8125f,
    0.875f, 0.9375f, 1.0f,
};

static void encode_int4_unsigned(uint8_t *codes, const real *values, float largest, int64_t count)
{
    const real inverse = inverse_of(largest);
    if (is_finite(largest)) {
        #pragma omp simd
        for (int64_t i = 0; i < count; i++)
            codes[i] = whole(code_int4_unsigned(values[i] * inverse), 15);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        const real x = values[i] * inverse;
        codes[i] = x == x ? whole(code_int4_unsigned(x), 15) : 0;
    }
}

/* Elements `start` to `start + count` of a state. */
static void load_int4_unsigned(real *values, const uint8_t *codes, const float *largest, int64_t start, int64_t count)
{
    const struct table table = table_of(numbers_int4_unsigned);
    for (int64_t at = start, end = start + count, next; at < end; at = next) {
        next = at - at % 128 + 128 < end ? at - at % 128 + 128 : end;
        uint8_t apart[128];
        split(apart, codes + at / 2, at % 2 + next - at);
        decode(values + at - start, apart + at % 2, &table, largest[at / 128], next - at);
    }
}

/* The same stored, where `start` begins a block. */
static void store_int4_unsigned(real *values, uint8_t *codes, float *largest, int64_t start, int64_t count)
{
    for (int64_t first = 0; first < count; first += 128) {
        const int64_t length = count - first < 128 ? count - first : 128;
        const float found = largest_of(values + first, length);
        uint8_t apart[128];
        if (length % 2)
            values[first + length] = 0;
        encode_int4_unsigned(apart, values + first, found, length + length % 2);
        join(codes + (start + first) / 2, apart, length);
        largest[(start + first) / 128] = found;
    }
}
