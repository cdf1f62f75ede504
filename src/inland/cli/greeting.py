"""What `inland up` prints: an address, keys, and lines that work as pasted."""

from inland.adapters.home.layout import Home
from inland.cli.program import call

_CURL = """\
curl -s {url}/v1/chat/completions \\
  -H 'Content-Type: application/json' \\
  -H 'Authorization: Bearer {key}' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

_PYTHON = """\
from openai import OpenAI

client = OpenAI(
    base_url="{url}/v1",
    api_key="{key}",
)
answer = client.chat.completions.create(
    model="{model}", messages=[{{"role": "user", "content": "Hello!"}}]
)
print(answer.id, answer.choices[0].message.content)
"""

_RECEIPT = """\
{get}
{vkey} > factory.vkey
{verify}
"""


def greeting(home: Home, *, url: str, site: str, keys: dict[str, str], model: str) -> str:
    """The whole text. Blank lines stand around each thing to paste and not inside it."""
    key = keys.get("demo", "inl_YOUR_KEY")
    return "\n".join(
        [
            f"Inland is ready at {url}",
            site,
            "",
            _keys(home, keys),
            "Ask it (shell):",
            "",
            _CURL.format(url=url, key=key, model=model),
            "Ask it (Python, pip install openai):",
            "",
            _PYTHON.format(url=url, key=key, model=model),
            "",
            "Prove it (REF: the answer's id, or its inland-receipt header):",
            "",
            _RECEIPT.format(
                get=call("receipt get REF -o receipt.json", home.root),
                vkey=call("ledger vkey", home.root),
                verify=call("verify receipt.json --vkey factory.vkey"),
            ),
            f"Stop it: {call('down', home.root)}",
        ]
    )


def _keys(home: Home, keys: dict[str, str]) -> str:
    if not keys:
        another = call("key add --tenant demo", home.root)
        return f"Keys were shown at the first start; a new one: {another}\n"
    lines = [f"  {name:<10}{key}" for name, key in keys.items()]
    head = f"Keys, shown only now (the operator's is also in {home.operator_key}):"
    return "\n".join([head, *lines, ""])
