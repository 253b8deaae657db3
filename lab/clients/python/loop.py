"""An agent's main loop, with any client: list the tools, get context, track the answer, report the outcome, and make one mistake."""

import json
import sys


async def drive(version, list_tools, call):
    """Prints the results as one line of JSON.

    list_tools() -> names of the tools
    call(name, arguments) -> (whether it is an error, text, structured content or None)
    """
    query = sys.argv[2]
    names = await list_tools()
    failed, text, found = await call("augment_query", {"query": query})
    found = found or parsed(text)
    tracked = {
        "query": query,
        "response": "As the note says.",
        "agent_type": "remote",
        "model_used": "test",
        "context_ids": found.get("context_ids", []),
        "retrieval_id": found.get("retrieval_id"),
    }
    _, tracked_text, answer = await call("track_interaction", tracked)
    interaction = (answer or parsed(tracked_text)).get("interaction_id", tracked_text)
    await call("update_outcome", {"interaction_id": interaction, "outcome": "success"})
    wrong, error, _ = await call("update_outcome", {"interaction_id": interaction, "outcome": "splendid"})
    seen = {
        "version": version,
        "tools": names,
        "call": "" if failed else text + json.dumps(found),
        "interaction_id": interaction,
        "error": error if wrong else "",
    }
    print(json.dumps(seen))


def parsed(text):
    """The JSON among the texts of a result."""
    for line in text.split("\n"):
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}


def result_of(result):
    """A result of the protocol, whatever the client's spelling of its fields."""
    failed = getattr(result, "is_error", None) or getattr(result, "isError", None)
    structured = getattr(result, "structured_content", None) or getattr(result, "structuredContent", None)
    text = "\n".join(getattr(part, "text", "") for part in result.content)
    return bool(failed), text, structured
