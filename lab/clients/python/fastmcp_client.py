"""fastmcp."""

import asyncio
import sys
from importlib.metadata import version

from fastmcp import Client
from loop import drive, result_of


async def main():
    async with Client(sys.argv[1]) as client:

        async def list_tools():
            return [tool.name for tool in await client.list_tools()]

        async def call(name, arguments):
            return result_of(await client.call_tool(name, arguments, raise_on_error=False))

        await drive(version("fastmcp"), list_tools, call)


asyncio.run(main())
