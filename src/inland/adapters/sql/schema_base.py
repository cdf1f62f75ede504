"""The one catalogue of tables: `state.py` and `books.py` define theirs on it."""

from sqlalchemy import BigInteger, Integer, MetaData

#: Constraint names are fixed, so that a later migration can name what it changes.
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: 64-bit integers everywhere; SQLite's own are, and only its plain INTEGER can be a row id.
Int64 = BigInteger().with_variant(Integer, "sqlite")
