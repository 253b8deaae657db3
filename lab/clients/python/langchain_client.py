"""langchain-mcp-adapters: the tools as seen by LangChain and its models."""

import asyncio
import sys
from importlib.metadata import version

from langchain_core.tools import ToolException
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_mcp_adapters.client import MultiServerMCPClient
from loop import drive


async def main():
    server = {"transport": "streamable_http", "url": sys.argv[1]}
    tools = {tool.name: tool for tool in await MultiServerMCPClient({"hybrid-coordinator": server}).get_tools()}

    async def list_tools():
        return [convert_to_openai_tool(tool)["function"]["name"] for tool in tools.values()]

    async def call(name, arguments):
        # Without a call id, LangChain returns only the content; with one, a message that may be an error.
        request = {"name": name, "args": arguments, "id": "call-1", "type": "tool_call"}
        try:
            message = await tools[name].ainvoke(request)
        except ToolException as error:
            return True, str(error), None
        content = message.content
        parts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        return message.status == "error", "\n".join(parts), None

    await drive(version("langchain-mcp-adapters"), list_tools, call)


asyncio.run(main())
