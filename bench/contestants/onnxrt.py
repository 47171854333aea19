"""ONNX Runtime: predictions with the exported graph."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from bench.contestants.base import Contestant
from bench.problems import Array, Problem

OPSET = 20  # the first opset with Gelu


class OnnxRuntime(Contestant):
    """Input and output are bound once, so that a call copies nothing."""

    def __init__(self, problem: Problem, threads: int) -> None:
        self.problem = problem
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.session = onnxruntime.InferenceSession(
            self.model(), options, providers=["CPUExecutionProvider"]
        )
        cell = problem.cell
        self.result = np.empty((cell.batch, cell.widths[-1]), cell.dtype)
        self.x = onnxruntime.OrtValue.ortvalue_from_numpy(problem.x)
        self.y = onnxruntime.OrtValue.ortvalue_from_numpy(self.result)
        binding = self.session.io_binding()
        binding.bind_ortvalue_input("x", self.x)
        binding.bind_ortvalue_output("scores", self.y)
        self.binding = binding
        # Calls the session directly, because the Python wrapper costs a microsecond.
        self.call = partial(self.session._sess.run_with_iobinding, binding._iobinding, None)

    def model(self) -> bytes:
        return _graph(self.problem).SerializeToString()

    def output(self) -> Array:
        self.call()
        return self.y.numpy().copy()


class Int8(OnnxRuntime):
    """The same after its own quantization: scales for each column, from given rows."""

    def model(self) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "mlp.onnx", Path(folder) / "int8.onnx"
            source.write_bytes(super().model())
            quantize_static(
                source, target, Rows(self.problem), per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            )  # fmt: skip
            return target.read_bytes()


class Rows(CalibrationDataReader):
    """The rows for calibration, in batches of the cell's size."""

    def __init__(self, problem: Problem) -> None:
        rows, batch = problem.calibration_rows(), problem.cell.batch
        self.batches = iter(rows[: len(rows) // batch * batch].reshape(-1, batch, rows.shape[1]))

    def get_next(self) -> dict[str, Array] | None:
        batch = next(self.batches, None)
        return None if batch is None else {"x": batch}


def _graph(problem: Problem):
    """Gemm, activation, Gemm, ... as an exporter writes it."""
    cell = problem.cell
    kind = TensorProto.FLOAT if cell.dtype == "float32" else TensorProto.DOUBLE
    nodes, constants, source = [], [], "x"
    for i, (W, b) in enumerate(problem.first):
        last = i + 1 == len(cell.layers)
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        target = "scores" if last else f"z{i}"
        before, source = source, target
        nodes.append(helper.make_node("Gemm", [before, f"W{i}", f"b{i}"], [target]))
        if cell.residual(i):
            source = f"r{i}"
            nodes.append(helper.make_node("Add", [target, before], [source]))
        if not last:
            nodes += _activation(cell.activation, source, f"h{i}")
            source = f"h{i}"
    shapes = [("x", cell.widths[0]), ("scores", cell.widths[-1])]
    x, y = (helper.make_tensor_value_info(n, kind, [cell.batch, width]) for n, width in shapes)
    graph = helper.make_graph(nodes, "mlp", [x], [y], constants)
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def _activation(name: str, z: str, y: str) -> list:
    if name == "silu":
        gate = f"{z}_gate"
        return [helper.make_node("Sigmoid", [z], [gate]), helper.make_node("Mul", [z, gate], [y])]
    return [helper.make_node({"relu": "Relu", "gelu": "Gelu"}[name], [z], [y])]
