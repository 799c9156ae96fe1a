"""ENUM names and the regular expressions of NAPTR records."""

import pytest

from app.dns.naptr import enum_name, rewritten
from app.domain.dns import Naptr


def test_digits_are_turned_round_and_put_before_the_zone():
    assert enum_name("557120", "enum.lookup.com.") == "0.2.1.7.5.5.enum.lookup.com"
    assert enum_name("+44 20-7946", "e164.arpa") == "6.4.9.7.0.2.4.4.e164.arpa"


@pytest.mark.parametrize("number", ["", "+", "12a", "1;2", "1" * 33])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(ValueError, match="digits"):
        enum_name(number, "enum.lookup.com")


def test_groups_of_the_pattern_fill_the_result():
    assert rewritten(r"!^\+44(.*)$!sip:\1@example.com!", "+442079") == "sip:2079@example.com"


def test_any_delimiter_works_and_can_be_escaped():
    assert rewritten(r"/^.*$/sip:a\/b@example.com/i", "1") == "sip:a/b@example.com"


@pytest.mark.parametrize(
    "regexp",
    [
        "",
        "!!",
        "abc",
        "!^.*$!two parts",
        "!^(1+)+$!x!",
        "!^(?:1|b).*$!x!",
        "!^(1|b)*$!x!",
        r"!^(.)\1.*$!x!",
        "!.*.*.*.*1$!x!",
        "!^5$!does not match!",
        "![!x!",
        r"!^.*$!\7!",
        "!^.*$!x!g",
        "!" + "a" * 300 + "!x!",
    ],
)
def test_an_expression_that_is_wrong_or_dangerous_gives_nothing(regexp):
    with pytest.raises(ValueError, match=r"."):
        rewritten(regexp, "1" * 32)


def test_fields_are_read_as_the_zone_file_has_them():
    entry = Naptr.of('10 100 "u" "E2U+sip" "!^.*$!bob@example.com!" .')
    assert entry == Naptr(10, 100, "u", "E2U+sip", "!^.*$!bob@example.com!", "")
    assert Naptr.of('1 1 "a" "SIP+D2U" "" host.example.com.').leads_to == "A or AAAA"
