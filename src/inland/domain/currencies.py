"""Money: currencies of ISO 4217, and amounts as whole numbers of named small units.

*Minor*: the currency's own smallest unit, which is what is paid (a cent; a yen). *Micro*: a
millionth of the currency's unit (of a euro), in which prices for a million tokens are written; so
one token costs as many *picos* (millionths of a micro), and a sum of tokens is exact in picos.
"""

from decimal import Decimal, InvalidOperation

from inland.domain.errors import BadInput

MICROS = 10**6
PICOS = 10**12
#: Digits of the minor unit, where they are not two.
_DIGITS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_TWO_DIGITS = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ
GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD
MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON
RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS
UAH USD USN UYU UZS VED VES WST XCD YER ZAR ZMW ZWG
"""
#: Every currency that can be billed in: its code and the digits of its minor unit.
CURRENCIES: dict[str, int] = dict.fromkeys(_TWO_DIGITS.split(), 2) | _DIGITS
#: The most of anything that may be named, in the currency's unit: far from every integer's end.
_MOST = 10**12


def digits_of(currency: str) -> int:
    """Digits of the minor unit. Raises BadInput for what is no currency's code."""
    try:
        return CURRENCIES[currency]
    except KeyError:
        why = f"{currency!r} is no currency's code in ISO 4217, such as EUR"
        raise BadInput("currency", why) from None


def minor_of(text: str, currency: str, field: str) -> int:
    """An amount such as `12.50` in minor units. Raises BadInput where it is none, or finer."""
    return _whole(text, digits_of(currency), field, f"an amount of {currency}")


def micros_of(text: str, field: str) -> int:
    """A price such as `0.15` in micros. Raises BadInput where it is none, or finer."""
    return _whole(text, 6, field, "a price for a million tokens")


def shown(minor: int, currency: str) -> str:
    """Minor units for people: 1250 of EUR is `12.50`."""
    return _shown(minor, CURRENCIES[currency])


def shown_micros(micros: int) -> str:
    """Micros for people: 150000 is `0.15`."""
    text = _shown(micros, 6)
    return text[:-4] + text[-4:].rstrip("0")


def minor_from_picos(picos: int, currency: str) -> int:
    """The nearest whole number of minor units; half of one goes to the even neighbour."""
    whole, rest = divmod(picos, one := PICOS // _minors(currency))
    up = 2 * rest > one or (2 * rest == one and whole % 2 == 1)
    return whole + up


def picos_of_minor(minor: int, currency: str) -> int:
    return minor * (PICOS // _minors(currency))


def _minors(currency: str) -> int:
    """Minor units of one of the currency's unit."""
    return int(10 ** CURRENCIES[currency])


def _whole(text: str, digits: int, field: str, what: str) -> int:
    try:
        value = Decimal(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None
    except InvalidOperation:
        value = None
    if value is None or value > _MOST:
        raise BadInput(field, f"{text!r} is not {what}, such as 12.50")
    scaled = value.scaleb(digits)
    if scaled != int(scaled):
        raise BadInput(field, f"{text} is finer than {what} can be: {digits} digits at most")
    return int(scaled)


def _shown(amount: int, digits: int) -> str:
    whole, rest = divmod(amount, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if digits else str(whole)
