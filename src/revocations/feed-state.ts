/** What this instance knows, and how far it can be trusted. */
export type FeedState = {
  /** Whether the first try to read is over, successful or not. */
  readonly tried: boolean;
  /**
   * Milliseconds since the last reading of the log that found everything began; undefined if there
   * was none.
   */
  readonly ageMs: number | undefined;
  readonly live: number;
  /**
   * Whether what is known may be vended on: it is young enough, or the operator's grace applies.
   */
  readonly usable: boolean;
  /** Whether the last try to read failed. */
  readonly failing: boolean;
  /** Whether older knowledge is used during an outage, because the operator chose availability. */
  readonly inGrace: boolean;
  /**
   * How many entries are signed with a key that is no longer the one that signs: 0 before that key
   * may be deleted.
   */
  readonly underOldKeys: number;
  /**
   * Whether entries of the log are missing or were changed by others, so that nobody knows what is
   * revoked.
   */
  readonly broken: boolean;
};
