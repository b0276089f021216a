"""Who answers for cells: live workers, their processes and what they gave."""
