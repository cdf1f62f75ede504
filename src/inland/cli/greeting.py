"""What `inland up` prints: an address, keys, and lines that work as pasted."""

import shlex

from inland.adapters.home.layout import Home
from inland.cli.program import call
from inland.cli.reached import Reached

_CURL = """\
curl -s {trust}{url}/v1/chat/completions \\
  -H 'Content-Type: application/json' \\
  -H 'Authorization: Bearer {key}' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

_PYTHON = """\
{imports}

client = OpenAI(
    base_url="{url}/v1",
    api_key="{key}",{trust}
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


_IMPORTS = "from openai import OpenAI"
_IMPORTS_TRUSTING = """\
import ssl

from openai import DefaultHttpxClient, OpenAI

trusted = ssl.create_default_context(
    cafile="{file}"
)"""
_TRUSTING = "\n    http_client=DefaultHttpxClient(verify=trusted),"


def greeting(home: Home, *, at: Reached, site: str, keys: dict[str, str], model: str) -> str:
    """The whole text. Blank lines stand around each thing to paste and not inside it."""
    key = keys.get("demo", "inl_YOUR_KEY")
    return "\n".join(
        [
            f"Inland is ready at {at.url}",
            *at.lines(),
            site,
            "",
            _keys(home, keys),
            "Ask it (shell):",
            "",
            _curl(at, key, model),
            "Ask it (Python, pip install openai):",
            "",
            _python(at, key, model),
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


def _curl(at: Reached, key: str, model: str) -> str:
    file = at.certificate if at.trusted else None
    trust = "" if file is None else f"--cacert {shlex.quote(file)} \\\n  "
    return _CURL.format(url=at.url, key=key, model=model, trust=trust)


def _python(at: Reached, key: str, model: str) -> str:
    imports, trust = _IMPORTS, ""
    if at.trusted and at.certificate:
        imports, trust = _IMPORTS_TRUSTING.format(file=_quoted(at.certificate)), _TRUSTING
    return _PYTHON.format(url=at.url, key=key, model=model, imports=imports, trust=trust)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _keys(home: Home, keys: dict[str, str]) -> str:
    if not keys:
        another = call("key add --tenant demo", home.root)
        return f"Keys were shown at the first start; a new one: {another}\n"
    lines = [f"  {name:<10}{key}" for name, key in keys.items()]
    head = f"Keys, shown only now (the operator's is also in {home.operator_key}):"
    return "\n".join([head, *lines, ""])
