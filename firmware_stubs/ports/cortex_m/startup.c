/* Reset and faults of a Cortex-M: vector table, floating point and Helium on, data and bss set up, main() called. */
#include "ecgkd_port.h"

#include <stdint.h>
#include <string.h>

extern uint8_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_bottom[], stack_top[];

int main(void);
void reset(void);
void fault(void);
uint64_t cortex_m_stack_used(void);

/* Architecture reference manual: Configuration and Control, Coprocessor Access Control. */
#define CCR (*(volatile uint32_t *)0xE000ED14u)
#define CPACR (*(volatile uint32_t *)0xE000ED88u)
enum { CCR_LOOP_CACHE = 1 << 19, CPACR_FLOATING_POINT_AND_HELIUM = 0xF << 20 };

enum { UNTOUCHED = 0xA5 };

/* The most bytes of stack that were in use since reset. */
uint64_t cortex_m_stack_used(void)
{
    const uint8_t *lowest = stack_bottom;
    while (lowest < stack_top && *lowest == UNTOUCHED)
        lowest++;
    return (uint64_t)(stack_top - lowest);
}

static void paint_stack(void)
{
    const volatile uint8_t *end = (const volatile uint8_t *)__builtin_frame_address(0) - 64;
    for (volatile uint8_t *at = stack_bottom; at < end; at++)
        *at = UNTOUCHED;
}

void reset(void)
{
    CPACR |= CPACR_FLOATING_POINT_AND_HELIUM;
#if defined(__ARM_FEATURE_MVE)
    CCR |= CCR_LOOP_CACHE;
#endif
    __asm volatile("dsb\n isb" ::: "memory");
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    paint_stack();
    ecgkd_port_exit(main());
}

void fault(void)
{
    static const char message[] = "fault\n";
    ecgkd_port_write(message, sizeof message - 1);
    ecgkd_port_exit(70);
}

#define FAULT (const void *)fault
__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (const void *)reset, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT,
    FAULT,     FAULT,               FAULT, FAULT, FAULT, FAULT, FAULT, FAULT,
};
