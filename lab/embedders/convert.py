"""Writes a BERT encoder as a GGUF file that llama.cpp serves: matrices of the layers Q8_0, word embeddings float16, the rest float32.

usage: convert.py NAME MODEL TOKENIZER.json OUTPUT.gguf --pooling mean|cls

MODEL is `model.safetensors`, or an ONNX file exported from PyTorch: there the matrices have no names of their own and are told by the
bias that is added to their product. TOKENIZER.json is that of the `tokenizers` library, uncased WordPiece.
"""
import argparse, json, pathlib

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, PoolingType, TokenType
from gguf.quants import quantize

PARTS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
POOLING = {"mean": PoolingType.MEAN, "cls": PoolingType.CLS}
HEAD = 32
EPSILON = 1e-12


def tensors_of(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Tensors by their names in PyTorch, matrices with one row per output."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    consumers = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in tensors:
            continue
        bias = next(name for name in consumers[node.output[0]].input if name.endswith(".bias"))
        tensors[bias.removesuffix("bias") + "weight"] = tensors.pop(node.input[1]).T
    return tensors


def add_vocabulary(writer: GGUFWriter, tokenizer: pathlib.Path) -> None:
    """llama.cpp marks the beginning of a word; WordPiece marks its continuation."""
    vocabulary = json.loads(tokenizer.read_text("utf8"))["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.get)
    control = {piece for piece in pieces if piece in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")}
    writer.add_tokenizer_model("bert")
    writer.add_token_list([piece if piece in control else piece[2:] if piece.startswith("##") else "▁" + piece for piece in pieces])
    writer.add_token_types([TokenType.CONTROL if piece in control else TokenType.NORMAL for piece in pieces])
    writer.add_token_type_count(2)
    writer.add_unk_token_id(vocabulary["[UNK]"])
    writer.add_sep_token_id(vocabulary["[SEP]"])
    writer.add_pad_token_id(vocabulary["[PAD]"])
    writer.add_mask_token_id(vocabulary["[MASK]"])
    writer.add_bos_token_id(vocabulary["[CLS]"])
    writer.add_eos_token_id(vocabulary["[SEP]"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    for name in ("model", "tokenizer", "output"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--pooling", choices=POOLING, required=True)
    options = parser.parse_args()
    tensors = tensors_of(options.model)
    words, positions = tensors["embeddings.word_embeddings.weight"], tensors["embeddings.position_embeddings.weight"]
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))
    writer = GGUFWriter(options.output, "bert")
    writer.add_name(options.name)
    writer.add_context_length(len(positions))
    writer.add_embedding_length(words.shape[1])
    writer.add_feed_forward_length(len(tensors["encoder.layer.0.intermediate.dense.bias"]))
    writer.add_block_count(layers)
    writer.add_head_count(words.shape[1] // HEAD)
    writer.add_layer_norm_eps(EPSILON)
    writer.add_causal_attention(False)
    writer.add_pooling_type(POOLING[options.pooling])
    add_vocabulary(writer, options.tokenizer)
    single = lambda name: np.ascontiguousarray(tensors[name].astype(np.float32))
    writer.add_tensor("token_embd.weight", words.astype(np.float16))
    writer.add_tensor("position_embd.weight", single("embeddings.position_embeddings.weight"))
    writer.add_tensor("token_types.weight", single("embeddings.token_type_embeddings.weight"))
    for kind in ("weight", "bias"):
        writer.add_tensor(f"token_embd_norm.{kind}", single(f"embeddings.LayerNorm.{kind}"))
    for layer in range(layers):
        for part, name in PARTS.items():
            for kind in ("weight", "bias"):
                values = single(f"encoder.layer.{layer}.{part}.{kind}")
                matrix = values.ndim == 2
                writer.add_tensor(
                    f"blk.{layer}.{name}.{kind}",
                    quantize(values, GGMLQuantizationType.Q8_0) if matrix else values,
                    raw_dtype=GGMLQuantizationType.Q8_0 if matrix else None,
                )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{options.output}: {options.output.stat().st_size} bytes, {layers} layers")


main()
