"""Starts mcp-server-qdrant with vectors from an OpenAI-compatible server, instead of the model that it downloads at startup.

EMBEDDINGS_URL is the URL of that server's `/v1/embeddings`. All other settings are those of mcp-server-qdrant.
"""
import asyncio, json, os, urllib.request

from mcp_server_qdrant.embeddings.base import EmbeddingProvider
from mcp_server_qdrant.mcp_server import QdrantMCPServer
from mcp_server_qdrant.settings import QdrantSettings, ToolSettings


def embed(texts: list[str]) -> list[list[float]]:
    request = urllib.request.Request(
        os.environ["EMBEDDINGS_URL"],
        json.dumps({"model": "any", "input": texts}).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return [row["embedding"] for row in json.load(response)["data"]]


class Provider(EmbeddingProvider):
    """The vectors of the server; their size is requested once."""

    def __init__(self) -> None:
        self.size = len(embed(["size"])[0])

    async def embed_documents(self, documents: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(embed, documents)

    async def embed_query(self, query: str) -> list[float]:
        return (await self.embed_documents([query]))[0]

    def get_vector_name(self) -> str:
        return "served"

    def get_vector_size(self) -> int:
        return self.size


QdrantMCPServer(tool_settings=ToolSettings(), qdrant_settings=QdrantSettings(), embedding_provider=Provider()).run(transport="stdio")
