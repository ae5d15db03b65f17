/* VBMI: the same numbers, looked up 64 at a time in the registers of processors that can permute their bytes. */
#include <immintrin.h>
#define WIDE

/* of[k][q]: byte k of each of the numbers 64 * q to 64 * q + 63. */
struct table {
    const float *numbers;
    __m512i of[4][4];
};

static inline struct table table_of(const float *numbers)
{
    struct table table;
    uint8_t fourths[64];
    for (int i = 0; i < 64; i++)
        fourths[i] = (uint8_t)(i % 32 * 4);
    __m512i every = _mm512_loadu_si512(fourths);
    table.numbers = numbers;
    for (int k = 0; k < 4; k++) {
        for (int q = 0; q < 4; q++) {
            const float *from = numbers + 64 * q;
            __m512i first = _mm512_permutex2var_epi8(_mm512_loadu_si512(from), every, _mm512_loadu_si512(from + 16));
            __m512i last = _mm512_permutex2var_epi8(_mm512_loadu_si512(from + 32), every, _mm512_loadu_si512(from + 48));
            table.of[k][q] = _mm512_mask_blend_epi8(0xffffffff00000000, first, last);
        }
        every = _mm512_add_epi8(every, _mm512_set1_epi8(1));
    }
    return table;
}

/* One byte of the number of each code; `high` are the codes from 128 on. */
static inline __m512i bytes_of(const __m512i *of, __m512i codes, __mmask64 high)
{
    __m512i lower = _mm512_permutex2var_epi8(of[0], codes, of[1]);
    return _mm512_mask_blend_epi8(high, lower, _mm512_permutex2var_epi8(of[2], codes, of[3]));
}

static inline void decode(real *values, const uint8_t *codes, const struct table *table, float largest, int64_t count)
{
    /* Interleaving works within quarters of a register: the codes are turned so that their numbers come out in order. */
    const __m512i turned = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512 times = _mm512_set1_ps(largest);
    int64_t i = 0;
    for (; i + 64 <= count; i += 64) {
        __m512i code = _mm512_permutexvar_epi32(turned, _mm512_loadu_si512(codes + i));
        __mmask64 high = _mm512_movepi8_mask(code);
        __m512i a = bytes_of(table->of[0], code, high), b = bytes_of(table->of[1], code, high);
        __m512i c = bytes_of(table->of[2], code, high), d = bytes_of(table->of[3], code, high);
        __m512i ab[2] = {_mm512_unpacklo_epi8(a, b), _mm512_unpackhi_epi8(a, b)};
        __m512i cd[2] = {_mm512_unpacklo_epi8(c, d), _mm512_unpackhi_epi8(c, d)};
        for (int k = 0; k < 2; k++) {
            __m512 first = _mm512_castsi512_ps(_mm512_unpacklo_epi16(ab[k], cd[k]));
            __m512 second = _mm512_castsi512_ps(_mm512_unpackhi_epi16(ab[k], cd[k]));
            _mm512_storeu_ps(values + i + 32 * k, _mm512_mul_ps(first, times));
            _mm512_storeu_ps(values + i + 32 * k + 16, _mm512_mul_ps(second, times));
        }
    }
    look_up(values + i, codes + i, table->numbers, largest, count - i);
}
