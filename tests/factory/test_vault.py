"""A running factory: a withdrawal ends what runs and refuses what comes, until it is undone."""

import openai
import pytest

from tests.factory.running import MODEL, Running

ASK = [{"role": "user", "content": "Where are you?"}]
ENDLESS = [{"role": "user", "content": "Write a very long story about a harbour."}]


def test_a_withdrawn_tenants_streams_end_and_its_requests_are_refused(factory: Running) -> None:
    factory.run("tenant", "add", "shy")
    factory.key("shy")
    stream = factory.client("shy").chat.completions.create(
        model=MODEL, messages=ENDLESS, temperature=0, max_tokens=1900, stream=True
    )
    for _ in range(3):
        next(stream)
    with factory.held():
        factory.run("vault", "withdraw", "--tenant", "shy")
        with pytest.raises(openai.APIError):
            list(stream)
    with pytest.raises(openai.PermissionDeniedError, match="withdrawn"):
        factory.client("shy").chat.completions.create(model=MODEL, messages=ASK)
    assert factory.json("vault", "status")["withdrawn"] == ["shy"]
    factory.run("vault", "give-back", "--tenant", "shy")
    factory.client("shy").chat.completions.create(model=MODEL, messages=ASK, max_tokens=2)


def test_the_vault_of_a_new_factory_is_whole(factory: Running) -> None:
    assert factory.json("vault", "check") == []
    told = factory.json("vault", "status")
    assert (told["keys"], told["blobs"], told["keys_away"]) == ("embedded", "folder", "")
