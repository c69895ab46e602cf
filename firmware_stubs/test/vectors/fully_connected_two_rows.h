/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t fully_connected_two_rows_layer_weights[240] ECGKD_ALIGNED = {
    -64,82,-47,-39,31,109,-104,26,-92,43,-107,91,-63,-98,15,9,-45,-32,-89,8,-121,-103,-83,-112,17,25,-125,-113,69,
    47,72,-42,-89,-11,70,-9,29,80,-77,111,123,15,8,-3,-83,39,57,-99,-60,-47,5,-123,-63,-115,-97,67,73,-35,-33,54,32,
    -11,7,-92,107,-108,88,87,-19,15,-43,-75,-103,35,-38,78,-90,-47,-111,98,10,45,67,-106,-29,126,-13,32,-24,-6,87,
    53,-126,-4,-23,56,41,111,27,100,24,9,109,44,-60,-67,28,50,42,-9,117,16,-60,-118,-86,-27,-92,111,51,-57,93,-77,
    -93,-124,-85,-92,-98,-54,-72,109,57,68,104,-80,92,0,37,-95,-124,-77,-23,-116,-66,-89,46,29,-111,80,-41,30,121,
    77,-54,5,49,-107,87,-96,-49,-102,49,-11,31,-7,45,79,-17,27,-21,97,122,68,2,57,-101,113,109,95,-112,113,102,-116,
    -126,66,29,-64,-29,-10,104,-127,-32,3,-122,103,-4,80,46,-125,29,-99,-20,-122,-96,110,-46,-44,-58,65,81,-101,49,
    4,-15,13,-8,71,-87,36,74,-47,43,2,66,-84,99,-10,31,-85,-106,-63,-28,-60,-95,-28,84,-39,-57,-101,37,-24,
};
static const int32_t fully_connected_two_rows_layer_bias[5] ECGKD_ALIGNED = {
    -56671,-35974,-35646,44386,-53648,
};
static const int32_t fully_connected_two_rows_layer_multiplier[5] ECGKD_ALIGNED = {
    2060506815,2060506815,2060506815,2060506815,2060506815,
};
static const int8_t fully_connected_two_rows_layer_shift[5] ECGKD_ALIGNED = {
    -8,-8,-8,-8,-8,
};
static const ecgkd_fully_connected_t fully_connected_two_rows_op = {.layer = {.weights = fully_connected_two_rows_layer_weights, .bias = fully_connected_two_rows_layer_bias, .multiplier = fully_connected_two_rows_layer_multiplier, .shift = fully_connected_two_rows_layer_shift, .table = NULL, .outputs = 5, .depth = 48, .out_zero_point = -8, .low = -8, .high = 127, .quick = 1}, .rows = 2, .in_stride = 48, .out_stride = 5, .chunk = 10};
static const int8_t fully_connected_two_rows_in0[96] ECGKD_ALIGNED = {
    91,76,-56,-101,40,64,56,-58,15,31,-67,-63,-40,67,44,-2,63,-22,102,75,-60,35,-59,98,-24,-105,-90,81,27,100,-49,
    19,56,-99,34,50,-115,-4,42,79,-90,4,41,-38,-73,14,65,-6,-67,21,31,16,50,115,1,87,109,-126,-16,-31,70,99,-73,-55,
    23,-103,54,-107,-50,16,34,41,105,78,105,-88,12,-55,48,127,24,66,44,53,-118,-60,-11,-3,23,-26,75,125,-74,123,
    -113,22,
};
static const int8_t fully_connected_two_rows_expected[10] ECGKD_ALIGNED = {
    -8,-8,-8,74,-8,-8,-8,-8,127,-8,
};
static const case_t case_fully_connected_two_rows = {"fully_connected_two_rows", run_fully_connected, &fully_connected_two_rows_op, {fully_connected_two_rows_in0, NULL, NULL},
    {96, 0, 0}, fully_connected_two_rows_expected, NULL, 10, ECGKD_FULLY_CONNECTED_SCRATCH(48, 10), 0};
