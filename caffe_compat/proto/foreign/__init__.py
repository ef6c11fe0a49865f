"""Layer types, fields and enum values of other Caffes that BVLC's lacks, and the reading of texts that hold them."""
