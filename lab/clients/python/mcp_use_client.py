"""mcp-use, configured only with the address."""

import asyncio
import sys
from importlib.metadata import version

from loop import drive, result_of
from mcp_use import MCPClient


async def main():
    client = MCPClient.from_dict({"mcpServers": {"hybrid-coordinator": {"url": sys.argv[1]}}})
    session = await client.create_session("hybrid-coordinator")

    async def list_tools():
        return [tool.name for tool in await session.list_tools()]

    async def call(name, arguments):
        return result_of(await session.call_tool(name, arguments))

    await drive(version("mcp-use"), list_tools, call)
    await client.close_all_sessions()


asyncio.run(main())
