"""From job to plan: what would change, item by item."""
