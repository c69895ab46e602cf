/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t fully_connected_squeeze_layer_weights[256] ECGKD_ALIGNED = {
    -108,78,19,-8,57,108,37,-126,-25,115,65,1,-95,-12,34,-77,30,83,-28,-38,-43,-45,-112,-113,47,-120,53,-18,58,47,
    42,-59,103,-107,73,67,-35,91,16,120,-72,-68,-96,37,42,-76,-9,67,122,71,81,95,-24,-38,25,-19,69,75,-98,-15,-3,
    -18,-28,-115,-121,5,-25,67,106,-70,102,-101,26,-42,92,-117,-79,23,26,-76,-104,-104,-100,121,31,36,79,-77,106,58,
    73,81,-70,-70,37,-75,125,-16,-37,57,115,80,117,8,46,39,-35,-85,39,-43,-110,-83,-95,92,-83,-24,-58,103,30,11,89,
    -103,7,-37,-41,-53,8,-86,105,-16,26,102,-91,-75,81,-4,-18,55,-88,-87,-55,61,-8,20,-39,48,-121,51,-66,38,57,44,
    -42,-15,-64,-5,91,-97,-28,59,-91,84,11,94,-40,91,125,-21,69,110,106,-27,-116,-108,-98,84,48,-38,126,-69,-8,109,
    -18,-19,61,-24,30,113,34,83,-98,46,-23,70,83,-109,-60,111,-37,-6,-102,27,104,9,70,120,125,61,73,125,-35,9,-70,2,
    46,-52,-98,-51,-108,98,73,-118,-106,122,-123,-61,107,126,60,93,61,5,81,65,30,-25,30,50,-73,-20,69,93,125,91,-68,
    94,11,126,29,-124,-12,-85,-120,-22,97,33,
};
static const int32_t fully_connected_squeeze_layer_bias[8] ECGKD_ALIGNED = {
    3739,-13875,8571,1777,4202,-25016,-12747,-37200,
};
static const int32_t fully_connected_squeeze_layer_multiplier[8] ECGKD_ALIGNED = {
    1654944979,2023591232,1728580344,1789074194,1239306227,1891688432,1999298803,1220425665,
};
static const int8_t fully_connected_squeeze_layer_shift[8] ECGKD_ALIGNED = {
    -8,-8,-8,-9,-7,-8,-8,-8,
};
static const ecgkd_fully_connected_t fully_connected_squeeze_op = {.layer = {.weights = fully_connected_squeeze_layer_weights, .bias = fully_connected_squeeze_layer_bias, .multiplier = fully_connected_squeeze_layer_multiplier, .shift = fully_connected_squeeze_layer_shift, .table = NULL, .outputs = 8, .depth = 32, .out_zero_point = -14, .low = -14, .high = 127, .quick = 1}, .rows = 1, .in_stride = 32, .out_stride = 8, .chunk = 10};
static const int8_t fully_connected_squeeze_in0[32] ECGKD_ALIGNED = {
    124,-112,84,61,-21,79,-45,9,-125,-66,-18,101,69,25,93,79,94,-52,-6,-74,-45,-60,-36,30,-24,72,24,26,-68,-97,5,
    -71,
};
static const int8_t fully_connected_squeeze_expected[8] ECGKD_ALIGNED = {
    -14,127,-14,-14,-14,-14,53,-14,
};
static const case_t case_fully_connected_squeeze = {"fully_connected_squeeze", run_fully_connected, &fully_connected_squeeze_op, {fully_connected_squeeze_in0, NULL, NULL},
    {32, 0, 0}, fully_connected_squeeze_expected, NULL, 8, ECGKD_FULLY_CONNECTED_SCRATCH(32, 10), 0};
