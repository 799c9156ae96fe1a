"""What the simulated appliance's web server says: XML documents, pages and forms as bytes.

Written from the recorded samples and the guide's words only, and sharing no code with
`transports.http`: the counterpart of a transport must not be built from its parts.
"""
