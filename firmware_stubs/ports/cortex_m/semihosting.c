/* The four functions of ecgkd_port.h over Arm semihosting, for QEMU and for a board under a debugger.
 * The command line is INPUT OUTPUT, both files of the host: what is read and written; without them, its console. */
#include "ecgkd_port.h"

#include <stdbool.h>
#include <string.h>

enum { SYS_OPEN = 0x01, SYS_WRITE = 0x05, SYS_READ = 0x06, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };
enum { MODE_READ_BINARY = 1, MODE_WRITE_BINARY = 5 };
static const char console[] = ":tt";

static int32_t semihosting(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

/* The argument of that number (0 is the first after the program's name), or the console's name. */
static const char *argument(unsigned int number)
{
    static char line[512];
    uint32_t block[2] = {(uint32_t)(uintptr_t)line, sizeof line - 1};
    char *at = line;
    memset(line, 0, sizeof line);
    if (semihosting(SYS_GET_CMDLINE, block) != 0)
        return console;
    for (unsigned int skipped = 0; skipped <= number; skipped++) {
        at = strchr(at, ' ');
        if (at == NULL)
            return console;
        at++;
    }
    for (char *end = at; *end != 0; end++)
        if (*end == ' ')
            *end = 0;
    return at;
}

static int32_t opened(const char *name, uint32_t mode)
{
    uint32_t block[3] = {(uint32_t)(uintptr_t)name, mode, (uint32_t)strlen(name)};
    return semihosting(SYS_OPEN, block);
}

void ecgkd_port_write(const void *bytes, size_t n)
{
    static int32_t handle = -1;
    uint32_t block[3] = {0, (uint32_t)(uintptr_t)bytes, n};
    if (handle == -1)
        handle = opened(argument(1), MODE_WRITE_BINARY);
    block[0] = (uint32_t)handle;
    if (handle == -1 || semihosting(SYS_WRITE, block) != 0)
        ecgkd_port_exit(5);
}

size_t ecgkd_port_read(void *bytes, size_t n)
{
    static int32_t handle = -1;
    uint32_t block[3] = {0, (uint32_t)(uintptr_t)bytes, n};
    if (handle == -1)
        handle = opened(argument(0), MODE_READ_BINARY);
    if (handle == -1)
        ecgkd_port_exit(5);
    block[0] = (uint32_t)handle;
    return n - (size_t)semihosting(SYS_READ, block);
}

void ecgkd_port_exit(int code)
{
    const uint32_t application_exit = 0x20026u;
    uint32_t block[2] = {application_exit, (uint32_t)code};
    for (;;)
        (void)semihosting(SYS_EXIT_EXTENDED, block);
}
