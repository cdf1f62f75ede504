"""Short tickets in Malay, and how they are triaged: which team, and whether at once.

As with work orders, wordings are shared and sentence forms are not.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from examples.drawing import in_turn, phrases, sentence

#: What every conversation of this task begins with.
SYSTEM = "Tentukan kategori tiket ini dalam JSON."

TROUBLE = {
    "rangkaian": (
        "internet terputus",
        "wifi sangat perlahan",
        "rangkaian tidak dapat disambung",
        "talian internet mati",
    ),
    "bil": (
        "bil saya salah",
        "saya dicaj dua kali",
        "jumlah bil terlalu tinggi",
        "bayaran saya tidak direkodkan",
    ),
    "akaun": (
        "saya tidak dapat log masuk",
        "kata laluan saya ditolak",
        "akaun saya dikunci",
        "saya terlupa kata laluan",
    ),
    "peranti": (
        "pencetak rosak",
        "skrin komputer gelap",
        "komputer riba tidak hidup",
        "papan kekunci tidak berfungsi",
    ),
    "penghantaran": (
        "barang belum sampai",
        "bungkusan hilang",
        "penghantaran lewat",
        "barang dihantar ke alamat salah",
    ),
}
URGENCY = {
    "segera": (
        "tolong segera",
        "kerja kami terhenti",
        "ini sangat mendesak",
        "perlu dibaiki sekarang",
    ),
    "biasa": (
        "tidak perlu tergesa-gesa",
        "bila ada masa sahaja",
        "minggu depan pun boleh",
        "boleh tunggu",
    ),
}

TRAINED = (
    "{trouble}, {urgency}.",
    "{trouble}. {urgency}.",
    "{urgency}. {trouble}.",
    "Selamat pagi, {trouble}. {urgency}.",
    "Sejak semalam {trouble}, {urgency}.",
    "Di pejabat {place}, {trouble}. {urgency}.",
    "{urgency}: {trouble}.",
    "Hari ini {trouble}, {urgency}.",
    "Cawangan {place}: {trouble}, {urgency}.",
    "Aduan: {trouble}. {urgency}.",
    "{trouble} di {place}. {urgency}.",
    "Tuan, {trouble}. {urgency}.",
)
HELD_OUT = (
    "Minta bantuan daripada pihak sokongan kerana {trouble}, {urgency}.",
    "Saya bertugas di {place} dan di sini {trouble}. {urgency}.",
    "Maaf kerana mengganggu tuan, tetapi {trouble}; {urgency}.",
    "Boleh sesiapa tolong kami di {place}? {trouble}. {urgency}.",
    "{urgency}, sebab {trouble} di kaunter utama {place}.",
    "Masalah yang kami hadapi sekarang ialah {trouble}. {urgency}.",
    "Sudah tiga hari berturut-turut {trouble}, {urgency}.",
    "Pelanggan kami dari {place} memberitahu bahawa {trouble}. {urgency}.",
    "{trouble} lagi seperti minggu lalu, apa patut saya buat? {urgency}.",
    "Rakan sepejabat saya berkata {trouble}, jadi {urgency}.",
)
PLACES = ("Ipoh", "Melaka", "Kuching", "Johor Bahru", "Kota Kinabalu", "Alor Setar", "Kuantan")


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was written, and where it belongs."""

    text: str
    category: str
    urgent: bool

    def triage(self) -> dict[str, Any]:
        """Where it belongs, as it is answered."""
        return {"kategori": self.category, "segera": self.urgent}


def tickets(seed: int, forms: tuple[str, ...], count: int) -> Iterator[Ticket]:
    """`count` of them in these forms."""
    chance = random.Random(seed)
    trouble, urgency = phrases(chance, TROUBLE), phrases(chance, URGENCY)
    turns = (in_turn(chance, values) for values in (forms, tuple(TROUBLE), tuple(URGENCY), PLACES))
    for form, category, how, place, _ in zip(*turns, range(count), strict=False):
        said = {"trouble": next(trouble[category]), "urgency": next(urgency[how])}
        yield Ticket(sentence(form.format(place=place, **said)), category, how == "segera")


def asked(ticket: Ticket) -> list[dict[str, str]]:
    """What a model is asked."""
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": ticket.text}]


def example(ticket: Ticket) -> dict[str, Any]:
    """A line of training data."""
    answer = json.dumps(ticket.triage(), separators=(",", ":"))
    return {"messages": [*asked(ticket), {"role": "assistant", "content": answer}]}


def task(ticket: Ticket) -> dict[str, Any]:
    """A line of a suite."""
    return {
        "input": asked(ticket),
        "reference": ticket.triage(),
        "scorer": "json-equality",
        "max_tokens": 32,
    }
