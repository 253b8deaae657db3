"""Python mcp, major version 2, which uses the newest protocol that both sides support."""

import asyncio
import sys
from importlib.metadata import version

from loop import drive, result_of
from mcp.client import Client


async def main():
    async with Client(sys.argv[1]) as client:

        async def list_tools():
            return [tool.name for tool in (await client.list_tools()).tools]

        async def call(name, arguments):
            return result_of(await client.call_tool(name, arguments))

        await drive(f"{version('mcp')}, protocol {client.protocol_version}", list_tools, call)


asyncio.run(main())
