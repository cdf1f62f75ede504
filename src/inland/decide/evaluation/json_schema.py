"""Whether JSON is what a schema allows: drafts 4 to 2020-12, patterns in linear time, nothing
fetched."""

from typing import Any

import jsonschema_rs

from inland.domain.errors import BadInput

_TOLD = 200


def demand_schema(schema: Any) -> None:
    """Raises BadInput where `schema` is none, or names what is not in it."""
    _validator(schema)


def misfit(schema: Any, value: Any) -> str | None:
    """What in `value` the schema does not allow, None where it allows all of it."""
    error = next(iter(_validator(schema).iter_errors(value)), None)
    if error is None:
        return None
    where = "".join(f"/{step}" for step in error.instance_path) or "the answer"
    return f"{where}: {error.message}"[:_TOLD]


def _validator(schema: Any) -> jsonschema_rs.Validator:
    if not isinstance(schema, (dict, bool)):
        raise BadInput("reference", "must be a JSON schema: an object, true or false")
    try:
        linear = jsonschema_rs.RegexOptions()
        return jsonschema_rs.validator_for(schema, offline=True, pattern_options=linear)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        why = " ".join(str(error).split())[:_TOLD]
        raise BadInput("reference", f"is no JSON schema that stands alone: {why}") from None
