"""``retouch doctor``: one module for each subject: ``read`` collects facts, ``judge`` (pure) judges them."""
