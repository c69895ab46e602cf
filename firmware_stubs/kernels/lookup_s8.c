#include "ecgkd_nn.h"
#include "target.h"

#if defined(ECGKD_NEON) && defined(__aarch64__)
#include <arm_neon.h>

/* Sixteen at a time, from the table in sixteen registers. Returns how many were looked up. */
static int32_t by_vectors(const int8_t *table, int32_t count, const int8_t *in, int8_t *out)
{
    const int8x16x4_t first = vld1q_s8_x4(table), second = vld1q_s8_x4(table + 64);
    const int8x16x4_t third = vld1q_s8_x4(table + 128), fourth = vld1q_s8_x4(table + 192);
    int32_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint8x16_t place = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(in + i)), vdupq_n_u8(128));
        int8x16_t found = vqtbl4q_s8(first, place);
        found = vqtbx4q_s8(found, second, vsubq_u8(place, vdupq_n_u8(64)));
        found = vqtbx4q_s8(found, third, vsubq_u8(place, vdupq_n_u8(128)));
        found = vqtbx4q_s8(found, fourth, vsubq_u8(place, vdupq_n_u8(192)));
        vst1q_s8(out + i, found);
    }
    return i;
}
#elif defined(ECGKD_MVE)
#include <arm_mve.h>

/* Sixteen at a time, gathered. Returns how many were looked up. */
static int32_t by_vectors(const int8_t *table, int32_t count, const int8_t *in, int8_t *out)
{
    const uint8x16_t middle = vdupq_n_u8(128);
    int32_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint8x16_t place = veorq_u8(vreinterpretq_u8_s8(vldrbq_s8(in + i)), middle);
        vstrbq_s8(out + i, vldrbq_gather_offset_s8(table, place));
    }
    return i;
}
#else
static int32_t by_vectors(const int8_t *table, int32_t count, const int8_t *in, int8_t *out)
{
    (void)table;
    (void)count;
    (void)in;
    (void)out;
    return 0;
}
#endif

void ecgkd_lookup_s8(const ecgkd_lookup_t *op, const int8_t *in, int8_t *out, void *scratch)
{
    (void)scratch;
    const int8_t *table = op->table + 128;
    for (int32_t i = by_vectors(op->table, op->count, in, out); i < op->count; i++) {
        out[i] = table[in[i]];
    }
}
