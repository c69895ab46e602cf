/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
static const ecgkd_max_pool_t max_pool_odd_op = {.in_steps = 9, .channels = 5, .size = 4, .stride = 3, .pad_left = 1, .out_steps = 3};
static const int8_t max_pool_odd_in0[45] ECGKD_ALIGNED = {
    -99,67,-38,-82,-46,-69,30,118,-42,-32,37,-74,-47,-59,126,-73,85,-31,93,35,0,44,111,71,-53,-110,-94,41,-69,-96,
    45,-87,-72,49,104,89,-62,20,121,67,118,-86,89,-1,57,
};
static const int8_t max_pool_odd_expected[15] ECGKD_ALIGNED = {
    37,67,118,-42,126,37,85,111,93,126,118,-62,89,121,104,
};
static const case_t case_max_pool_odd = {"max_pool_odd", run_max_pool, &max_pool_odd_op, {max_pool_odd_in0, NULL, NULL},
    {45, 0, 0}, max_pool_odd_expected, NULL, 15, 0, 0};
