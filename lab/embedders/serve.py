"""Serves a GGUF model at http://127.0.0.1:PORT/v1 with llama.cpp's HTTP server, until it is interrupted or SECONDS have passed:
an embedding model, with --chat a chat model, or with --rerank a reranker.

usage: serve.py MODEL.gguf PORT [--chat | --rerank] [--threads 1] [--seconds 3600]
"""
import argparse, time

import xllamacpp


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("port", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--chat", action="store_true")
    parser.add_argument("--rerank", action="store_true")
    options = parser.parse_args()
    parameters = xllamacpp.CommonParams()
    parameters.model.path = options.model
    parameters.hostnames, parameters.port = ["127.0.0.1"], options.port
    parameters.n_parallel = 1
    if options.chat:
        parameters.n_ctx = 8192
    else:
        parameters.embedding = True
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = 512
    if options.rerank:
        parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_RANK
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = options.threads
    server = xllamacpp.Server(parameters)
    print(f"{options.model} at {server.listening_address}", flush=True)
    time.sleep(options.seconds)


main()
