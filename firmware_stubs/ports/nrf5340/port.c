/* Example of a board's port: Nordic nRF5340 (Cortex-M33 at 128 MHz), application core in its secure state, on the
 * development kit's first serial line (1 Mbit/s, TX P0.20, RX P0.22). NOT RUN ON HARDWARE: it is compiled and linked by
 * the tests, written after the product specification. Registers are named as there. */
#include "ecgkd_port.h"

#include <stdbool.h>
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

enum { TX_PIN = 20, RX_PIN = 22, BUFFER = 256 };
#define PROCESSOR_HZ 128000000u
const uint32_t ecgkd_port_ticks_per_second = PROCESSOR_HZ;

/* CLOCK, P0, UARTE0: secure addresses. */
#define CLOCK_TASKS_HFCLKSTART REGISTER(0x50005000u)
#define CLOCK_EVENTS_HFCLKSTARTED REGISTER(0x50005100u)
#define CLOCK_HFCLKCTRL REGISTER(0x500055B8u)
#define P0_OUTSET REGISTER(0x50842508u)
#define P0_DIRSET REGISTER(0x50842518u)
#define UARTE_TASKS_STARTRX REGISTER(0x50008000u)
#define UARTE_TASKS_STARTTX REGISTER(0x50008008u)
#define UARTE_EVENTS_ENDRX REGISTER(0x50008110u)
#define UARTE_EVENTS_ENDTX REGISTER(0x50008120u)
#define UARTE_ENABLE REGISTER(0x50008500u)
#define UARTE_PSEL_TXD REGISTER(0x5000850Cu)
#define UARTE_PSEL_RXD REGISTER(0x50008514u)
#define UARTE_BAUDRATE REGISTER(0x50008524u)
#define UARTE_RXD_PTR REGISTER(0x50008534u)
#define UARTE_RXD_MAXCNT REGISTER(0x50008538u)
#define UARTE_TXD_PTR REGISTER(0x50008544u)
#define UARTE_TXD_MAXCNT REGISTER(0x50008548u)
enum { CLOCK_128_MHZ = 0, UARTE_ENABLED = 8, BAUD_1M = 0x10000000 };

/* The core's own cycle counter. */
#define DEMCR REGISTER(0xE000EDFCu)
#define DWT_CTRL REGISTER(0xE0001000u)
#define DWT_CYCCNT REGISTER(0xE0001004u)
enum { TRACE_ON = 1 << 24, COUNT_CYCLES = 1 };

static void start_once(void)
{
    static bool started;
    if (started)
        return;
    started = true;
    CLOCK_HFCLKCTRL = CLOCK_128_MHZ;
    CLOCK_EVENTS_HFCLKSTARTED = 0;
    CLOCK_TASKS_HFCLKSTART = 1;
    while (CLOCK_EVENTS_HFCLKSTARTED == 0)
        continue;
    P0_OUTSET = 1u << TX_PIN;
    P0_DIRSET = 1u << TX_PIN;
    UARTE_PSEL_TXD = TX_PIN;
    UARTE_PSEL_RXD = RX_PIN;
    UARTE_BAUDRATE = BAUD_1M;
    UARTE_ENABLE = UARTE_ENABLED;
    DEMCR |= TRACE_ON;
    DWT_CYCCNT = 0;
    DWT_CTRL |= COUNT_CYCLES;
}

/* Cycles; the counter wraps every 33 s, so it has to be read more often than that. */
uint64_t ecgkd_port_ticks(void)
{
    static uint32_t last;
    static uint64_t wrapped;
    uint32_t now;
    start_once();
    now = DWT_CYCCNT;
    if (now < last)
        wrapped += (uint64_t)1 << 32;
    last = now;
    return wrapped + now;
}

/* DMA reads RAM alone: constants pass through a buffer. */
void ecgkd_port_write(const void *bytes, size_t n)
{
    static uint8_t buffer[BUFFER];
    const uint8_t *at = bytes;
    start_once();
    while (n > 0) {
        const size_t part = n < BUFFER ? n : BUFFER;
        memcpy(buffer, at, part);
        UARTE_EVENTS_ENDTX = 0;
        UARTE_TXD_PTR = (uint32_t)(uintptr_t)buffer;
        UARTE_TXD_MAXCNT = part;
        __asm volatile("dsb" ::: "memory");
        UARTE_TASKS_STARTTX = 1;
        while (UARTE_EVENTS_ENDTX == 0)
            continue;
        at += part;
        n -= part;
    }
}

/* Waits for all n bytes: a serial line has no end. */
size_t ecgkd_port_read(void *bytes, size_t n)
{
    start_once();
    if (n == 0)
        return 0;
    UARTE_EVENTS_ENDRX = 0;
    UARTE_RXD_PTR = (uint32_t)(uintptr_t)bytes;
    UARTE_RXD_MAXCNT = n;
    UARTE_TASKS_STARTRX = 1;
    while (UARTE_EVENTS_ENDRX == 0)
        continue;
    __asm volatile("dsb" ::: "memory");
    return n;
}

/* Nobody waits for a board's exit code. */
void ecgkd_port_exit(int code)
{
    (void)code;
    for (;;)
        __asm volatile("wfi");
}
