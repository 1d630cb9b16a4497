"""A town whose truth is known: invented children, what happens to them, who tells of it, and what the council does.

scenario, people, telling, day, town                    a life, day by day
casework, cases, visiting, quality                      what is decided, what follows, who is seen, what is looked at
factors, workforce, plans, allocation                   what assessments find; who works, comes and goes, holds whom
records                                                 what agencies tell of it, in the house's own terms
returns/                                                what the council hands over besides: a census, inspectors' lists
post, sending                                           the files that they send, in their formats and at their times
truth                                                   what is true, and which defect sits in which record
"""
