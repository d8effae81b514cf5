/* Products of a quantised matrix with a few vectors, at the speed of reading the matrix, and the matrix in floats.

   A row of w is `columns` numbers of `bits` bits, a multiple of 128. Eight bits: signed. Four bits: unsigned, number 2i in
   the low half of byte i, number 2i + 1 in the high half. Each `group` numbers of a row share one scale (IEEE half) and
   for four bits at times one zero point; without that it is 8 for four bits, 0 for eight. The value is (number - zero) * scale.

   With VNNI, x is taken in fixed point, one scale for each 128 of its numbers and 14 bits for each number, as
   128 * high + low, so that integer products of bytes serve; that is finer than bfloat16, which x mostly comes in. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512VL__) && !defined(PLAIN)
#include <immintrin.h>
#define VNNI 1
#endif

#define CHUNK 128
#define ALWAYS static inline __attribute__((always_inline))

typedef struct {
    const uint8_t *w;
    const uint16_t *scales;
    const uint8_t *zeros; /* may be NULL */
    long rows, columns, group, bits;
} Matrix;

ALWAYS float from_half(uint16_t half) {
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13;
    float value;
    memcpy(&value, &bits, sizeof value);
    value *= 0x1p112f; /* the bias of a float's exponent less that of a half's */
    return half & 0x8000 ? -value : value;
}

/* 128 values of row r from column c on. */
ALWAYS void widen_chunk(const Matrix *m, long r, long c, float *restrict out) {
    const uint8_t *w = m->w + (r * m->columns + c) * m->bits / 8;
    long groups = m->columns / m->group, step = m->group < CHUNK ? m->group : CHUNK;
    int8_t numbers[CHUNK];
    if (m->bits == 4) {
        for (long i = 0; i < CHUNK / 2; i++) numbers[2 * i] = w[i] & 15, numbers[2 * i + 1] = w[i] >> 4;
    } else {
        memcpy(numbers, w, CHUNK);
    }
    for (long at = 0; at < CHUNK; at += step) {
        long g = r * groups + (c + at) / m->group;
        float scale = from_half(m->scales[g]), zero = m->zeros ? m->zeros[g] : m->bits == 4 ? 8 : 0;
        for (long i = 0; i < step; i++) out[at + i] = ((float)numbers[at + i] - zero) * scale;
    }
}

/* Rows `first` to `first + count` as bfloat16 (rounded to nearest even) or, with `wide`, as float32. */
void quantized_widen(const Matrix *m, void *restrict out, long first, long count, long wide) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < count; r++) {
        float values[CHUNK];
        for (long c = 0; c < m->columns; c += CHUNK) {
            float *to = wide ? (float *)out + r * m->columns + c : values;
            widen_chunk(m, first + r, c, to);
            if (wide) continue;
            uint16_t *narrow = (uint16_t *)out + r * m->columns + c;
            for (long i = 0; i < CHUNK; i++) {
                uint32_t bits;
                memcpy(&bits, &values[i], sizeof bits);
                narrow[i] = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
            }
        }
    }
}

ALWAYS uint16_t to_half(float value) {
    uint32_t bits;
    float small = fabsf(value) * 0x1p-112f;
    memcpy(&bits, &small, sizeof bits);
    return (uint16_t)((bits + 0xfff + (bits >> 13 & 1)) >> 13 | (value < 0 ? 0x8000 : 0));
}

/* Round `inputs` weights of each row (float32 with `wide`, else bfloat16) to the nearest; m's numbers and scales are
   written. Eight bits: the largest of a row becomes 127 or -127. Four bits: the largest of a group, with its sign, is the
   lowest number, -8. */
