"""Into how many pieces a step is cut for threads."""

CHUNKS = 16  #: pieces where the work allows: enough for eight threads to even out
