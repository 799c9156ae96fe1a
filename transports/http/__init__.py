"""The HTTPS access path: the XML API, and the web forms for what has no API in X8.2.

The XML API reads status and configuration, writes settings and runs commands. Backup, restore, the
cluster pre-shared key and the words of System > Clustering exist only as web pages on this software
(device facts 0 and 7), so the same transport also fills in those forms as a person would.
"""

from transports.http.tls import probe_certificate
from transports.http.transport import HttpTransport, create

__all__ = ["HttpTransport", "create", "probe_certificate"]
