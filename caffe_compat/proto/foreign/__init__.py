"""Layer types, fields and words that other Caffes have and BVLC's has not, and how a text that holds them is read."""
