/* A matrix of few bits, and its products with a few vectors (`few_rows.c`). */

#include "numbers.h"

#define CHUNK 128
#define MATRIX_BYTES(m) ((m)->rows * (m)->columns * (m)->bits / 8)
#define CHUNKS(columns) (((columns) + CHUNK - 1) / CHUNK)

/* A row of w is `columns` numbers of `bits` bits, a multiple of 128, or with sixteen bits of 64. Sixteen bits: bfloat16. Eight bits: signed. Four bits:
   unsigned, number 2i in the low half of byte i, number 2i + 1 in the high half. With eight and four bits, each `group`
   numbers of a row share one scale (IEEE half) and for four bits at times one zero point; without that it is 8 for four
   bits, 0 for eight. The value is (number - zero) * scale. */
typedef struct {
    const uint8_t *w;
    const uint16_t *scales;
    const uint8_t *zeros; /* may be NULL */
    long rows, columns, group, bits;
} Matrix;

/* A vector as the products want it, in whole chunks; what x has behind its end counts for nothing, but is read. `narrow`: its
   numbers are bfloat16 in truth. */
long input_bytes(long columns);
void prepare_input(const Matrix *m, const float *x, void *out, long first, long end, long narrow);

/* Rows `first` to `end` of the matrix times each of `count` prepared vectors; vector n's go to out + n * step. */
void multiply_rows(const Matrix *m, const void *input, float *out, long step, long count, long first, long end, long narrow);

/* 128 values of row r from column c on. */
ALWAYS void widen_chunk(const Matrix *m, long r, long c, float *restrict out) {
    const uint8_t *w = m->w + (r * m->columns + c) * m->bits / 8;
    if (m->bits == 16) {
        for (long i = 0; i < CHUNK && i < m->columns - c; i++) out[i] = from_narrow(((const uint16_t *)w)[i]);
        return;
    }
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
