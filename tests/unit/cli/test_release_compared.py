"""A release beside what is live, side by side."""

from inland.cli.release_compared import WIDE, picture, tell

SCORE = {"point": 0.9, "low": 0.7, "high": 0.97}


def test_an_interval_is_drawn_where_it_lies():
    assert picture(None) == "·" * WIDE
    assert picture({"point": 0.5, "low": 0.25, "high": 0.75}) == "······├─────●─────┤······"
    assert picture({"point": 1.0, "low": 0.0, "high": 1.0}) == "├" + "─" * 23 + "●"


def test_both_are_told_side_by_side_and_what_is_not_known_is_left_out(capsys):
    known = {"answers": 200, "errors": 3, "ttft_ms": 120, "thumbs": 20, "thumbs_up": 18}
    nothing = dict.fromkeys(known, 0) | {"score": None}
    tell({"candidate": known | {"score": SCORE}, "incumbent": nothing})
    told = capsys.readouterr().out
    for said in ("200", "1.5 %", "120 ms", "18 of 20", "90 % (70 to 97)", picture(SCORE)):
        assert said in told
    assert told.count("–") >= 3
