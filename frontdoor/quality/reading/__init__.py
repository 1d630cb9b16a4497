"""Read what was sent: raw.<feed> (text) into raw.<feed>_read (typed, each property with its state).

There is one reading, in SQL, for the checks and for the models alike, so that no two parts of the house can understand
a cell differently. It never raises for data and never holds a record.
"""

from frontdoor.quality.reading.run import note_labels, read

__all__ = ["note_labels", "read"]
