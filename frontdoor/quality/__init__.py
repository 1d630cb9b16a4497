"""Read and judge: from contract to typed records, results, findings, sufficiency and verdict.

    read     raw.<feed> -> raw.<feed>_read, in the caller's transaction (frontdoor.quality.reading)
    judge    Great Expectations over what was read -> quality.check_results, quality.findings, verdicts
    attempt  how records would be read and judged under other declarations, in tables that are nobody's
    waivers  what a sender need not be told of for a while
    fix_first_publications    what was right when it was first told, once and for all
    fix_first_scores          what was checked, failed and not known then, once and for all
    attributions    what is not the agency's fault, for scores alone
    note_labels    which labels of deliveries no mapping knows, after records of them are gone
    warm     import Great Expectations once, before workers are forked

The only importer of great_expectations, and only inside functions: the import takes seconds.
"""

from frontdoor.quality.attributions import mark_waiting
from frontdoor.quality.first_scores import fix_first_scores
from frontdoor.quality.first_told import fix_first_publications
from frontdoor.quality.judging import judge
from frontdoor.quality.questions import publish_questions
from frontdoor.quality.reading import note_labels, read
from frontdoor.quality.sufficiency import publish_sufficiency_elements

__all__ = [
    "fix_first_publications",
    "fix_first_scores",
    "judge",
    "mark_waiting",
    "note_labels",
    "publish_questions",
    "publish_sufficiency_elements",
    "read",
]
