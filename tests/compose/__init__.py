"""The container files, carried out without Docker: what they say is done by namespaces of this kernel.

It is no container engine. It does what these two files say, and stops at what it does not know.
"""
