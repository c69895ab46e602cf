/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const int8_t conv1d_gate_layer_weights[32] ECGKD_ALIGNED = {
    93,-93,38,89,103,-126,37,88,89,126,-58,-126,-36,117,51,120,77,2,16,122,-24,-85,124,21,-27,-8,54,83,-28,-64,0,0,
};
static const int32_t conv1d_gate_layer_bias[1] ECGKD_ALIGNED = {
    71827,
};
static const int32_t conv1d_gate_layer_multiplier[1] ECGKD_ALIGNED = {
    1340456575,
};
static const int8_t conv1d_gate_layer_shift[1] ECGKD_ALIGNED = {
    -9,
};
static const ecgkd_conv1d_t conv1d_gate_op = {.layer = {.weights = conv1d_gate_layer_weights, .bias = conv1d_gate_layer_bias, .multiplier = conv1d_gate_layer_multiplier, .shift = conv1d_gate_layer_shift, .table = NULL, .outputs = 1, .depth = 30, .out_zero_point = -19, .low = -128, .high = 127, .quick = 1}, .in_steps = 45, .channels = 2, .taps = 15, .stride = 1, .pad_left = 7, .out_steps = 45, .chunk = 2, .in_zero_point = -89};
static const int8_t conv1d_gate_in0[90] ECGKD_ALIGNED = {
    126,2,110,-15,17,-93,69,9,95,-112,12,4,7,25,96,-41,111,-77,-74,114,76,-80,-5,-34,-27,-77,-31,40,-96,-123,95,-33,
    -19,33,-83,-13,99,-79,73,124,83,117,65,-81,41,-48,124,33,106,-36,-50,-19,-68,-2,32,44,73,-2,-11,65,-87,-4,-8,
    -44,-7,96,-102,44,-10,-107,-113,46,-2,98,49,-13,-104,-98,-5,-97,-107,-58,-107,30,-1,-96,-66,-115,-108,28,
};
static const int8_t conv1d_gate_expected[45] ECGKD_ALIGNED = {
    48,58,-25,71,96,31,93,127,18,127,62,86,51,72,88,95,33,93,72,117,94,50,58,127,59,49,103,127,94,43,102,85,50,97,2,
    84,95,-7,1,49,-1,13,41,-33,27,
};
static const case_t case_conv1d_gate = {"conv1d_gate", run_conv1d, &conv1d_gate_op, {conv1d_gate_in0, NULL, NULL},
    {90, 0, 0}, conv1d_gate_expected, NULL, 45, ECGKD_CONV1D_SCRATCH(2, 15, 1, 2), 0};
