"""Serves a GGUF file by llama.cpp with its OpenAI-compatible API, as `llama-server -m FILE --port PORT` does."""
import argparse
import signal

import xllamacpp

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("model")
parser.add_argument("--port", type=int, default=8080)
parser.add_argument("--alias", default="local", help="name of the model in the answers")
parser.add_argument("--threads", type=int, default=1)
arguments = parser.parse_args()

parameters = xllamacpp.CommonParams()
parameters.model.path = arguments.model
parameters.model_alias = arguments.alias
parameters.hostnames = ["127.0.0.1"]
parameters.port = arguments.port
parameters.n_ctx = 2048
parameters.n_parallel = 1
parameters.cpuparams.n_threads = arguments.threads
parameters.cpuparams_batch.n_threads = arguments.threads
parameters.use_jinja = True
server = xllamacpp.Server(parameters)
print(f"serving {arguments.model} at {server.listening_address}", flush=True)
signal.sigwait({signal.SIGINT, signal.SIGTERM})
