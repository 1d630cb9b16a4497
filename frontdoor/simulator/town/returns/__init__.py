"""What the council hands over besides its list of visits: the census of a year, and the lists for an inspection.

casefile      what the case system can look up of each child, and the episodes of need that follow from it
census        the children in need census return, by the layout `cin_census`
inspection    the lists for an inspection, by the layout `annex_a`: `lines`, `step_lists`, `plan_lists`
handing       which of them lands on which day
"""