void quantized_round(const Matrix *m, const void *restrict weight, long inputs, long wide) {
    uint8_t *numbers = (uint8_t *)m->w;
    uint16_t *scales = (uint16_t *)m->scales;
    long groups = m->columns / m->group;
#pragma omp parallel for schedule(static)
    for (long r = 0; r < m->rows; r++) {
        float values[CHUNK], scale = 0, largest = 0;
        for (long pass = m->bits == 8 ? 0 : 1; pass < 2; pass++) { /* eight bits: the row's largest comes first */
            for (long c = 0; c < m->columns; c += CHUNK) {
                long length = inputs - c < CHUNK ? inputs - c : CHUNK, at = r * inputs + c;
                memset(values, 0, sizeof values);
                if (wide) {
                    memcpy(values, (const float *)weight + at, length * sizeof(float));
                } else {
                    for (long i = 0; i < length; i++) {
                        uint32_t bits = (uint32_t)((const uint16_t *)weight)[at + i] << 16;
                        memcpy(&values[i], &bits, sizeof bits);
                    }
                }
                if (!pass) {
                    for (long i = 0; i < CHUNK; i++) largest = fmaxf(largest, fabsf(values[i]));
                    continue;
                }
                uint8_t *to = numbers + (r * m->columns + c) * m->bits / 8;
                if (m->bits == 8) {
                    uint16_t half = to_half(largest / 127);
                    scale = from_half(scales[r] = half ? half : 1);
                    for (long i = 0; i < CHUNK; i++) to[i] = (uint8_t)(int8_t)fminf(fmaxf(rintf(values[i] / scale), -127), 127);
                    continue;
                }
                for (long g = 0; g < CHUNK; g += m->group) {
                    float low = 0, high = 0;
                    for (long i = g; i < g + m->group; i++) low = fminf(low, values[i]), high = fmaxf(high, values[i]);
                    uint16_t half = to_half((high > -low ? high : low) / -8);
                    scale = from_half(scales[r * groups + (c + g) / m->group] = half & 0x7fff ? half : 1);
                    for (long i = g; i < g + m->group; i++) values[i] = fminf(fmaxf(rintf(values[i] / scale) + 8, 0), 15);
                }
                for (long i = 0; i < CHUNK / 2; i++) to[i] = (uint8_t)((int)values[2 * i] | (int)values[2 * i + 1] << 4);
            }
        }
    }
}

#ifndef VNNI
void quantized_rows(const Matrix *m, const float *restrict x, float *restrict out, long count) {
#pragma omp parallel for schedule(static)
    for (long r = 0; r < m->rows; r++) {
        float values[CHUNK];
        for (long n = 0; n < count; n++) out[n * m->rows + r] = 0;
        for (long c = 0; c < m->columns; c += CHUNK) {
            widen_chunk(m, r, c, values);
            for (long n = 0; n < count; n++) {
                const float *v = x + n * m->columns + c;
                float sum = 0;
                for (long i = 0; i < CHUNK; i++) sum += values[i] * v[i];
                out[n * m->rows + r] += sum;
            }
        }
    }
}
#else
/* 128 numbers of x in fixed point. Bytes stand as the matrix has them: for four bits the even ones, then the odd ones.
   `sums` are those of the eight numbers that meet in one lane of a product; `start` is what a lane begins with, since the
   instruction takes the matrix's numbers unsigned: 8 or 128 too large. */
typedef struct {
    int8_t high[CHUNK], low[CHUNK];
    int32_t start[16];
    float sums[16], scale;
} Fixed;

static void to_fixed(const float *restrict x, Fixed *restrict out, long bits) {
    float largest = 0;
    int16_t numbers[CHUNK], ordered[CHUNK];
    for (long i = 0; i < CHUNK; i++) largest = fmaxf(largest, fabsf(x[i]));
    out->scale = largest / 16256; /* 127 * 128 */
    float inverse = largest > 0 ? 16256 / largest : 0;
    for (long i = 0; i < CHUNK; i++) numbers[i] = (int16_t)rintf(x[i] * inverse);
    if (bits == 4) {
        for (long i = 0; i < 64; i++) ordered[i] = numbers[2 * i], ordered[64 + i] = numbers[2 * i + 1];
    } else {
        memcpy(ordered, numbers, sizeof numbers);
    }
    for (long i = 0; i < CHUNK; i++) {
        int16_t high = (int16_t)((ordered[i] + 64) >> 7);
        out->high[i] = (int8_t)high;
        out->low[i] = (int8_t)(ordered[i] - high * 128);
    }
    for (long lane = 0; lane < 16; lane++) {
        int32_t sum = 0;
        for (long i = 4 * lane; i < 4 * lane + 4; i++) sum += ordered[i] + ordered[64 + i];
        out->sums[lane] = (float)sum, out->start[lane] = -sum * (bits == 4 ? 8 : 128);
    }
}

/* The scales or zero points of a chunk, one, two or four, for the sixteen lanes of its products. */
ALWAYS __m512 lanes(__m128 values, long each) {
    const __m512i four = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    if (each == 1) return _mm512_broadcastss_ps(values);
    return _mm512_permutexvar_ps(each == 2 ? _mm512_srli_epi32(four, 1) : four, _mm512_castps128_ps512(values));
}

ALWAYS __m512 scales_at(const uint16_t *p, long each) {
    uint64_t four = 0;
    memcpy(&four, p, each * 2);
    return lanes(_mm_cvtph_ps(_mm_cvtsi64_si128((long long)four)), each);
}

ALWAYS __m512 zeros_at(const uint8_t *p, long each) {
    uint32_t four = 0;
    memcpy(&four, p, each);
    __m512 zeros = lanes(_mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)four))), each);
    return _mm512_sub_ps(zeros, _mm512_set1_ps(8));
}

