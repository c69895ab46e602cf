/* python firmware_stubs/test/make_vectors.py --regold; reference: ecgkd_export.simulate, fixed; numpy 1.26.4 */
#include "conv1d_stem.h"
#include "conv1d_stem_odd.h"
#include "conv1d_odd_step.h"
#include "conv1d_residual.h"
#include "conv1d_down.h"
#include "conv1d_shortcut.h"
#include "conv1d_gate.h"
#include "conv1d_short.h"
#include "conv1d_one_side.h"
#include "conv1d_wide.h"
#include "conv1d_dead_channels.h"
#include "conv1d_tiny_steps.h"
#include "conv1d_relu.h"
#include "conv1d_nothing.h"
#include "depthwise_conv1d_odd.h"
#include "fully_connected_patches.h"
#include "fully_connected_tokens.h"
#include "fully_connected_one_row.h"
#include "fully_connected_one_column.h"
#include "fully_connected_squeeze.h"
#include "fully_connected_excite.h"
#include "fully_connected_tiny.h"
#include "fully_connected_two_rows.h"
#include "fully_connected_odd.h"
#include "fully_connected_gelu.h"
#include "fully_connected_strided.h"
#include "matmul_scores.h"
#include "matmul_mix.h"
#include "matmul_class_tokens.h"
#include "matmul_odd.h"
#include "matmul_odd_transposed.h"
#include "matmul_single.h"
#include "matmul_extreme.h"
#include "matmul_extreme_mix.h"
#include "matmul_heads.h"
#include "matmul_heads_mix.h"
#include "softmax_tokens.h"
#include "softmax_sharp.h"
#include "softmax_flat.h"
#include "softmax_long.h"
#include "softmax_one.h"
#include "softmax_five.h"
#include "l2_norm_tokens.h"
#include "l2_norm_embedding.h"
#include "l2_norm_odd.h"
#include "l2_norm_long.h"
#include "l2_norm_one.h"
#include "mean_time.h"
#include "reduce_max_time.h"
#include "mean_time_odd.h"
#include "reduce_max_time_odd.h"
#include "mean_channels.h"
#include "reduce_max_channels.h"
#include "mean_channels_odd.h"
#include "reduce_max_channels_odd.h"
#include "mean_long.h"
#include "reduce_max_long.h"
#include "max_pool_stem.h"
#include "max_pool_odd.h"
#include "lookup_gelu.h"
#include "lookup_logistic.h"
#include "lookup_rsqrt.h"
#include "lookup_rescale.h"
#include "lookup_square.h"
#include "add_same.h"
#include "sub_same.h"
#include "mul_same.h"
#include "add_odd.h"
#include "sub_odd.h"
#include "mul_odd.h"
#include "add_column.h"
#include "sub_column.h"
#include "mul_column.h"
#include "add_first_column.h"
#include "sub_first_column.h"
#include "mul_first_column.h"
#include "add_row.h"
#include "sub_row.h"
#include "mul_row.h"
#include "add_one.h"
#include "sub_one.h"
#include "mul_one.h"
#include "add_far.h"
#include "sub_far.h"
#include "add_exact.h"
#include "sub_exact.h"
#include "add_exact_clipped.h"
#include "sub_exact_clipped.h"
#include "carry_tokens.h"
#include "carry_tokens_first.h"
#include "carry_odd.h"
#include "carry_odd_last.h"
#include "carry_odd_first.h"
#include "carry_odd_first_last.h"
#include "carry_many.h"
#include "carry_many_first.h"
#include "copy_transpose.h"
#include "copy_reverse.h"
#include "copy_slice.h"

static const case_t *const cases[] = {
    &case_conv1d_stem,
    &case_conv1d_stem_odd,
    &case_conv1d_odd_step,
    &case_conv1d_residual,
    &case_conv1d_down,
    &case_conv1d_shortcut,
    &case_conv1d_gate,
    &case_conv1d_short,
    &case_conv1d_one_side,
    &case_conv1d_wide,
    &case_conv1d_dead_channels,
    &case_conv1d_tiny_steps,
    &case_conv1d_relu,
    &case_conv1d_nothing,
    &case_depthwise_conv1d_odd,
    &case_fully_connected_patches,
    &case_fully_connected_tokens,
    &case_fully_connected_one_row,
    &case_fully_connected_one_column,
    &case_fully_connected_squeeze,
    &case_fully_connected_excite,
    &case_fully_connected_tiny,
    &case_fully_connected_two_rows,
    &case_fully_connected_odd,
    &case_fully_connected_gelu,
    &case_fully_connected_strided,
    &case_matmul_scores,
    &case_matmul_mix,
    &case_matmul_class_tokens,
    &case_matmul_odd,
    &case_matmul_odd_transposed,
    &case_matmul_single,
    &case_matmul_extreme,
    &case_matmul_extreme_mix,
    &case_matmul_heads,
    &case_matmul_heads_mix,
    &case_softmax_tokens,
    &case_softmax_sharp,
    &case_softmax_flat,
    &case_softmax_long,
    &case_softmax_one,
    &case_softmax_five,
    &case_l2_norm_tokens,
    &case_l2_norm_embedding,
    &case_l2_norm_odd,
    &case_l2_norm_long,
    &case_l2_norm_one,
    &case_mean_time,
    &case_reduce_max_time,
    &case_mean_time_odd,
    &case_reduce_max_time_odd,
    &case_mean_channels,
    &case_reduce_max_channels,
    &case_mean_channels_odd,
    &case_reduce_max_channels_odd,
    &case_mean_long,
    &case_reduce_max_long,
    &case_max_pool_stem,
    &case_max_pool_odd,
    &case_lookup_gelu,
    &case_lookup_logistic,
    &case_lookup_rsqrt,
    &case_lookup_rescale,
    &case_lookup_square,
    &case_add_same,
    &case_sub_same,
    &case_mul_same,
    &case_add_odd,
    &case_sub_odd,
    &case_mul_odd,
    &case_add_column,
    &case_sub_column,
    &case_mul_column,
    &case_add_first_column,
    &case_sub_first_column,
    &case_mul_first_column,
    &case_add_row,
    &case_sub_row,
    &case_mul_row,
    &case_add_one,
    &case_sub_one,
    &case_mul_one,
    &case_add_far,
    &case_sub_far,
    &case_add_exact,
    &case_sub_exact,
    &case_add_exact_clipped,
    &case_sub_exact_clipped,
    &case_carry_tokens,
    &case_carry_tokens_first,
    &case_carry_odd,
    &case_carry_odd_last,
    &case_carry_odd_first,
    &case_carry_odd_first_last,
    &case_carry_many,
    &case_carry_many_first,
    &case_copy_transpose,
    &case_copy_reverse,
    &case_copy_slice,
};
