"""Zone data out of the guide, p.31-35, as its examples print it."""
# ruff: noqa: E501 - zone files have long lines

COMPANY = """
_sips._tcp.company.com. 86400 IN SRV 1 1 5061 expe1.company.com.
_sips._tcp.company.com. 86400 IN SRV 1 1 5061 expe2.company.com.
_sip._tcp.company.com. 86400 IN SRV 1 1 5060 expe1.company.com.
_sip._tcp.company.com. 86400 IN SRV 1 1 5060 expe2.company.com.
_h323ls._udp.company.com. 86400 IN SRV 1 1 1719 expe1.company.com.
_h323ls._udp.company.com. 86400 IN SRV 1 1 1719 expe2.company.com.
_h323cs._tcp.company.com. 86400 IN SRV 1 1 1720 expe1.company.com.
_h323cs._tcp.company.com. 86400 IN SRV 1 1 1720 expe2.company.com.
"""
"""Guide p.31-32: two peers of an Expressway-E cluster for company.com."""

HOSTS = """
expe1.company.com. 1536 IN A 192.0.2.11
expe1.company.com. 1536 IN AAAA 2001:db8::11
expe2.company.com. 1376 IN A 192.0.2.12
11.2.0.192.in-addr.arpa. 300 IN PTR expe1.company.com.
12.2.0.192.in-addr.arpa. 300 IN PTR expe2.company.com.
1.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 300 IN PTR expe1.company.com.
"""

EXAMPLE = """
_sip._tcp.example.com. 1183 IN SRV 1 0 5060 expe1.example.com.
_sip._tcp.example.com. 1183 IN SRV 1 0 5060 expe2.example.com.
expe1.example.com. 1536 IN A 194.73.59.53
expe2.example.com. 1376 IN A 194.73.59.54
example.com. 87450 IN NS ns1.mydyndns.org.
example.com. 87450 IN NS ns2.mydyndns.org.
ns1.mydyndns.org. 75 IN A 204.13.248.76
ns2.mydyndns.org. 10037 IN A 204.13.249.76
"""
"""Guide p.33: weights are 0 there."""

NAPTR = """
example.com. 60 IN NAPTR 10 100 "s" "SIPS+D2T" "" _sips._tcp.example.com.
example.com. 60 IN NAPTR 12 100 "s" "SIP+D2T" "" _sip._tcp.example.com.
example.com. 60 IN NAPTR 14 100 "s" "SIP+D2U" "" _sip._udp.example.com.
www.example.com. 60 IN NAPTR 10 100 "s" "http+I2R" "" _http._tcp.example.com.
www.example.com. 60 IN NAPTR 10 100 "s" "ftp+I2R" "" _ftp._tcp.example.com.
0.2.1.7.5.5.enum.lookup.com. 60 IN NAPTR 10 100 "u" "E2U+sip" "!^.*$!john.smith@tandberg.com!" .
0.2.1.7.5.5.enum.lookup.com. 60 IN NAPTR 12 100 "u" "E2U+h323" "!^.*$!john.smith@tandberg.com!" .
0.2.1.7.5.5.enum.lookup.com. 60 IN NAPTR 10 100 "u" "mailto+E2U" "!^.*$!mailto:john.smith@tandberg.com!" .
1.2.1.7.5.5.enum.lookup.com. 60 IN NAPTR 10 100 "u" "E2U+sip" "!^.*$!mary.jones@tandberg.com!" .
2.2.1.7.5.5.enum.lookup.com. 60 IN NAPTR 10 100 "u" "E2U+h323" "!^.*$!peter.archibald@myco.com!" .
4.3.7.8.enum4.example.com. 60 IN NAPTR 10 100 "u" "E2U+sip" "!^.*$!bob@example.com!" .
4.3.7.8.enum4.example.com. 60 IN NAPTR 10 100 "u" "E2U+h323" "!^.*$!bob@example.com!" .
outside.example.com. 2 IN NAPTR 50 50 "se" "SIPS+D2T" "" _sips._tcp.example.com.
outside.example.com. 2 IN NAPTR 90 50 "se" "SIP+D2T" "" _sip._tcp.example.com.
outside.example.com. 2 IN NAPTR 100 50 "se" "SIP+D2U" "" _sip._udp.example.com.
"""
"""Guide p.34 and p.35; the rows of p.35 are under a name of their own."""

ODD = """
alias.company.com. 60 IN CNAME expe1.company.com.
big.cut.company.com. 60 IN A 192.0.2.77
"""
