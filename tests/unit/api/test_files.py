"""/v1/files and /v1/batches in the words of OpenAI's clients: taken whole or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.api.multipart import HEADER_BYTES, Form
from inland.domain.assets import PART_BYTES
from inland.domain.errors import BadInput
from inland.plant.uploads import Held

LINES = b'{"messages": [{"role": "user", "content": "Hi"}]}\n'
JSONL = ("notes.jsonl", LINES)


def added(client, purpose="batch", content=LINES):
    files = {"file": ("notes.jsonl", content)}
    got = client.post("/v1/files", data={"purpose": purpose}, files=files)
    assert got.status_code == 200, got.text
    return got.json()


def form(*parts: tuple[str, str | None, bytes], boundary: bytes = b"b") -> bytes:
    """A form as clients write it: (name, filename, content) of each part."""
    body = b""
    for name, filename, content in parts:
        named = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += b"--%b\r\nContent-Disposition: %b\r\n\r\n" % (boundary, named.encode())
        body += content + b"\r\n"
    return body + b"--%b--\r\n" % boundary


def test_a_file_is_kept_listed_shown_read_and_deleted(factory):
    member, admin = factory.as_("acme-member"), factory.as_("acme-admin")
    made = added(member)
    assert made | {"object": "file", "bytes": len(LINES), "purpose": "batch"} == made
    assert made["filename"] == "notes.jsonl"
    assert member.get(f"/v1/files/{made['id']}").json() == made
    assert member.get(f"/v1/files/{made['id']}/content").content == LINES
    assert member.get("/v1/files").json()["data"] == [made]
    asset = made["id"].removeprefix("file-")
    label = member.get(f"/factory/v1/assets/{asset}").json()["label"]
    assert label["purposes"] == ["serve", "export"]
    assert member.delete(f"/v1/files/{made['id']}").status_code == 403
    gone = admin.delete(f"/v1/files/{made['id']}").json()
    assert gone == {"id": made["id"], "object": "file", "deleted": True}
    assert member.get(f"/v1/files/{made['id']}").status_code == 404
    assert member.get("/v1/files").json()["data"] == []
    said = [one["what"] for one in factory.plant.records() if one["kind"] == "change"]
    assert {"asset.add", "asset.export", "asset.erase"} <= set(said)


def test_files_are_paged_in_the_order_asked_for(factory):
    member = factory.as_("acme-member")
    ids = []
    for purpose in ("batch", "fine-tune", "batch"):
        ids.append(added(member, purpose)["id"])
        factory.plant.clock.sleep(1)

    def listed(**query):
        told = member.get("/v1/files", params=query).json()
        return [one["id"] for one in told["data"]], told["has_more"]

    assert listed() == (ids[::-1], False)
    assert listed(order="asc", limit=2) == (ids[:2], True)
    assert listed(order="asc", after=ids[1]) == (ids[2:], False)
    assert listed(purpose="fine-tune") == ([ids[1]], False)
    assert member.get("/v1/files", params={"after": "file-nothing"}).status_code == 404


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1])
def test_a_file_of_any_size_is_what_was_sent(factory, size):
    member = factory.as_("acme-member")
    content = bytes(size)
    if not size:
        got = member.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"")})
        assert (got.status_code, got.json()["error"]["param"]) == (400, "file")
        return
    made = added(member, content=content)
    assert made["bytes"] == size
    assert member.get(f"/v1/files/{made['id']}/content").content == content


def test_the_file_may_come_before_what_it_is_for(factory):
    body = form(("file", "a.jsonl", LINES), ("purpose", None, b"fine-tune"))
    headers = {"content-type": "multipart/form-data; boundary=b"}
    got = factory.as_("acme-member").post("/v1/files", content=body, headers=headers)
    assert (got.status_code, got.json()["purpose"]) == (200, "fine-tune")
    long = form(("file", "a.jsonl", bytes(PART_BYTES + (1 << 20))), ("purpose", None, b"batch"))
    late = factory.as_("acme-member").post("/v1/files", content=long, headers=headers)
    assert (late.status_code, late.json()["error"]["param"]) == (400, "purpose")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (form(("purpose", None, b"batch")), "file"),
        (form(("purpose", None, b"vision"), ("file", "a", b"x")), "purpose"),
        (form(("file", "a", b"x")), "purpose"),
        (form(("expires_after[anchor]", None, b"created_at"), ("purpose", None, b"batch"),
              ("file", "a", b"x")), "expires_after[anchor]"),
        (form(("purpose", None, b"batch"), ("purpose", None, b"batch"), ("file", "a", b"x")),
         "purpose"),
        (form(("purpose", None, b"batch"), ("file", "a", b"x"), ("file", "b", b"y")), "file"),
        (form(("purpose", None, b"batch"), ("file", "a\tb", b"x")), "name"),
        (form(("purpose", None, b"batch"), ("file", "a", b"x"))[:-8], "body"),
        (b"nonsense", "body"),
        (b"", "file"),
    ],
)  # fmt: skip
def test_what_is_no_form_with_one_file_is_refused_by_name_and_leaves_nothing(factory, body, param):
    member = factory.as_("acme-member")
    headers = {"content-type": "multipart/form-data; boundary=b"}
    got = member.post("/v1/files", content=body, headers=headers)
    assert got.status_code == 400, got.text
    assert got.headers["content-type"] == "application/json"
    error = got.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param), error
    with factory.plant.store.read() as transaction:
        assert transaction.assets.uploads() == transaction.assets.assets(None) == []


def test_what_is_no_form_at_all_is_refused(factory):
    got = factory.as_("acme-member").post("/v1/files", json={"purpose": "batch"})
    assert (got.status_code, got.json()["error"]["param"]) == (400, "content-type")


def test_a_file_for_training_is_refused_where_the_tenants_label_lets_none_be_used(factory):
    operator = factory.as_("operator")
    far = {"name": "far", "jurisdictions": ["FR"], "storage": ["DE"]}
    assert operator.post("/factory/v1/tenants", json=far).status_code == 201
    _, factory.keys["far"] = factory.plant.keys.add("op", "far")
    files = {"file": JSONL}
    got = factory.as_("far").post("/v1/files", data={"purpose": "fine-tune"}, files=files)
    assert got.status_code == 403
    error = got.json()["error"]
    assert error["code"] == "policy_denied"
    assert "asset.border" in error["message"]
    assert "must cover where the place stands" in error["message"]
    with factory.plant.store.read() as transaction:
        assert transaction.assets.uploads() == []


def test_another_tenants_file_or_batch_is_none(factory):
    made = added(factory.as_("acme-member"))
    other = factory.as_("demo-admin")
    for method, path in (
        *(("GET", "/v1/files/{}"), ("GET", "/v1/files/{}/content"), ("DELETE", "/v1/files/{}")),
        *(("GET", "/v1/files?after={}"), ("GET", "/v1/batches/{}")),
    ):
        told = [other.request(method, path.format(name)) for name in (made["id"], "file-00")]
        assert [one.status_code for one in told] == [404, 404]
        texts = [told[0].text.replace(made["id"], "*"), told[1].text.replace("file-00", "*")]
        assert texts[0] == texts[1]
    body = {"endpoint": "/v1/completions", "completion_window": "24h"}
    got = other.post("/v1/batches", json={**body, "input_file_id": made["id"]})
    assert got.status_code == 404
    assert other.get("/v1/files").json()["data"] == []


def test_staff_has_no_files(factory):
    for name in ("operator", "auditor"):
        got = factory.as_(name).get("/v1/files")
        assert (got.status_code, got.json()["error"]["type"]) == (403, "permission_error")
    got = factory.as_(None).get("/v1/files")
    assert (got.status_code, got.json()["error"]["code"]) == (401, "invalid_api_key")
    assert got.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"output_expires_after": {"anchor": "created_at", "seconds": 3600}},
         "output_expires_after"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"endpoint": "/v1/responses"}, "endpoint"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {"a": "x" * 513}}, "metadata.a"),
        ({"input_file_id": None}, "input_file_id"),
    ],
)  # fmt: skip
def test_a_batch_says_which_field_it_does_not_take(factory, more, param):
    member = factory.as_("acme-member")
    body = {
        "input_file_id": added(member)["id"],
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
    }
    got = member.post("/v1/batches", json=body | more)
    assert (got.status_code, got.json()["error"]["param"]) == (400, param), got.text
    made = member.post("/v1/batches", json=body | {"metadata": {"a": "b"}})
    assert made.status_code == 200, made.text
    told = made.json()
    assert (told["status"], told["metadata"]) == ("validating", {"a": "b"})
    assert told["expires_at"] - told["created_at"] == 86_400
    assert member.get("/v1/batches").json()["data"][0]["id"] == told["id"]


def test_text_that_reads_two_ways_is_refused_in_the_dialect(factory):
    twice = b'{"input_file_id": "a", "input_file_id": "b"}'
    headers = {"content-type": "application/json"}
    got = factory.as_("acme-member").post("/v1/batches", content=twice, headers=headers)
    assert (got.status_code, got.json()["error"]["type"]) == (400, "invalid_request_error")


class Slices(Held):
    """Comes a few bytes at a time."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        super().__init__(data)
        self._sizes = sizes

    def take(self, length: int):
        size = self._sizes.pop() if self._sizes else length
        return super().take(min(size, length))


@given(
    content=st.binary(max_size=200),
    sizes=st.lists(st.integers(1, 40), max_size=40),
    boundary=st.text("ab-", min_size=1, max_size=9),
)
def test_a_form_reads_the_same_however_it_comes(content, sizes, boundary):
    boundary = f"x{boundary}y"
    if boundary.encode() in content:
        return
    body = form(("purpose", None, b"batch"), ("file", "a", content), boundary=boundary.encode())
    read = Form(Slices(body, sizes), f"multipart/form-data; boundary={boundary}")
    assert read.begin() == "a"
    assert b"".join(read.pieces()) == content
    assert read.fields == {"purpose": "batch"}


def test_a_forms_headers_have_a_bound():
    body = b"--b\r\nContent-Disposition: form-data; name=" + b"x" * 2 * HEADER_BYTES
    with pytest.raises(BadInput):
        Form(Held(body), "multipart/form-data; boundary=b").begin()
