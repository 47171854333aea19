"""ONNX Runtime: predictions with the exported graph."""

from __future__ import annotations

from functools import partial

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

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
            _graph(problem).SerializeToString(), options, providers=["CPUExecutionProvider"]
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

    def output(self) -> Array:
        self.call()
        return self.y.numpy().copy()


def _graph(problem: Problem):
    """Gemm, activation, Gemm, ... as an exporter writes it."""
    cell = problem.cell
    kind = TensorProto.FLOAT if cell.dtype == "float32" else TensorProto.DOUBLE
    nodes, constants, source = [], [], "x"
    for i, (W, b) in enumerate(problem.first):
        last = i + 1 == len(cell.layers)
        constants += [numpy_helper.from_array(W, f"W{i}"), numpy_helper.from_array(b, f"b{i}")]
        target = "scores" if last else f"z{i}"
        nodes.append(helper.make_node("Gemm", [source, f"W{i}", f"b{i}"], [target]))
        source = target
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
