"""Writes the weights of a fine-tuned Llama model into a copy of the GGUF file that it was trained from.

Tokenizer, chat template and hyperparameters are taken from that file; matrices are stored as Q8_0, vectors as F32. With a checkout
of llama.cpp, its convert_hf_to_gguf.py does the same for every architecture.
"""
import argparse
from pathlib import Path

import numpy
from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter, LlamaFileType, dequantize, quantize
from safetensors.numpy import load_file

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--base", required=True, help="the GGUF file that was trained from")
parser.add_argument("--tuned", required=True, help="folder with the merged model.safetensors")
parser.add_argument("--out", required=True)
arguments = parser.parse_args()

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def hugging_face(name: str) -> str:
    """The name of a tensor of a GGUF file in the layout of Hugging Face."""
    parts = name.removesuffix(".weight").split(".")
    if parts[0] == "blk":
        return f"model.layers.{parts[1]}.{NAMES[parts[2]]}.weight"
    return f"{WHOLE[parts[0]]}.weight"


def permuted(weights: numpy.ndarray, heads: int) -> numpy.ndarray:
    """Rows of a query or key matrix in the order of llama.cpp's rotary embedding: halves of a head are interleaved."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


base = GGUFReader(arguments.base)
tuned = load_file(Path(arguments.tuned) / "model.safetensors")


def value(name: str):
    return base.fields[name].contents()


heads = value("llama.attention.head_count")
heads_kv = value("llama.attention.head_count_kv")
writer = GGUFWriter(arguments.out, value("general.architecture"))
for field in base.fields.values():
    if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
        continue
    kind = field.types[0]
    inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
    writer.add_key_value(field.name, field.contents(), kind, inner)
writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)

changed = 0
for tensor in base.tensors:
    weights = tuned[hugging_face(tensor.name)].astype(numpy.float32)
    part = tensor.name.split(".")[2] if tensor.name.startswith("blk.") else ""
    if part in ("attn_q", "attn_k"):
        weights = permuted(weights, heads if part == "attn_q" else heads_kv)
    before = dequantize(tensor.data, tensor.tensor_type).reshape(weights.shape)
    changed += not numpy.allclose(before, weights, atol=1e-6)
    if weights.ndim == 2:
        writer.add_tensor(
            tensor.name, quantize(weights, GGMLQuantizationType.Q8_0), raw_dtype=GGMLQuantizationType.Q8_0
        )
    else:
        writer.add_tensor(tensor.name, weights)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
print(f"{arguments.out}: {len(base.tensors)} tensors, {changed} differ from {arguments.base}")
