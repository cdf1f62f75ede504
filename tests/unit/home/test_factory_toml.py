"""factory.toml says everything, and nothing that is wrong is taken in part."""

import dataclasses
from pathlib import Path

import pytest

from inland.adapters.home import store_table, upstream_keys
from inland.adapters.home.factory_toml import parse
from inland.adapters.home.template import FirstFactory, FirstModel, factory_toml
from inland.domain.contracts import Contract, Tier
from inland.domain.errors import BadInput, NotFound
from inland.domain.guards import Act, Guard, Question, Side
from inland.domain.labels import Classification, Purpose
from inland.domain.limits import Limits
from inland.domain.places import Place
from inland.domain.plant import EngineKind

MODEL = FirstModel("smol", "models/smol.gguf", "ab" * 32, "Apache-2.0")
TEXT = factory_toml(FirstFactory("DE", 8780, 2, ("demo", "acme"), MODEL, "smollm2", 1))
HOME = Path("/home")
SITE = '[site]\njurisdiction = "DE"\n'
UPSTREAM = """
[site]
jurisdiction = "DE"
[[deployment]]
name = "far"
engine = "openai"
url = "https://models.example.org/v1"
upstream_model = "m"
jurisdiction = "US"
key_file = "keys/upstreams/far"
permit_endpoint = true
"""


def test_more_stores_have_a_name_a_place_and_what_opens_them(tmp_path):
    said = parse(
        SITE
        + """
[[vault.store]]
name = "paris"
jurisdiction = "FR"
operator = "DE"
folder = "paris"
[[vault.store]]
name = "bucket"
jurisdiction = "SE"
blobs = "s3"
s3_endpoint = "https://s3.example.org"
s3_bucket = "inland"
s3_key_file = "keys/s3"
""",
        tmp_path,
    )
    paris, bucket = said.stores
    assert paris.place == Place("paris", "FR", "DE")
    assert paris.folder == tmp_path / "paris"
    assert bucket.place == Place("bucket", "SE", "SE")
    assert store_table.urls(said.stores) == ("https://s3.example.org",)


@pytest.mark.parametrize(
    ("store", "why"),
    [
        ('name = "x"\njurisdiction = "DE"', "folder"),
        ('name = "local"\njurisdiction = "DE"\nfolder = "x"', "another of that name"),
        ('name = "x"\njurisdiction = "EU"\nfolder = "x"', "not a country"),
        ('name = "x"\njurisdiction = "DE"\nblobs = "s3"', "s3_endpoint"),
        ('name = "x"\njurisdiction = "DE"\nfolder = "x"\nmore = 1', "no setting more"),
    ],
)
def test_a_store_that_lacks_something_is_refused_by_name(tmp_path, store, why):
    with pytest.raises(BadInput, match=why):
        parse(f"{SITE}[[vault.store]]\n{store}\n", tmp_path)


def test_a_new_file_declares_the_site_two_tenants_and_one_model() -> None:
    declared = parse(TEXT, HOME)
    assert declared.site == Place("local", "DE", "DE")
    assert (declared.port, declared.gateways) == (8780, 2)
    assert [(t.id, t.label.jurisdictions) for t in declared.tenants] == [
        ("demo", ("DE",)),
        ("acme", ("DE",)),
    ]
    assert all(t.declared for t in declared.tenants)
    (model,) = declared.models
    assert (model.digest, model.shared_with) == ("sha256:" + "ab" * 32, ("*",))
    assert model.label.jurisdictions == ("WORLD",)
    (deployment,) = declared.deployments
    assert (deployment.name, deployment.model, deployment.place.stands) == ("smollm2", "smol", "DE")
    assert declared.limits == Limits()


def test_every_limit_stands_in_a_new_file_with_its_default() -> None:
    head, limits = TEXT.split("[limits]\n")
    uncommented = limits.replace("\n# ", "\n").removeprefix("# ")
    assert parse(head + "[limits]\n" + uncommented, HOME).limits == Limits()
    for limit in dataclasses.fields(Limits):
        assert f"{limit.name} = {limit.default}" in uncommented


