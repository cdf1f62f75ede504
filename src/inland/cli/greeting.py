"""What `inland up` prints: an address, keys, and lines that work as pasted."""

from inland.adapters.home.layout import Home

_CURL = """\
curl -s {url}/v1/chat/completions \\
  -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
"""

_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{url}/v1", api_key="{key}")
answer = client.chat.completions.create(
    model="{model}", messages=[{{"role": "user", "content": "Hello!"}}]
)
print(answer.id, answer.choices[0].message.content)
"""

_RECEIPT = """\
{inland} receipt get REF -o receipt.json{home}
{inland} ledger vkey{home} > factory.vkey
{inland} verify receipt.json --vkey factory.vkey
"""


def greeting(
    home: Home, *, url: str, site: str, keys: dict[str, str], model: str, default_home: bool
) -> str:
    """The whole text. Blank lines stand around each thing to paste and not inside it."""
    option = "" if default_home else f" --home {home.root}"
    key = keys.get("demo", "inl_YOUR_KEY")
    return "\n".join(
        [
            f"Inland is ready at {url}",
            site,
            "",
            _keys(home, keys, option),
            "Ask it (shell):",
            "",
            _CURL.format(url=url, key=key, model=model),
            "Ask it (Python, pip install openai):",
            "",
            _PYTHON.format(url=url, key=key, model=model),
            "",
            "Prove it (REF: the answer's id, or its inland-receipt header):",
            "",
            _RECEIPT.format(inland="inland", home=option),
            f"Stop it: inland down{option}",
        ]
    )


def _keys(home: Home, keys: dict[str, str], option: str) -> str:
    if not keys:
        return (
            f"Keys were shown at the first start; a new one: inland key add --tenant demo{option}\n"
        )
    lines = [f"  {name:<10}{key}" for name, key in keys.items()]
    head = f"Keys, shown only now (the operator's is also in {home.operator_key}):"
    return "\n".join([head, *lines, ""])
