"""The text of a new `factory.toml`."""

import json
from dataclasses import dataclass, field

from inland.adapters.home.listening import Listening
from inland.domain.limits import commented


@dataclass(frozen=True, slots=True)
class FirstModel:
    """The model a new factory serves: its name, its file below the home, its hash in hex."""

    name: str
    file: str
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class FirstFactory:
    """What a new factory.toml says: the site's country, how it is reached, tenants and model."""

    site: str
    port: int
    gateways: int
    tenants: tuple[str, ...]
    model: FirstModel
    deployment: str
    threads: int
    listening: Listening = field(default_factory=Listening)


def factory_toml(first: FirstFactory) -> str:
    """The commented file. Every setting that is commented out shows its default."""
    tenants = "\n".join(_tenant(name, first.site) for name in first.tenants)
    return (
        _SITE.format(site=first.site)
        + _SERVE.format(first=first)
        + _listening(first.listening)
        + _TENANTS
        + tenants
        + _MODEL.format(first=first)
        + _UPSTREAM
        + _CONTRACT.format(first=first)
        + _GUARD
        + _DATABASE
        + _VAULT
        + _LIMITS
        + commented()
    )


def _tenant(name: str, site: str) -> str:
    return f'[[tenant]]\nname = "{name}"\njurisdictions = ["{site}"]\n'


def _listening(said: Listening) -> str:
    """TLS and names: a line each, commented out where nothing was said."""
    lines = []
    for name, example, why in _LISTENING:
        value = getattr(said, name)
        shown = value if value and value is not True else example
        text = f"{name} = {json.dumps('' if shown is None else shown)}"
        lines.append(f"{text if value else f'# {text}':<32}# {why}")
    return "\n".join(lines) + "\n"


#: Setting, what stands in its comment, why.
_LISTENING: tuple[tuple[str, object, str], ...] = (
    ("tls_cert", "cert.pem", "TLS by these files, watched for new ones,"),
    ("tls_key", "key.pem", "below this folder or absolute"),
    ("tls_self_signed", True, "or by a certificate the factory makes itself"),
    ("hosts", (), 'names callers use besides loopback\'s, as "llm.example.org"'),
    ("origins", (), 'web pages that may call, as "https://llm.example.org"'),
    ("proxies", (), "reverse proxies believed on who calls through them"),
)

_SITE = """\
# What this factory declares. It is read when the factory starts; what stands here is changed only
# here. Tenants, keys and deployments can also be added while it runs (`inland tenant add`, ...).

[site]
# The country the machines stand in and the country of whoever operates them: ISO 3166-1 codes,
# ZZ for unknown. Every decision about where something may be processed rests on these two.
jurisdiction = "{site}"
operator = "{site}"

"""

_SERVE = """\
[serve]
# Where callers connect, and how many gateway processes answer them. An address that other machines
# can reach needs TLS. A request under a name that is not the factory's is refused, and so is one
# that another site's web page sends.
bind = "{first.listening.bind}"
port = {first.port}
gateways = {first.gateways}
"""

_TENANTS = """
# Tenants. A tenant's label governs all it sends and is answered: `jurisdictions` (countries, EU,
# EEA, WORLD) must include both of a place's countries before anything is processed there, and
# `storage`, the same unless it is given, before anything is stored there.
# classification = "internal"   # public, internal, confidential, secret
# purposes = ["serve"]          # serve, train, evaluate, retrieve, export

"""

_MODEL = """
# Models: weights below this folder, by hash, and their label.
# owner = "factory"             # or a tenant; then shared_with = [] unless it says otherwise
# shared_with = ["*"]           # tenants that may use it; "*" is every tenant

[[model]]
name = "{first.model.name}"
file = "{first.model.file}"
sha256 = "{first.model.sha256}"
licence = "{first.model.licence}"
jurisdictions = ["WORLD"]
classification = "public"

# Deployments: a model being served. The name is its model id in /v1.

[[deployment]]
name = "{first.deployment}"
engine = "llama.cpp"
model = "{first.model.name}"
slots = 8                       # requests it works on at once
context = 2048                  # tokens each of them may have
threads = {first.threads}                     # processor threads; leave one for the rest
# replicas = 1
"""

_UPSTREAM = """
# A server that already exists (a vLLM, a NIM, any OpenAI-compatible one):
# [[deployment]]
# name = "elsewhere"
# engine = "openai"
# url = "https://models.example.org/v1"
# upstream_model = "the-name-it-has-there"
# jurisdiction = "DE"           # where it stands
# operator = "DE"               # who operates it; the same unless said
# supports = ["chat", "system", "logprobs"]   # what it can be asked: `inland deploy show NAME`
# key_file = "keys/upstreams/elsewhere"   # a file with its bearer token
# permit_endpoint = false       # true: it may be on a private or local address
"""

_CONTRACT = """
# Throughput sold to a tenant, once `inland deploy measure` knows that it is there:
# [[contract]]
# tenant = "acme"
# deployment = "{first.deployment}"
# tokens_per_second = 20        # completion tokens/s over a minute; 0 reserves nothing
# ttft_ms = 500                 # 95th percentile of a minute, for prompts of up to
# prompt_tokens = 512
# burst_tokens = 0              # beyond the rate and still reserved
# weight = 1                    # its part of what nobody reserved
# tier = "standard"             # interactive, standard, batch
"""

_GUARD = """
# What is looked for in what tenants send and are answered (`inland guard recognisers`):
# [[guard]]
# name = "numbers"
# finds = ["card", "iban"]
# patterns = ['sk-[A-Za-z0-9]{20,}']
# act = "redact"                # block, redact, note
# classifier = ""               # a deployment that is asked whether a text has something of a
# category = ""                 # category; then act is block or note
# fails = "closed"              # or "open": where it gives no answer
# on = ["input", "output"]
# deployment = ""               # one; every one unless said
# tenant = ""                   # likewise
"""

_DATABASE = """
# State and books lie in inland.db beside this file, or in a PostgreSQL of their own. Name it before
# the first request: nothing moves from one to the other.
# [database]
# url = "postgresql://inland@db.example.org/inland"
# password_file = "keys/database"
"""

_VAULT = """
# Content of assets rests sealed below vault/, each asset under a key of its own. Keys are kept in
# keys/vault, under a passphrase, or the systemd credential inland-vault, or a file beside them; or
# on an OpenBao server. What is chosen here before the first asset stays: nothing moves by itself.
# [vault]
# keys = "embedded"             # or "openbao"
# passphrase_file = "/run/inland/passphrase"      # read at start, and when the key is rotated
# key_server = "https://bao.example.org:8200"
# key_server_mount = "transit"
# key_server_token_file = "keys/vault/token"      # or the credential inland-openbao
# key_server_s = 5              # seconds that one call to it may take
# key_server_ca = "ca.pem"      # whom its certificate is from, if not the system's authorities
# blobs = "folder"              # or "s3"
# s3_endpoint = "https://s3.example.org"
# s3_bucket = "inland"
# s3_region = "us-east-1"
# s3_prefix = ""
# s3_key_file = "keys/vault/s3" # two lines: access key, secret key; or the credential inland-s3
# s3_request_s = 20             # seconds that one request to it may take

# More places where content may lie (`inland asset move ID --to NAME`); labels say of what.
# [[vault.store]]
# name = "paris"
# jurisdiction = "FR"           # where it stands
# operator = "FR"               # who operates it; the same unless said
# blobs = "folder"              # or "s3", with s3_endpoint and so on
# folder = "/mnt/paris"
"""

_LIMITS = """
# Every bound, with its default. A request that is over one is refused and told which.
[limits]
"""
