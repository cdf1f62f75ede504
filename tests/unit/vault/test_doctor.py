"""What `inland doctor` says of the key that the embedded keys are under."""

from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.vault_table import VaultSaid
from inland.adapters.host.findings import Health
from inland.bootstrap.doctor import _vault_keys
from inland.domain.places import Place

SITE = Place("local", "DE", "DE")


def test_a_key_beside_what_it_wraps_is_warned_of_and_a_passphrase_is_not(tmp_path):
    found = _vault_keys(Declaration(SITE))
    assert found.health is Health.WARN
    assert "passphrase_file" in found.remedy
    file = tmp_path / "passphrase"
    said = Declaration(SITE, vault=VaultSaid(passphrase_file=file))
    assert _vault_keys(said).health is Health.WARN
    file.touch(0o600)
    file.write_text("correct horse\n")
    assert _vault_keys(said).health is Health.GOOD
    file.chmod(0o644)
    assert "chmod 600" in _vault_keys(said).told
