"""The whole HTTP contract: control's routes and the gateway's in one document."""

from inland.api import app, contract
from inland.gateway.contract import token_path


def whole() -> contract.Document:
    """The document that `/factory/v1/openapi.json` answers and `docs/openapi.json` holds."""
    return contract.document(app.routes(), token_path())
