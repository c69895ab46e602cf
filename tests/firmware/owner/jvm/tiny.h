/* A network small enough to read: how alike the window is to itself 4, 8, … 32 samples later. */
#ifndef TINY_H
#define TINY_H
#include "ecgkd_nn.h"
#define TINY_ARENA_SIZE 16
extern const ecgkd_model_t tiny;
#endif
