"""What `inland doctor` says of the key that the embedded keys are under, and of more stores."""

from inland.adapters.files.disk import Disk
from inland.adapters.home.factory_toml import Declaration
from inland.adapters.home.layout import Home
from inland.adapters.home.store_table import StoreSaid
from inland.adapters.home.vault_table import BlobsIn, VaultSaid
from inland.adapters.host.findings import Health
from inland.adapters.vault.folder_blobs import FolderBlobs
from inland.adapters.vault.marks import MarkedBlobs, Marks
from inland.bootstrap.doctor import _vault_keys, vault_stores
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


def test_a_store_that_is_not_mounted_is_told_of(tmp_path):
    folder = tmp_path / "mnt"
    stores = (StoreSaid(Place("paris", "FR", "FR"), BlobsIn.FOLDER, folder),)
    home, said = Home(tmp_path), Declaration(SITE, stores=stores)

    def health() -> Health:
        (found,) = vault_stores(home, said)
        return found.health

    assert health() is Health.BAD
    folder.mkdir()
    assert health() is Health.GOOD, "nothing was ever put there"
    mark = Marks(Disk(tmp_path)).of("paris")
    MarkedBlobs(FolderBlobs(Disk(folder)), mark, "").put("parts/one/00000000", b"x")
    assert health() is Health.GOOD
    folder.rename(tmp_path / "disk")
    folder.mkdir()
    (found,) = vault_stores(home, said)
    assert (found.health, "keys/keepers/paris" in found.remedy) == (Health.BAD, True)
