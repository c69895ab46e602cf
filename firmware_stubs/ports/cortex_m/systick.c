/* Ticks from SysTick, which every Cortex-M has: 24 bits down, 2^24 added at each wrap that a reading sees. Read it at
 * least once in 2^24 ticks (0.5 s at 32 MHz), or wraps are lost: the runner reads it at every window. */
#include "ecgkd_port.h"

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
enum { ENABLE_ON_PROCESSOR_CLOCK = 5, COUNTED_TO_ZERO = 1 << 16, FULL = 0xFFFFFF };

#ifndef PROCESSOR_HZ
#define PROCESSOR_HZ 25000000u
#endif
const uint32_t ecgkd_port_ticks_per_second = PROCESSOR_HZ;

uint64_t ecgkd_port_ticks(void)
{
    static uint64_t wrapped;
    uint32_t now;
    if ((SYST_CSR & 1u) == 0) {
        SYST_RVR = FULL;
        SYST_CVR = 0;
        SYST_CSR = ENABLE_ON_PROCESSOR_CLOCK;
    }
    now = SYST_CVR;
    if ((SYST_CSR & COUNTED_TO_ZERO) != 0) {
        wrapped += (uint64_t)FULL + 1;
        now = SYST_CVR;
    }
    return wrapped + ((0u - now) & FULL);
}