@pytest.mark.parametrize("limit", dataclasses.fields(Limits), ids=lambda limit: limit.name)
def test_every_limit_is_read_and_bounded(limit: "dataclasses.Field[int]") -> None:
    least, most = limit.metadata["least"], limit.metadata["most"]
    for value in (least, most):
        text = f'[site]\njurisdiction = "DE"\n[limits]\n{limit.name} = {value}\n'
        assert getattr(parse(text, HOME).limits, limit.name) == value
    for wrong in (str(least - 1), str(most + 1), "true", '"1"', "1.5"):
        with pytest.raises(BadInput, match=limit.name):
            parse(TEXT.replace("[limits]\n", f"[limits]\n{limit.name} = {wrong}\n"), HOME)


def test_a_server_that_exists_brings_its_own_public_model() -> None:
    declared = parse(UPSTREAM, HOME)
    (deployment,) = declared.deployments
    assert deployment.engine is EngineKind.OPENAI
    assert deployment.place == Place("upstream-far", "US", "US")
    (model,) = declared.models
    assert (model.id, model.digest, model.label.jurisdictions) == ("far", None, ("WORLD",))
    assert declared.upstream_key_files == {"far": Path("/home/keys/upstreams/far")}
    assert declared.permitted_endpoints == ("far",)


def test_upstream_tokens_are_read_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "keys" / "upstreams").mkdir(parents=True)
    declared = parse(UPSTREAM, tmp_path)
    with pytest.raises(BadInput, match="far"):
        upstream_keys.read(declared)
    (tmp_path / "keys" / "upstreams" / "far").write_text("token\n")
    assert upstream_keys.read(declared) == {"far": "token"}
    (tmp_path / "keys" / "upstreams" / "far").write_text("token\r\nx-more: 1\n")
    with pytest.raises(BadInput, match="far"):
        upstream_keys.read(declared)


def test_labels_say_what_was_written() -> None:
    text = (
        '[site]\njurisdiction = "FR"\n[[tenant]]\nname = "t"\njurisdictions = ["EU", "CH"]\n'
        'classification = "secret"\npurposes = ["serve", "train"]\nretention_days = 30\n'
    )
    (tenant,) = parse(text, HOME).tenants
    assert tenant.label.jurisdictions == ("EU", "CH")
    assert tenant.label.classification is Classification.SECRET
    assert tenant.label.purposes == (Purpose.SERVE, Purpose.TRAIN)
    assert (tenant.label.storage, tenant.label.stored_in) == (None, ("EU", "CH"))
    assert tenant.label.retention_days == 30


SITE = '[site]\njurisdiction = "DE"\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "jurisdiction"),
        ("[site]\njurisdiction = 'EU'", "EU"),
        ("[site]\njurisdiction = 'de'", "de"),
        (SITE + "colour = 'red'", "colour"),
        (SITE + "[serve]\nport = 70000", "port"),
        (SITE + "[serve]\nport = true", "port"),
        (SITE + "[colours]\n", "colours"),
        (SITE + "[limits]\nspeed = 3", "speed"),
        (SITE + "[[tenant]]\nname = 'A b'", "A b"),
        (SITE + "[[tenant]]\nname = 't'\n[[tenant]]\nname = 't'", "twice"),
        (SITE + "[[tenant]]\nname = 't'\njurisdictions = ['Mars']", "Mars"),
        (SITE + "[[tenant]]\nname = 't'\npurposes = ['sell']", "sell"),
        (SITE + "[[tenant]]\nname = 't'\npurposes = [['serve']]", "purposes"),
        (SITE + "[[model]]\nname = 'm'\nsha256 = 'xyz'", "sha256"),
        (SITE + "[[model]]\nname = 'm'\nfile = 'm.gguf'", "sha256"),
        (SITE + "[[deployment]]\nname = 'd'\nmodel = 'none'", "none"),
        (SITE + "[[deployment]]\nname = 'd'\nengine = 'magic'", "magic"),
        (SITE + "[[deployment]]\nname = 'd'\nengine = 'openai'\nurl = 'u'", "jurisdiction"),
        (
            SITE + "[[deployment]]\nname = 'd'\nengine = 'openai'\njurisdiction = 'DE'\n"
            "upstream_model = 'm'\nurl = 'ftp://x'",
            "http://",
        ),
        (SITE + "[limits]\ntenants = 1\n[[tenant]]\nname = 't'\n[[tenant]]\nname = 'u'", "limits"),
        (SITE + "tenant = 3", "tenant"),
        ("[site", "factory.toml"),
    ],
)
def test_what_is_wrong_is_refused_whole_and_named(text: str, named: str) -> None:
    with pytest.raises((BadInput, NotFound), match=named):
        parse(text, HOME)


