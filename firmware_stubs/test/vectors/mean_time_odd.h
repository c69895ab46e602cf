/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_mean_t mean_time_odd_op = {.outer = 1, .count = 7, .inner = 5, .multiplier = 697234964, .shift = 1, .out_zero_point = 4, .low = -128, .high = 127, .in_zero_point = -60};
static const int8_t mean_time_odd_in0[35] ECGKD_ALIGNED = {
    -56,23,-75,102,-66,76,-107,127,73,-118,20,-18,-9,33,58,35,-95,-91,118,-14,-38,70,-67,-21,-116,-35,20,-125,-90,
    51,-80,15,-97,-36,111,
};
static const int8_t mean_time_odd_expected[5] ECGKD_ALIGNED = {
    127,127,58,127,127,
};
static const case_t case_mean_time_odd = {"mean_time_odd", run_mean, &mean_time_odd_op, {mean_time_odd_in0, NULL, NULL},
    {35, 0, 0}, mean_time_odd_expected, NULL, 5, ECGKD_MEAN_SCRATCH(5), 0};
