"""Drives `stest mcp` by the official client; runs in an environment with the package `mcp`. Prints JSON."""
# mypy: ignore-errors

import asyncio
import contextlib
import json
import os
import sys

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


def client(stest, mode):
    parameters = StdioServerParameters(command=stest, args=["mcp"], env=dict(os.environ))
    return Client(stdio_client(parameters), mode=mode)


def text(result):
    return {"text": result.content[0].text, "is_error": bool(result.is_error)}


async def tools(stest, mode):
    seen = []

    async def on_progress(progress, total, message):
        seen.append([progress, message])

    async with client(stest, mode) as one:
        run = await one.call_tool("run_tests", {"args": ["test_all.py"]}, progress_callback=on_progress)
        logs = (await one.list_resources()).resources
        return {
            "version": one.protocol_version,
            "tools": [tool.name for tool in (await one.list_tools()).tools],
            "run": text(run),
            "progress": seen,
            "last_failures": text(await one.call_tool("last_failures", {})),
            "explain": text(await one.call_tool("explain", {"test": "test_red"})),
            "status": text(await one.call_tool("status", {})),
            "list_tests": text(await one.call_tool("list_tests", {"args": ["-k", "green"]})),
            "logs": [str(log.uri) for log in logs],
            "log": (await one.read_resource(str(logs[0].uri))).contents[0].text,
        }


async def cancelled(stest, mode):
    """One client's run is cancelled while it goes on; the other's goes on."""
    async with client(stest, mode) as one, client(stest, mode) as other:
        waiting = asyncio.create_task(one.call_tool("run_tests", {"args": ["test_waiting.py"]}))
        while not os.path.exists("started"):
            await asyncio.sleep(0.01)
        beside = text(await other.call_tool("run_tests", {"args": ["test_all.py"]}))
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        status = "test_waiting"
        while "test_waiting" in status:
            status = text(await one.call_tool("status", {}))["text"]
        return {"beside": beside, "status": status}


scenario = {"tools": tools, "cancelled": cancelled}[sys.argv[1]]
print(json.dumps(asyncio.run(scenario(*sys.argv[2:]))))