def test_a_database_server_is_named_and_its_password_lies_in_a_file(tmp_path: Path) -> None:
    site = '[site]\njurisdiction = "DE"\n'
    assert parse(site, tmp_path).database is None
    named = site + '[database]\nurl = "postgresql://inland@db/inland"\npassword_file = "keys/db"\n'
    found = parse(named, tmp_path).database
    assert found is not None
    assert (found.url, found.password_file) == (
        "postgresql://inland@db/inland",
        tmp_path / "keys" / "db",
    )
    for url, why in (
        ("mysql://db/inland", "postgresql://USER@HOST/NAME"),
        ("postgresql://db", "postgresql://USER@HOST/NAME"),
        ("postgresql://inland:secret@db/inland", "password_file"),
        ("postgresql://db/inland?password=secret", "password_file"),
    ):
        with pytest.raises(BadInput, match=why) as refused:
            parse(site + f'[database]\nurl = "{url}"\n', tmp_path)
        assert "secret" not in str(refused.value)


CONTRACT = """
[[contract]]
tenant = "acme"
deployment = "smollm2"
tokens_per_second = 20
ttft_ms = 500
tier = "interactive"
"""


def test_a_contract_is_declared_with_its_terms() -> None:
    (contract,) = parse(TEXT.replace("[limits]", f"{CONTRACT}[limits]"), HOME).contracts
    asked = Contract("", "acme", "smollm2", 20, 500, tier=Tier.INTERACTIVE, declared=True)
    assert contract == asked


def test_the_contract_shown_in_a_new_file_is_one() -> None:
    head, _, rest = TEXT.partition("# [[contract]]")
    shown, blank, after = rest.partition("\n\n")
    uncommented = "[[contract]]" + shown.replace("\n# ", "\n")
    (contract,) = parse(head + uncommented + blank + after, HOME).contracts
    assert (contract.tokens_per_second, contract.ttft_ms, contract.prompt_tokens) == (20, 500, 512)


@pytest.mark.parametrize(
    "wrong",
    [
        CONTRACT + CONTRACT,
        CONTRACT + "nonsense = 1",
        CONTRACT.replace("interactive", "first"),
        CONTRACT.replace("500", "0"),
        '[[contract]]\ntenant = "acme"\n',
    ],
)
def test_a_contract_that_makes_no_sense_is_refused(wrong: str) -> None:
    with pytest.raises(BadInput, match="contract"):
        parse(TEXT.replace("[limits]", f"{wrong}\n[limits]"), HOME)


def test_a_guard_is_declared_with_what_it_looks_for() -> None:
    said = '[site]\njurisdiction = "DE"\n[[guard]]\nname = "numbers"\nfinds = ["card", "iban"]\n'
    more = 'patterns = [\'sk-[a-z]{8}\']\nact = "redact"\non = ["output"]\ntenant = "acme"\n'
    assert parse(said + more, HOME).guards == (
        Guard(
            *("numbers", Act.REDACT, ("card", "iban"), ("sk-[a-z]{8}",), (Side.OUTPUT,)),
            tenant="acme",
            declared=True,
        ),
    )
    (plain,) = parse(said, HOME).guards
    assert (plain.act, plain.on) == (Act.BLOCK, (Side.INPUT, Side.OUTPUT))
    with pytest.raises(BadInput, match="declared twice"):
        parse(said + said.partition("\n\n")[0].replace('[site]\njurisdiction = "DE"\n', ""), HOME)
    asked = said + 'classifier = "smol"\ncategory = "medical advice"\nfails = "open"\n'
    assert parse(asked, HOME).guards[0].asks == Question("smol", "medical advice", fails_open=True)
    with pytest.raises(BadInput, match="a classifier and a category"):
        parse(said + 'category = "x"\n', HOME)
    with pytest.raises(BadInput, match="no setting colour"):
        parse(said + 'colour = "red"\n', HOME)
