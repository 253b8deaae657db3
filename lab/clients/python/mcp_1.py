"""Python mcp, major version 1."""

import asyncio
import sys
from importlib.metadata import version

from loop import drive, result_of
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main():
    async with streamablehttp_client(sys.argv[1]) as (read, write, _), ClientSession(read, write) as session:
        await session.initialize()

        async def list_tools():
            return [tool.name for tool in (await session.list_tools()).tools]

        async def call(name, arguments):
            return result_of(await session.call_tool(name, arguments))

        await drive(version("mcp"), list_tools, call)


asyncio.run(main())
