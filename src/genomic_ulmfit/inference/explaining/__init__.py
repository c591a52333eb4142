"""Why a model calls a sequence, and what variants change."""
