"""Policy sets are checked whole, keep their text, and never lose a rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inland.decide.policy_set import (
    SCHEMA,
    SCHEMA_FILE,
    check_policies,
    default_files,
    endpoint_rule,
    join_files,
    missing_permits,
    policy_digest,
    rule_texts,
    rules,
    split_files,
)
from inland.domain.errors import BadInput

GOOD = '@id("a")\npermit (principal, action, resource);\n'


def test_the_default_policies_can_be_applied():
    assert check_policies(default_files()) == []
    assert check_policies({**default_files(), SCHEMA_FILE: SCHEMA}) == []


_LINES = st.lists(
    st.text(st.characters(exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")).filter(
        lambda line: not line.startswith("////")
    )
)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}\.cedar", fullmatch=True), _LINES, max_size=4))
def test_files_survive_being_joined(lines):
    files = {name: "".join(f"{line}\n" for line in text) for name, text in lines.items()}
    assert split_files(join_files(files)) == files


def test_a_digest_is_of_every_file_and_its_name():
    digests = {
        policy_digest(join_files(files))
        for files in ({"a.cedar": GOOD}, {"b.cedar": GOOD}, {"a.cedar": GOOD, "b.cedar": GOOD})
    }
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no *.cedar file"),
        ({"A.cedar": GOOD}, "file names"),
        ({"../a.cedar": GOOD}, "file names"),
        ({"a.cedar": "permit (principal, action resource);"}, "a.cedar"),
        ({"a.cedar": "permit (principal, action, resource);"}, "has no @id"),
        ({"a.cedar": GOOD, "b.cedar": GOOD}, "stands 2 times"),
        ({"a.cedar": GOOD + "//// file: b.cedar\n"}, "no line may start"),
        ({"a.cedar": GOOD.replace("permit", "forbid")}, "no permit"),
        ({"a.cedar": GOOD.replace(";", " when { principal.nothing };")}, "not found"),
        ({"a.cedar": '@id("a") permit (principal == ?principal, action, resource);'}, "a.cedar"),
        ({"a.cedar": GOOD, SCHEMA_FILE: "entity Key;"}, "schema"),
        ({f"a{i}.cedar": GOOD.replace('"a"', f'"a{i}"') for i in range(65)}, "at most 64"),
        ({"a.cedar": GOOD + "//" + "x" * 300_000}, "bytes"),
        ({"a.cedar": GOOD.replace('"a"', '"a b"')}, "use letters"),
        ({"a.cedar": GOOD + "// \ud800"}, "no text"),
        ({"\ud800.cedar": GOOD}, "no text"),
    ],
)
def test_a_set_that_is_wrong_is_refused_and_told_why(files, said):
    problems = check_policies(files)
    assert any(said in problem for problem in problems), problems


def test_each_rule_is_found_by_its_id_with_its_text():
    text = join_files(default_files())
    assert rules(text).keys() == rule_texts(text).keys()
    assert rules(text)["border.tenant"].remedy
    assert "containsAny" in rule_texts(text)["border.tenant"]


@pytest.mark.parametrize("host", ['x"); permit (principal, action, resource); //', "a b", ""])
def test_no_host_can_write_more_than_one_rule(host):
    with pytest.raises(BadInput):
        endpoint_rule(host, 80)


def test_a_set_without_a_permit_for_assets_can_be_applied_and_says_what_it_lacks():
    files = default_files()
    assert missing_permits(files) == []
    before = {name: text for name, text in files.items() if name != "assets.cedar"}
    assert check_policies(before) == []
    (told,) = missing_permits(before)
    assert "add assets.cedar" in told
    assert missing_permits({**before, "a.cedar": GOOD}), "one that says nothing of assets is none"
    own = '@id("own") permit (principal, action, resource == Asset::"x");'
    assert missing_permits({**before, "a.cedar": own}) == []


EARLIER = """
forbid (principal, action == Action::"serve", resource) when { principal.tenant.suspended }
forbid (principal is Key, action, resource) when { context.model == resource.owner }
forbid (principal, action == Action::"train", resource) when { context.place.stands == "US" }
forbid (principal is Key, action, resource) unless { resource.classification == "public" }
permit (principal is Key, action, resource is Model)
permit (principal is Key, action, resource) when { resource.shared_with.contains("*") }
"""


@pytest.mark.parametrize("rule", EARLIER.strip().splitlines())
def test_a_rule_from_before_there_were_assets_is_still_one(rule):
    """Whatever a question about a model has, a question about an asset has too."""
    assert check_policies({**default_files(), "z.cedar": f'@id("z") {rule};'}) == []
