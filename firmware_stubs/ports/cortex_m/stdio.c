/* newlib's system calls on the port, for tests that print. The engine needs none of them. */
#include "ecgkd_port.h"

#include <sys/stat.h>

extern char heap_start[], heap_end[];
int _write(int file, const char *bytes, int n);
int _read(int file, char *bytes, int n);
int _close(int file);
int _fstat(int file, struct stat *status);
int _isatty(int file);
int _lseek(int file, int to, int from);
int _getpid(void);
int _kill(int process, int signal);
void *_sbrk(int bytes);
void _exit(int code);

int _write(int file, const char *bytes, int n)
{
    (void)file;
    ecgkd_port_write(bytes, (size_t)n);
    return n;
}

int _read(int file, char *bytes, int n)
{
    (void)file;
    return (int)ecgkd_port_read(bytes, (size_t)n);
}

int _close(int file)
{
    (void)file;
    return -1;
}

int _fstat(int file, struct stat *status)
{
    (void)file;
    status->st_mode = S_IFCHR;
    return 0;
}

int _isatty(int file)
{
    (void)file;
    return 1;
}

int _lseek(int file, int to, int from)
{
    (void)file;
    (void)to;
    (void)from;
    return 0;
}

int _getpid(void)
{
    return 1;
}

int _kill(int process, int signal)
{
    (void)process;
    ecgkd_port_exit(128 + signal);
    return 0;
}

void *_sbrk(int bytes)
{
    static char *end = heap_start;
    char *before = end;
    if (bytes > heap_end - end)
        return (void *)-1;
    end += bytes;
    return before;
}

void _exit(int code)
{
    ecgkd_port_exit(code);
    for (;;) {
    }
}
