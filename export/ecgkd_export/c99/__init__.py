"""C99: a typed int8 graph as const tables and one list of operations, for the kernels of firmware_stubs/."""
