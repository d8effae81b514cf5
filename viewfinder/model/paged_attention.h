/* Keys and values in blocks of `size` tokens, memory (2, groups, blocks, size, dim), as the rows of one step see them.

   A row is a token. Row r of `tables` (`width` numbers) has the blocks of its sequence, of which it sees `lengths[r]` tokens,
   itself last. `bits` are 32 (float32), 16 (bfloat16) or 8 (signed, with a scale for each head and token, scales (2, groups,
   blocks, size)). */

#include <stdint.h>

typedef struct {
    const int64_t *tables, *lengths;
    long rows, width, groups, blocks, size, dim, bits;
} Paged;

/* out and q (rows, groups * heads, dim), in float32 with `wide`, else in bfloat16. `dim` is a multiple of 16, 256 at most, and
   `heads` 16 at most. */
void paged_attention(const Paged *p, const void *memory, const float *scales, const void *q, void *out, long heads, long wide);

/* Write the key (kind 0) or value (kind 1) of row r and group g. */
void paged_write(const Paged *p, void *memory, float *scales, long r, long kind, long g, const float *numbers);
