#include "ecgkd.h"

const ecgkd_rate_t *ecgkd_rate_of(uint32_t fs)
{
    static const ecgkd_rate_t *const rates[] = {
        &ecgkd_rate_100, &ecgkd_rate_125, &ecgkd_rate_128, &ecgkd_rate_200, &ecgkd_rate_250,  &ecgkd_rate_256,
        &ecgkd_rate_300, &ecgkd_rate_360, &ecgkd_rate_500, &ecgkd_rate_512, &ecgkd_rate_1000,
    };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i]->fs == fs)
            return rates[i];
    return NULL;
}
