/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t conv1d_stem_odd_layer_weights[80] ECGKD_ALIGNED = {
    -59,-97,-33,-20,-92,-19,110,0,0,0,0,0,0,0,0,0,-59,-77,-47,100,83,74,-70,0,0,0,0,0,0,0,0,0,74,-63,-52,-58,65,-24,
    -86,0,0,0,0,0,0,0,0,0,122,81,36,-126,-84,50,12,0,0,0,0,0,0,0,0,0,-30,-126,115,-107,-78,-99,-114,0,0,0,0,0,0,0,0,
    0,
};
static const int32_t conv1d_stem_odd_layer_bias[5] ECGKD_ALIGNED = {
    -5585,2711,-2958,4385,-16141,
};
static const int32_t conv1d_stem_odd_layer_multiplier[5] ECGKD_ALIGNED = {
    1121785441,1898369902,1350125989,1991841747,1215721729,
};
static const int8_t conv1d_stem_odd_layer_shift[5] ECGKD_ALIGNED = {
    -6,-8,-7,-9,-7,
};
static const ecgkd_conv1d_t conv1d_stem_odd_op = {.layer = {.weights = conv1d_stem_odd_layer_weights, .bias = conv1d_stem_odd_layer_bias, .multiplier = conv1d_stem_odd_layer_multiplier, .shift = conv1d_stem_odd_layer_shift, .table = NULL, .outputs = 5, .depth = 7, .out_zero_point = 16, .low = -128, .high = 127, .quick = 1}, .in_steps = 41, .channels = 1, .taps = 7, .stride = 3, .pad_left = 3, .out_steps = 14, .chunk = 6, .in_zero_point = -44};
static const int8_t conv1d_stem_odd_in0[41] ECGKD_ALIGNED = {
    127,100,-94,-7,115,61,-122,3,-26,40,-46,65,59,22,-47,115,77,-104,108,-120,118,36,103,-92,82,-17,44,82,46,48,90,
    114,41,-14,77,-65,32,-81,84,-49,-56,
};
static const int8_t conv1d_stem_odd_expected[70] ECGKD_ALIGNED = {
    -49,103,20,-48,-97,-128,64,124,48,-128,-76,-71,-30,69,-40,105,57,-96,1,-115,54,6,-39,12,-75,-26,24,-13,-8,-128,
    -31,23,-52,59,-128,-14,15,47,7,4,-38,20,-62,31,-128,-42,38,-27,23,-128,-128,66,17,17,-128,-128,-37,11,50,-118,
    -68,39,-35,39,-128,14,-7,37,39,112,
};
static const case_t case_conv1d_stem_odd = {"conv1d_stem_odd", run_conv1d, &conv1d_stem_odd_op, {conv1d_stem_odd_in0, NULL, NULL},
    {41, 0, 0}, conv1d_stem_odd_expected, NULL, 70, ECGKD_CONV1D_SCRATCH(1, 7, 3, 6), 0};