/* `rows` rows of the matrix times `count` vectors, at most four of either, one of them 1; `each` scales a chunk. Four rows
   share what they read of a vector that is too long for the nearest cache; a short one serves row by row, as they lie. */
ALWAYS void few_rows(const Matrix *m, long r, const Fixed *x, float *out, long rows, long count, long bits, long zeros,
                     long each) {
    long chunks = m->columns / CHUNK, groups = m->columns / m->group, stride = m->columns * bits / 8;
    long shift = groups == 1 ? 62 : __builtin_ctzl((unsigned long)m->group);
    const uint8_t *w = m->w + r * stride;
    const __m512i half = _mm512_set1_epi8(bits == 4 ? 15 : (char)0x80);
    __m512 total[4];
    for (long n = 0; n < rows * count; n++) total[n] = _mm512_setzero_ps();
    for (long c = 0; c < chunks; c++) {
        for (long k = 0; k < rows; k++) {
            const uint8_t *from = w + k * stride + c * 16 * bits;
            __m512i first = _mm512_loadu_si512(from), second;
            __builtin_prefetch(from + 4096);
            if (bits == 4) {
                second = _mm512_and_si512(_mm512_srli_epi16(first, 4), half);
                first = _mm512_and_si512(first, half);
            } else { /* 128 is added: the instruction wants them unsigned */
                __builtin_prefetch(from + 4096 + 64);
                second = _mm512_xor_si512(_mm512_loadu_si512(from + 64), half);
                first = _mm512_xor_si512(first, half);
            }
            long g = (r + k) * groups + (c * CHUNK >> shift);
            __m512 scale = scales_at(m->scales + g, each), zero = scale;
            if (zeros) zero = zeros_at(m->zeros + g, each);
            for (long n = 0; n < count; n++) {
                const Fixed *v = x + n * chunks + c;
                __m512i high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), first, _mm512_loadu_si512(v->high));
                __m512i low = _mm512_dpbusd_epi32(_mm512_loadu_si512(v->start), first, _mm512_loadu_si512(v->low));
                high = _mm512_dpbusd_epi32(high, second, _mm512_loadu_si512(v->high + 64));
                low = _mm512_dpbusd_epi32(low, second, _mm512_loadu_si512(v->low + 64));
                __m512 dot = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32(high, 7), low));
                if (zeros) dot = _mm512_fnmadd_ps(zero, _mm512_loadu_ps(v->sums), dot);
                __m512 *sum = &total[k + n];
                *sum = _mm512_fmadd_ps(dot, _mm512_mul_ps(scale, _mm512_set1_ps(v->scale)), *sum);
            }
        }
    }
    for (long k = 0; k < rows; k++) {
        for (long n = 0; n < count; n++) out[n * m->rows + r + k] = _mm512_reduce_add_ps(total[k + n]);
    }
}

#define ALL_ROWS(bits, zeros, each)                                                                              \
    _Pragma("omp parallel for schedule(static)") for (long r = 0; r < m->rows; r += 4) {                         \
        long n = 0, end = m->rows - r < 4 ? m->rows : r + 4;                                                     \
        for (; n + 4 <= count; n += 4)                                                                           \
            for (long k = r; k < end; k++) ROWS(k, 1, 4, bits, zeros, each);                                     \
        for (; n < count; n++) {                                                                                 \
            if (is_long && end == r + 4) ROWS(r, 4, 1, bits, zeros, each);                                       \
            else                                                                                                 \
                for (long k = r; k < end; k++) ROWS(k, 1, 1, bits, zeros, each);                                 \
        }                                                                                                        \
    }
#define ROWS(first, number, vectors, bits, zeros, each) \
    few_rows(m, first, fixed + n * chunks, out + n * m->rows, number, vectors, bits, zeros, each)

void quantized_rows(const Matrix *m, const float *restrict x, float *restrict out, long count) {
    long chunks = m->columns / CHUNK, each = m->group < CHUNK ? CHUNK / m->group : 1;
    long is_long = chunks * sizeof(Fixed) > 16384;
    Fixed *fixed = aligned_alloc(64, (count * chunks * sizeof(Fixed) + 63) / 64 * 64);
    for (long i = 0; i < count * chunks; i++) to_fixed(x + i * CHUNK, fixed + i, m->bits);
    if (m->bits == 8) ALL_ROWS(8, 0, 1)
    else if (m->zeros && each == 1) ALL_ROWS(4, 1, 1)
    else if (m->zeros && each == 2) ALL_ROWS(4, 1, 2)
    else if (m->zeros) ALL_ROWS(4, 1, 4)
    else if (each == 1) ALL_ROWS(4, 0, 1)
    else if (each == 2) ALL_ROWS(4, 0, 2)
    else ALL_ROWS(4, 0, 4)
    free(fixed);
}
#endif
