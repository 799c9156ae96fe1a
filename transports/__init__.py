"""How to reach one Expressway.

A transport turns typed settings, commands and operations into whatever one access path of the
appliance understands (admin CLI over SSH, XML API and web forms over HTTPS, the simulated fleet in
process) and turns its replies into documents. It knows nothing of clusters, jobs or HTTP callers.
"""
