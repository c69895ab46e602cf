/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_reduce_max_t reduce_max_channels_odd_op = {.outer = 6, .count = 19, .inner = 1};
static const int8_t reduce_max_channels_odd_in0[114] ECGKD_ALIGNED = {
    -88,52,49,-62,-72,-90,-33,-23,53,-81,-88,55,-15,54,-29,-65,32,83,-128,-59,-31,-94,19,52,19,-63,21,46,110,-68,53,
    3,-114,7,-43,-25,46,89,52,102,-41,-41,-120,65,-123,73,78,-90,-48,-12,-95,-47,-112,-61,-74,83,-86,43,124,92,91,
    -90,3,-35,-28,106,-62,-20,124,95,-78,126,78,-4,53,117,-13,49,85,30,-33,88,22,62,-11,17,-6,-34,-66,71,-120,-87,
    103,-109,-70,36,-97,-5,-22,124,117,79,102,122,63,78,50,-114,69,69,48,-109,-86,-94,
};
static const int8_t reduce_max_channels_odd_expected[6] ECGKD_ALIGNED = {
    83,110,102,126,103,124,
};
static const case_t case_reduce_max_channels_odd = {"reduce_max_channels_odd", run_reduce_max, &reduce_max_channels_odd_op, {reduce_max_channels_odd_in0, NULL, NULL},
    {114, 0, 0}, reduce_max_channels_odd_expected, NULL, 6, 0, 0};
