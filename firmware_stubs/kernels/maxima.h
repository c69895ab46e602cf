/* Inside the library. */
#ifndef ECGKD_MAXIMA_H
#define ECGKD_MAXIMA_H

#include "ecgkd_nn.h"
#include "target.h"

/* out [channels] = the largest over the steps of in [steps, channels]. */
void ecgkd_maximum_s8(const int8_t *in, int32_t steps, int32_t channels, int8_t *out);

#endif
