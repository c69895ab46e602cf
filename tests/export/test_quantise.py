"""Quantised graphs obey TFLite's specification, stay near the float graph, and say what each rounding costs."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ecgkd_export.errors import GraphError
from ecgkd_export.fake_quant import cosine_loss, real, sensitivity, table
from ecgkd_export.float_run import run_float
from ecgkd_export.graph import DType, Graph, Kind, Quant, Tensor
from ecgkd_export.quantise import MAX_BIAS, Mode, Options, integer_weights, quantise
from ecgkd_export.quantise_plan import DEMANDED, KEEPS_SCALE, Stream, activation, running_sums
from ecgkd_export.ranges import Ranges, collect, estimate
from ecgkd_export.rewrite import Form, Profile, prepare
from ecgkd_export.rewrite.draft import Draft
from ecgkd_export.simulate import simulate

from .transformer import transformer, windows


@pytest.fixture(scope="module")
def prepared() -> tuple[Graph, Ranges]:
    graph = prepare(transformer(blocks=3))
    return graph, estimate(collect(graph, windows()))


def loss(graph: Graph, quantised: Graph, given: NDArray[np.float32]) -> float:
    return cosine_loss(run_float(graph, given)["unit"], run_float(quantised, given)["unit"])


def quant(tensor: Tensor) -> Quant:
    assert tensor.quant is not None
    return tensor.quant


@pytest.mark.parametrize("form", [Form(), Form(profile=Profile.MCU)])
@pytest.mark.parametrize("stream", [Stream.INT8, Stream.CARRY])
def test_every_tensor_is_as_the_specification_says(form: Form, stream: Stream) -> None:
    graph = prepare(transformer(), form)
    made = quantise(graph, estimate(collect(graph, windows())), Options(stream=stream))
    makers = made.makers()
    for op in made.ops:
        output = made.tensors[op.output]
        assert output.dtype == DType.INT8
        if op.kind in DEMANDED:
            scale, zero_point = DEMANDED[op.kind]
            assert (float(quant(output).scale[0]), quant(output).zero_point) == (scale, zero_point)
        if op.kind in KEEPS_SCALE:
            for name in op.inputs:
                assert np.array_equal(quant(made.tensors[name]).scale, quant(output).scale)
                assert quant(made.tensors[name]).zero_point == quant(output).zero_point
        if op.kind == Kind.RSQRT:
            assert quant(made.tensors[op.inputs[0]]).zero_point == -128
        if op.kind == Kind.MATMUL:
            assert quant(made.tensors[op.inputs[1]]).zero_point == 0
        if op.kind in (Kind.FULLY_CONNECTED, Kind.CONV):
            x, weights, bias = (made.tensors[name] for name in op.inputs)
            assert (weights.dtype, bias.dtype) == (DType.INT8, DType.INT32)
            assert quant(weights).axis == 0
            assert np.allclose(quant(bias).scale, quant(x).scale * quant(weights).scale, rtol=1e-6)
            assert weights.data is not None
            assert weights.data.min() >= -127
    assert quant(made.tensors["window"]).scale[0] == np.float32(1 / 16)
    assert quant(made.tensors["window"]).zero_point == 0
    assert makers["unit"].kind == Kind.L2_NORM


def test_int8_stays_near_float_and_the_simulation_near_both(prepared: tuple[Graph, Ranges]) -> None:
    graph, ranges = prepared
    given = windows(20, seed=5)
    made = quantise(graph, ranges)
    assert loss(graph, made, given) < 0.01
    integers = np.rint(given * 16).astype(np.int8)
    steps = simulate(made, integers)["unit"].astype(np.float32) / 128
    assert cosine_loss(steps, run_float(made, given)["unit"]) < 0.005


def test_a_carry_keeps_rounding_from_adding_up() -> None:
    graph = prepare(transformer(blocks=6))
    ranges, given = estimate(collect(graph, windows())), windows(60, seed=5)
    rounded = {stream: quantise(graph, ranges, Options(stream=stream)) for stream in (Stream.INT8, Stream.CARRY)}
    last = list(running_sums(graph))[-2]
    exact = run_float(graph, given, keep=[last])[last]
    error = {s: np.square(run_float(one, given, keep=[last])[last] - exact).mean() for s, one in rounded.items()}
    assert error[Stream.CARRY] < error[Stream.INT8]
    kinds = [op.kind for op in rounded[Stream.CARRY].ops]
    assert Kind.SUB in kinds
    assert Kind.QUANTISE not in kinds


def test_w8_has_int8_weights_and_nothing_else_but_a_last_layer_on_a_single_row(prepared: tuple[Graph, Ranges]) -> None:
    graph, _ = prepared
    made = quantise(graph, {}, Options(mode=Mode.W8))
    *layers, head = [op for op in made.ops if op.kind == Kind.FULLY_CONNECTED]
    assert np.prod(made.tensors[head.inputs[0]].shape[:-1]) == 1
    weights = {op.inputs[1] for op in layers}
    assert {name for name, tensor in made.tensors.items() if tensor.dtype == DType.INT8} == weights
    assert loss(graph, made, windows(10)) < 0.001


def test_zero_is_on_the_grid_of_every_range() -> None:
    for low, high in ((-1.0, 3.0), (0.0, 5.0), (-2.0, 0.0), (1.0, 2.0), (0.0, 0.0), (-1e-30, 1e-30)):
        one = activation(low, high)
        assert -128 <= one.zero_point <= 127
        assert one.scale[0] > 0
        steps = np.rint(np.array([min(low, 0), max(high, 0)]) / one.scale[0]) + one.zero_point
        assert np.all((steps >= -129) & (steps <= 128))


def test_weights_of_nothing_and_large_biases_stay_within_their_types() -> None:
    weights = np.array([[0.0, 0.0], [1e-9, 0.0], [1.0, -1.0]], np.float32)
    bias = np.array([0.0, 100.0, 1.0], np.float32)
    kernel, scale = integer_weights(weights, bias, 1 / 16, True)
    assert kernel[2].tolist() == [127, -127]
    assert np.all(np.abs(bias / (scale.astype(np.float64) / 16)) <= MAX_BIAS * 1.001)


def test_one_scale_for_a_layer_where_asked(prepared: tuple[Graph, Ranges]) -> None:
    made = quantise(*prepared, Options(linear_per_channel=False))
    scales = {len(quant(made.tensors[op.inputs[1]]).scale) for op in made.ops if op.kind == Kind.FULLY_CONNECTED}
    assert scales == {1}


def test_layer_norms_and_missing_ranges_are_refused(prepared: tuple[Graph, Ranges]) -> None:
    with pytest.raises(GraphError, match="layer_norm"):
        quantise(transformer(), {})
    graph, ranges = prepared
    name = next(op.output for op in graph.ops if op.kind == Kind.GELU)
    with pytest.raises(GraphError, match=name):
        quantise(graph, {key: value for key, value in ranges.items() if key != name})


def test_tied_tensors_of_two_demanded_scales_get_a_requantisation_between() -> None:
    draft = Draft(Graph({"window": Tensor("window", (2, 4))}, (), ("window",), ("window",)))
    unit = draft.add(Kind.L2_NORM, "norm", ("window",), (2, 4))
    share = draft.add(Kind.SOFTMAX, "share", ("window",), (2, 4))
    draft.outputs = (draft.add(Kind.CONCAT, "both", (unit, share), (4, 4), axis=0),)
    graph = draft.finish()
    made = quantise(graph, {"both": (-1.0, 1.0)})
    assert Kind.QUANTISE in [op.kind for op in made.ops]
    given = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
    difference = run_float(made, given)["both"] - run_float(graph, given)["both"]
    assert np.abs(difference).max() < 0.05


def test_sensitivity_ranks_the_tensor_that_was_spoilt_first(prepared: tuple[Graph, Ranges]) -> None:
    graph, ranges = prepared
    spoilt = next(op.output for op in graph.ops if op.kind == Kind.GELU)
    made = quantise(graph, {**ranges, spoilt: (-50.0, 50.0)})
    found = sensitivity(graph, made, windows(8))
    assert found[0].tensor == spoilt
    assert found[0].kind == "gelu"
    assert spoilt in table(found).splitlines()[1]
    assert [one.cost for one in found] == sorted((one.cost for one in found), reverse=True)


def test_a_constant_is_read_back_within_half_a_step(prepared: tuple[Graph, Ranges]) -> None:
    made = quantise(*prepared)
    op = next(op for op in made.ops if op.kind == Kind.FULLY_CONNECTED)
    weights = made.tensors[op.inputs[1]]
    exact = prepared[0].constant(op.inputs[1])
    assert np.all(np.abs(real(weights) - exact) <= quant(weights).scale[:, None] * 0.501)
