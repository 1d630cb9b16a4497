"""A town whose truth is known: invented children, what happens to them, who tells of it, and what the council does.

scenario, people, telling, casework, visiting, town     a life, day by day
factors, workforce, plans, allocation                   what assessments find; who works, comes and goes, holds whom
records                                                 what agencies tell of it, in the house's own terms
post, sending                                           the files that they send, in their formats and at their times
truth                                                   what is true, and which defect sits in which record
"""
