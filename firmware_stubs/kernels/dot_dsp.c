#include "target.h"

#if defined(ECGKD_DSP)

#include "dsp.h"

void ecgkd_dsp_unpack_row(const int8_t *in, int32_t *out, int32_t count)
{
    for (; count >= 16; count -= 16, in += 16, out += 8) {
        ecgkd_dsp_unpack(in, out);
        ecgkd_dsp_unpack(in + 4, out + 2);
        ecgkd_dsp_unpack(in + 8, out + 4);
        ecgkd_dsp_unpack(in + 12, out + 6);
    }
    for (; count > 0; count -= 4, in += 4, out += 2) {
        ecgkd_dsp_unpack(in, out);
    }
}

void ecgkd_dsp_unpack_padded(const int8_t *in, int32_t *out, int32_t count, int32_t padded)
{
    const int32_t whole = count & ~3;
    ecgkd_dsp_unpack_row(in, out, whole);
    if (padded > whole) {
        int8_t rest[16] = {0};
        memcpy(rest, in + whole, (size_t)(count - whole));
        ecgkd_dsp_unpack_row(rest, out + whole / 2, padded - whole);
    }
}

void ecgkd_dsp_unpack_pair(const int8_t *first, const int8_t *second, int32_t *out, int32_t count)
{
    for (; count > 0; count -= 8, first += 8, second += 8, out += 8) {
        ecgkd_dsp_unpack(first, out);
        ecgkd_dsp_unpack(second, out + 2);
        ecgkd_dsp_unpack(first + 4, out + 4);
        ecgkd_dsp_unpack(second + 4, out + 6);
    }
}

#pragma GCC diagnostic ignored "-Wunused-parameter" /* naked functions find them in registers */

/* Written out because all fourteen registers are needed. r0 pair, r1 and r2 columns, r3 blocks, r4-r7 sums. */
#define STEP_2X2                                                                                                       \
    "ldm r0!, {r8, r9, r10, r11}\n"                                                                                    \
    "ldrd r12, lr, [r1], #8\n"                                                                                         \
    "smlad r4, r12, r8, r4\n"                                                                                          \
    "smlad r5, r12, r10, r5\n"                                                                                         \
    "smlad r4, lr, r9, r4\n"                                                                                           \
    "smlad r5, lr, r11, r5\n"                                                                                          \
    "ldrd r12, lr, [r2], #8\n"                                                                                         \
    "smlad r6, r12, r8, r6\n"                                                                                          \
    "smlad r7, r12, r10, r7\n"                                                                                         \
    "smlad r6, lr, r9, r6\n"                                                                                           \
    "smlad r7, lr, r11, r7\n"

ECGKD_NAKED void ecgkd_dsp_dot_2x2(int32_t *sums, const int32_t *pair, const int32_t *column,
                                   const int32_t *other, int32_t blocks)
{
    __asm__("push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
            "ldm r0, {r4, r5, r6, r7}\n"
            "mov r0, r1\n"
            "mov r1, r2\n"
            "mov r2, r3\n"
            "ldr r3, [sp, #40]\n"
            "1:\n" STEP_2X2 STEP_2X2 STEP_2X2 STEP_2X2 "subs r3, r3, #1\n"
            "bne 1b\n"
            "pop {r0}\n"
            "stm r0, {r4, r5, r6, r7}\n"
            "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n");
}

/* sum -> byte: r8 multiplier, r9 half and zero point, r10 right. */
#define FINISH(sum)                                                                                                    \
    "lsl " sum ", " sum ", #1\n"                                                                                       \
    "smmulr " sum ", " sum ", r8\n"                                                                                    \
    "add " sum ", " sum ", " sum ", asr #31\n"                                                                         \
    "add " sum ", " sum ", r9\n"                                                                                       \
    "asr " sum ", " sum ", r10\n"                                                                                      \
    "ssat " sum ", #8, " sum "\n"
#define LOOK_UP                                                                                                        \
    "ldr r8, [r12, #60]\n"                                                                                             \
    "ldrsb r4, [r8, r4]\n"                                                                                             \
    "ldrsb r5, [r8, r5]\n"                                                                                             \
    "ldrsb r6, [r8, r6]\n"                                                                                             \
    "ldrsb r7, [r8, r7]\n"
#define RUN(look_up)                                                                                                   \
    __asm__("push {r0, r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"                                                        \
            "0:\n"                                                                                                     \
            "ldr r12, [sp]\n"                                                                                          \
            "ldm r12, {r0, r1, r2, r3}\n"                                                                              \
            "ldrd r4, r5, [r12, #28]\n"                                                                                \
            "add r2, r1, r2\n"                                                                                         \
            "mov r6, r4\n"                                                                                             \
            "mov r7, r5\n"                                                                                             \
            "1:\n" STEP_2X2 STEP_2X2 STEP_2X2 STEP_2X2                                                                 \
            "subs r3, r3, #1\n"                                                                                        \
            "bne 1b\n"                                                                                                 \
            "ldr r12, [sp]\n"                                                                                          \
            "ldrd r0, r1, [r12, #4]\n"                                                                                 \
            "ldrd r8, r9, [r12, #36]\n"                                                                                \
            "ldr r10, [r12, #44]\n"                                                                                    \
            "add r0, r0, r1, lsl #1\n"                                                                                 \
            "str r0, [r12, #4]\n" FINISH("r4") FINISH("r6")                                                            \
            "ldrd r8, r9, [r12, #48]\n"                                                                                \
            "ldr r10, [r12, #56]\n" FINISH("r5") FINISH("r7") look_up                                                  \
            "ldrd r0, r1, [r12, #20]\n"                                                                                \
            "ldr r3, [r12, #16]\n"                                                                                     \
            "strb r4, [r0]\n"                                                                                          \
            "strb r5, [r0, #1]\n"                                                                                      \
            "add r0, r0, r1\n"                                                                                         \
            "strb r6, [r0]\n"                                                                                          \
            "strb r7, [r0, #1]\n"                                                                                      \
            "add r0, r0, r1\n"                                                                                         \
            "subs r3, r3, #1\n"                                                                                        \
            "str r0, [r12, #20]\n"                                                                                     \
            "str r3, [r12, #16]\n"                                                                                     \
            "bne 0b\n"                                                                                                 \
            "pop {r0, r4, r5, r6, r7, r8, r9, r10, r11, pc}\n")

ECGKD_NAKED void ecgkd_dsp_run(ecgkd_dsp_job_t *job)
{
    RUN("");
}

ECGKD_NAKED void ecgkd_dsp_run_table(ecgkd_dsp_job_t *job)
{
    RUN(LOOK_UP);
}

#define STEP_2X1                                                                                                       \
    "ldm r1!, {r6, r7, r8, r9}\n"                                                                                      \
    "ldrd r10, r11, [r2], #8\n"                                                                                        \
    "smlad r4, r10, r6, r4\n"                                                                                          \
    "smlad r5, r10, r8, r5\n"                                                                                          \
    "smlad r4, r11, r7, r4\n"                                                                                          \
    "smlad r5, r11, r9, r5\n"

ECGKD_NAKED void ecgkd_dsp_dot_2x1(int32_t *sums, const int32_t *pair, const int32_t *column,
                                              int32_t blocks)
{
    __asm__("push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n"
            "ldm r0, {r4, r5}\n"
            "1:\n" STEP_2X1 STEP_2X1 STEP_2X1 STEP_2X1 "subs r3, r3, #1\n"
            "bne 1b\n"
            "stm r0, {r4, r5}\n"
            "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}\n");
}

#endif
