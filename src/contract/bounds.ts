/**
 * Seconds that credentials may be asked for: STS's minimum at least, and an hour at most, where
 * role chaining ends, for the TVM's own credentials are a role's.
 */
export const VEND_SECONDS = { shortest: 900, usual: 900, longest: 3_600 } as const;

/** Seconds that a minted key may be asked for. */
export const KEY_SECONDS = { shortest: 60, usual: 900, longest: 3_600 } as const;

/** Characters of the justification of a request for an approval: Sentinel's. */
export const JUSTIFICATION_CHARACTERS = { fewest: 10, most: 500 } as const;

/** Characters of a comment on one. */
export const COMMENT_CHARACTERS = { fewest: 1, most: 500 } as const;

/** The most characters of a ticket. */
export const TICKET_CHARACTERS = 100;

/** Seconds that an approval may last; Sentinel's upper bound. */
export const APPROVAL_SECONDS = { shortest: 60, longest: 28_800 } as const;

/** Characters of the justification of break-glass: Sentinel's. */
export const BREAK_GLASS_JUSTIFICATION_CHARACTERS = { fewest: 20, most: 1_000 } as const;

/** Seconds that break-glass may last; Sentinel's upper bound. */
export const BREAK_GLASS_SECONDS = { shortest: 60, longest: 14_400 } as const;

/** Characters of a reason: Sentinel asks for 3 at least. */
export const REASON_CHARACTERS = { fewest: 3, most: 500 } as const;

/** The most characters of a session's label. */
export const LABEL_CHARACTERS = 32;

/** The most characters of what a revocation names: the longest ARN that IAM takes. */
export const REVOKED_CHARACTERS = 2_048;

/**
 * Characters of a user's name in a query: longer than any name, shorter than what an index can be
 * asked for.
 */
export const USER_CHARACTERS = 1_024;
