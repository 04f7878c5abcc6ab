"""What retouch promises of speed and memory, measured on this machine against a server of prebuilt answers.

``python -m benchmarks`` measures everything and writes ``results.md`` and ``results.json`` beside this file.
One module a subject (:mod:`.compare`, :mod:`.in_flight`, :mod:`.schedule`, :mod:`.start`, :mod:`.status`,
:mod:`.check`, :mod:`.reading`); what they share is in :mod:`.stage`, :mod:`.process` and :mod:`.figures`.
"""
