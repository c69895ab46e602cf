"""Cases of operators over rows and on single values, of the carry, and of what only moves numbers."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from vector_make import Fields, rounded, run, step, values
from vector_text import Case

from ecgkd_export import simulate_pointwise as pointwise
from ecgkd_export import simulate_rows as rows
from ecgkd_export.graph import DType, Kind, Quant, Shape


def rows_of_cases() -> Iterator[Case]:
    for seed, (what, shape, scale) in enumerate(
        [
            ("tokens", (14, 27), 0.04),
            ("sharp", (3, 27), 0.7),
            ("flat", (3, 16), 1e-4),
            ("long", (2, 131), 0.05),
            ("one", (3, 1), 0.1),
            ("five", (4, 5), 0.11),
        ]
    ):
        rng = np.random.default_rng(400 + seed)
        x, quant = values(rng, *shape), step(scale, 4)
        x[0] = -128
        expected = run(Kind.SOFTMAX, [(x, quant)], x.shape, step(1 / 256, -128))
        table = rows.softmax_table(quant, shape[1]).astype(np.int32)
        fields: Fields = {"table": table, "rows": shape[0], "width": shape[1]}
        yield Case("softmax", what, fields, (x,), expected, f"ECGKD_SOFTMAX_SCRATCH({shape[1]})", in_place=(0,))
    for seed, (what, shape, zero_point) in enumerate(
        [
            ("tokens", (9, 64), -3),
            ("embedding", (1, 192), 9),
            ("odd", (4, 7), -128),
            ("long", (2, 300), 127),
            ("one", (2, 1), 0),
        ]
    ):
        rng = np.random.default_rng(450 + seed)
        x = values(rng, *shape)
        x[-1] = zero_point
        if shape[0] > 2:
            x[-1, 0] = zero_point + 1
            x[-2] = np.clip(zero_point + rng.integers(-2, 3, shape[1]), -128, 127)
            x[-3] = zero_point
        expected = run(Kind.L2_NORM, [(x, step(0.03, zero_point))], x.shape, step(1 / 128))
        norm: Fields = {"rows": shape[0], "width": shape[1], "zero_point": zero_point}
        yield Case("l2_norm", what, norm, (x,), expected, in_place=(0,))


def reductions() -> Iterator[Case]:
    for seed, (what, shape, axes) in enumerate(
        [
            ("time", (1, 1, 61, 32), (1, 2)),
            ("time_odd", (1, 1, 7, 5), (1, 2)),
            ("channels", (1, 1, 23, 32), (3,)),
            ("channels_odd", (1, 1, 6, 19), (3,)),
            ("long", (1, 1, 300, 3), (2,)),
        ]
    ):
        rng = np.random.default_rng(500 + seed)
        x, quant, out = values(rng, *shape), step(0.05, -60), step(0.011, 4)
        if what == "long":
            x[:], x[0, 0, :, 1] = 127, -128
        inner = 1 if axes == (3,) else shape[3]
        count = shape[3] if axes == (3,) else shape[2]
        sizes = {"outer": x.size // (count * inner), "count": count, "inner": inner}
        expected_shape = tuple(1 if n in axes else size for n, size in enumerate(shape))
        expected = run(Kind.MEAN, [(x, quant)], expected_shape, out, axes=axes, keep=True)
        fields = sizes | rounded(rows.mean_parameters(quant, out, DType.INT8, count))
        fields["in_zero_point"] = quant.zero_point
        yield Case("mean", what, fields, (x,), expected, f"ECGKD_MEAN_SCRATCH({inner})")
        expected = run(Kind.REDUCE_MAX, [(x, quant)], expected_shape, quant, axes=axes, keep=True)
        yield Case("reduce_max", what, sizes, (x,), expected)
    for seed, (what, (steps, channels, size, stride, pad)) in enumerate(
        [("stem", (31, 16, 3, 2, (1, 1))), ("odd", (9, 5, 4, 3, (1, 2)))]
    ):
        rng = np.random.default_rng(550 + seed)
        x, quant = values(rng, 1, 1, steps, channels), step(0.1)
        out_steps = (steps + sum(pad) - size) // stride + 1
        shape = (1, 1, out_steps, channels)
        expected = run(Kind.MAX_POOL, [(x, quant)], shape, quant, size=size, stride=stride, pad=pad)
        fields = {"in_steps": steps, "channels": channels, "size": size, "stride": stride}
        yield Case("max_pool", what, {**fields, "pad_left": pad[0], "out_steps": out_steps}, (x,), expected)


def single_values() -> Iterator[Case]:
    x, quant, out = np.arange(-128, 128).astype(np.int8), step(0.05, 12), step(0.03, -80)
    tables = {
        "gelu": (Kind.GELU, pointwise.gelu_table(quant, out), quant, out),
        "logistic": (Kind.LOGISTIC, pointwise.logistic_table(quant, step(1 / 256, -128)), quant, step(1 / 256, -128)),
        "rsqrt": (Kind.RSQRT, pointwise.rsqrt_table(step(0.03, -128), out), step(0.03, -128), out),
    }
    for what, (kind, table, of, to) in tables.items():
        data = x if what != "logistic" else np.random.default_rng(600).permutation(x)[:77]
        expected = run(kind, [(data, of)], data.shape, to)
        yield Case("lookup", what, {"table": table, "count": data.size}, (data,), expected, in_place=(0,))
    finer = pointwise.requantise(x, 12, pointwise.requantise_parameters(quant, step(0.021, 3), DType.INT8))
    expected = run(Kind.QUANTISE, [(x, quant)], x.shape, step(0.021, 3))
    yield Case("lookup", "rescale", {"table": finer, "count": 256}, (x,), expected, in_place=(0,))
    product = pointwise.product_parameters(quant, quant, step(0.1, -128), DType.INT8, "none")
    square = pointwise.multiply(x, 12, x, 12, product)
    expected = run(Kind.MUL, [(x, quant), (x, quant)], x.shape, step(0.1, -128), activation="none")
    yield Case("lookup", "square", {"table": square, "count": 256}, (x,), expected, in_place=(0,))


def _shape(a: Shape, b: Shape) -> dict[str, int]:
    """Returns ecgkd_broadcast_t of two matrices."""
    if a == b:
        size = int(np.prod(a))
        return {"rows": 1, "columns": size, "a_row": 0, "a_column": 1, "b_row": 0, "b_column": 1}
    n, columns = np.broadcast_shapes(a, b)
    fields = {"rows": int(n), "columns": int(columns)}
    for name, of in (("a", a), ("b", b)):
        fields |= {f"{name}_row": of[1] if of[0] > 1 else 0, f"{name}_column": int(of[1] > 1)}
    return fields


PAIRS: Mapping[str, tuple[Shape, Shape]] = {
    "same": ((27, 16), (27, 16)),
    "odd": ((3, 7), (3, 7)),
    "column": ((11, 19), (11, 1)),
    "first_column": ((9, 1), (9, 16)),
    "row": ((1, 32), (9, 32)),
    "one": ((5, 5), (1, 1)),
}


def add_fields(a: Quant, b: Quant, out: Quant, activation: str) -> dict[str, int]:
    p = pointwise.sum_parameters(a, b, out, DType.INT8, activation)
    fields: dict[str, int] = {}
    for name, multiplier in (("a", p.a), ("b", p.b), ("out", p.output)):
        fields |= {f"{name}_multiplier": int(multiplier.mantissa), f"{name}_shift": int(multiplier.shift)}
    zero_points = {"a_zero_point": a.zero_point, "b_zero_point": b.zero_point, "out_zero_point": out.zero_point}
    return {**fields, **zero_points, "low": p.low, "high": p.high}


def _in_place(a: Shape, b: Shape) -> tuple[int, ...]:
    whole = np.broadcast_shapes(a, b)
    return tuple(n for n, shape in enumerate((a, b)) if shape == whole)


def sums() -> Iterator[Case]:
    for seed, (what, (a_shape, b_shape)) in enumerate(PAIRS.items()):
        rng = np.random.default_rng(700 + seed)
        a, b = values(rng, *a_shape), values(rng, *b_shape)
        left, right = step(0.02 + 0.01 * seed, -4 + seed), step(0.05, 128 - 9 * seed - 1)
        out, activation = step(0.04, 3), "relu" if seed % 2 else "none"
        shape, in_place = _shape(a_shape, b_shape), _in_place(a_shape, b_shape)
        whole = tuple(np.broadcast_shapes(a_shape, b_shape))
        for op, kind in (("add", Kind.ADD), ("sub", Kind.SUB)):
            expected = run(kind, [(a, left), (b, right)], whole, out, activation=activation)
            fields: Fields = {"shape": shape, **add_fields(left, right, out, activation)}
            yield Case(op, what, fields, (a, b), expected, "ECGKD_ADD_SCRATCH", in_place, "add")
        to = step(0.09 if what != "one" else 0.0005, -100)
        expected = run(Kind.MUL, [(a, left), (b, right)], whole, to, activation=activation)
        product = rounded(pointwise.product_parameters(left, right, to, DType.INT8, activation))
        zero_points = {"a_zero_point": left.zero_point, "b_zero_point": right.zero_point}
        yield Case("mul", what, {"shape": shape, **product, **zero_points}, (a, b), expected, in_place=in_place)
    # More values than a table costs, and steps that differ by far.
    rng = np.random.default_rng(750)
    a, b = values(rng, 31, 33), values(rng, 31, 33)
    for what, left, right, out in (
        ("far", step(1e-4, 5), step(0.05, -5), step(0.05, 1)),
        ("exact", step(0.05, 5), step(0.05, 5), step(0.05, 0)),
        ("exact_clipped", step(0.05, -4), step(0.05, 100), step(0.05, -4)),
    ):
        for op, kind in (("add", Kind.ADD), ("sub", Kind.SUB)):
            expected = run(kind, [(a, left), (b, right)], a.shape, out, activation="none")
            plain: Fields = {"shape": _shape(a.shape, b.shape), **add_fields(left, right, out, "none")}
            yield Case(op, what, plain, (a, b), expected, "ECGKD_ADD_SCRATCH", (0, 1), "add")


def carries() -> Iterator[Case]:
    for seed, (what, count) in enumerate([("tokens", 27 * 24), ("odd", 37), ("many", 1501)]):
        rng = np.random.default_rng(800 + seed)
        x, branch, carry = (values(rng, count) for _ in range(3))
        of = {"x": step(0.04, -4), "branch": step(0.021, 10), "carry": step(0.0002, 0), "added": step(0.0211, 9)}
        of["taken"], of["out"], of["carry_out"] = step(0.04), of["x"], step(0.00017)
        if what == "odd":
            of["out"] = step(0.05, -9)
        attributes = {"activation": "none"}
        added = run(Kind.ADD, [(branch, of["branch"]), (carry, of["carry"])], x.shape, of["added"], **attributes)
        for first in (False, True):
            middle, mid = (branch, of["branch"]) if first else (added, of["added"])
            total = run(Kind.ADD, [(x, of["x"]), (middle, mid)], x.shape, of["out"], **attributes)
            taken = run(Kind.SUB, [(total, of["out"]), (x, of["x"])], x.shape, of["taken"], **attributes)
            second = run(Kind.SUB, [(middle, mid), (taken, of["taken"])], x.shape, of["carry_out"], **attributes)
            own = {"struct": "ecgkd_add_t"}
            fields: dict[str, Any] = {"count": count, "added": None}
            if not first:
                fields["added"] = own | add_fields(of["branch"], of["carry"], of["added"], "none")
            fields["sum"] = own | add_fields(of["x"], mid, of["out"], "none")
            fields["taken"] = own | add_fields(of["out"], of["x"], of["taken"], "none")
            fields["carry"] = own | add_fields(mid, of["taken"], of["carry_out"], "none")
            inputs = (x, branch) if first else (x, branch, carry)
            name = f"{what}_first" if first else what
            yield Case("carry", name, fields, inputs, total, "ECGKD_CARRY_SCRATCH", (0, 1), second=second)
            if what == "odd":
                last = {"count": count, "added": fields["added"], "sum": fields["sum"], "taken": None, "carry": None}
                yield Case("carry", f"{name}_last", last, inputs, total, "ECGKD_CARRY_SCRATCH", (0, 1))


def copies() -> Iterator[Case]:
    rng = np.random.default_rng(900)
    x, quant = values(rng, 5, 3, 7), step(0.1)
    expected = run(Kind.TRANSPOSE, [(x, quant)], (3, 5, 7), quant, permutation=(1, 0, 2))
    sizes = {"size": (1, 3, 5, 7), "in_stride": (0, 7, 21, 1), "out_stride": (0, 35, 7, 1)}
    yield Case("copy", "transpose", sizes, (x,), expected)
    expected = run(Kind.TRANSPOSE, [(x, quant)], (7, 3, 5), quant, permutation=(2, 1, 0))
    sizes = {"size": (1, 7, 3, 5), "in_stride": (0, 1, 7, 21), "out_stride": (0, 15, 5, 1)}
    yield Case(
        "copy", "reverse", sizes, (x,), run(Kind.TRANSPOSE, [(x, quant)], (7, 3, 5), quant, permutation=(2, 1, 0))
    )
    part = run(Kind.SLICE, [(x, quant)], (5, 2, 7), quant, begin=(0, 0, 0), size=(5, 2, 7))
    sizes = {"size": (1, 1, 5, 14), "in_stride": (0, 0, 21, 1), "out_stride": (0, 0, 14, 1)}
    yield Case("copy", "slice", sizes, (x,), part)
