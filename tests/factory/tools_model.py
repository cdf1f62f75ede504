"""The embedded weights under a chat template that knows tools: a model file made for tests.

The weights were never trained to call tools, but they go on with what a conversation does: shown
two calls, they make the third.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

#: What it is served under.
NAME = "smollm2-tools"

#: In the manner of models trained on `<tool_call>`; written for these tests.
TEMPLATE = r"""
{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\n\n' }}
    {%- endif %}
    {{- 'You may call these functions:\n<tools>' }}
    {%- for tool in tools %}
        {{- '\n' }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- '\n</tools>\n\nTo call one, answer with:\n<tool_call>\n{"name": NAME, "arguments": JSON}' }}
    {{- '\n</tool_call><|im_end|>\n' }}
{%- elif messages[0].role == 'system' %}
    {{- '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'user' or (message.role == 'assistant' and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant' }}
        {%- if message.content %}
            {{- '\n' + message.content }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if tool_call.function is defined %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '\n<tool_call>\n{"name": "' }}
            {{- tool_call.name }}
            {{- '", "arguments": ' }}
            {{- tool_call.arguments | tojson }}
            {{- '}\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\n' }}
    {%- elif message.role == 'tool' %}
        {{- '<|im_start|>user\n<tool_response>\n' + message.content }}
        {{- '\n</tool_response><|im_end|>\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""

#: What factory.toml says of it.
_DECLARED = """
[[model]]
name = "with-tools"
file = "{file}"
sha256 = "{sha256}"
licence = "Apache-2.0"

[[deployment]]
name = "{name}"
model = "with-tools"
slots = 4
context = 2048
"""


def write(weights: Path, to: Path) -> Path:
    """A copy of `weights` at `to` with that template."""
    program = Path(sys.executable).with_name("gguf-new-metadata")
    argv = [str(program), "--force", "--chat-template", TEMPLATE.strip(), str(weights), str(to)]
    subprocess.run(argv, check=True, capture_output=True, timeout=300)
    return to


def declared(file: Path, name: str) -> str:
    """What factory.toml says of the model in `file`, served under `name`."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return _DECLARED.format(file=file, sha256=digest, name=name)
