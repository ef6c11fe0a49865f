"""Why a layer differs: hypotheses that are run and measured."""
