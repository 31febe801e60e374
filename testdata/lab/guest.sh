# Process after init in the lab's guest: makes the runs of plan.json.
"$LAB_GUEST"
