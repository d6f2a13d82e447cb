import { SECOND } from '../lib/clock.ts';
import type { Event } from './event.ts';

/** Something that may have an event to send: a row, as it was seen last. */
export type Ref = {
  readonly id: string;
  readonly version: number;
  /** How often it was tried. */
  readonly attempts: number;
};

/**
 * A row that is this instance's alone for the length of a lease, as it was read when the lease was
 * taken.
 */
export type Claimed = Ref & {
  /**
   * What is to be sent, oldest first; undefined where the row does not verify as one that a TVM
   * wrote.
   */
  readonly events: readonly Event[] | undefined;
  /** What has been sent of it: `<receiver>#<version>`. */
  readonly sent: readonly string[];
  /** Which claim this is. */
  readonly claim: string;
};

/**
 * Where rows with events come from. All methods reject where DynamoDB cannot be asked. A claim that
 * has been lost, to a newer version of the row or to another instance, is no fault: what is said of
 * it then changes nothing.
 */
export type Source = {
  readonly name: string;
  /**
   * Rows that are due: about `limit` of them, fewer or none where it would take long to find more.
   */
  readonly pending: (limit: number) => Promise<readonly Ref[]>;
  /** Takes the lease of a row; undefined if somebody else has it, or nothing is to be sent. */
  readonly claim: (ref: Ref) => Promise<Claimed | undefined>;
  /** All was sent. */
  readonly done: (claimed: Claimed) => Promise<void>;
  /** Something is left to be sent, not before `notBefore` (epoch milliseconds). */
  readonly again: (claimed: Claimed, notBefore: number, sent: readonly string[]) => Promise<void>;
  /** It is given up. */
  readonly dead: (claimed: Claimed) => Promise<void>;
};

/**
 * How long a row is one instance's: longer than it takes to send all its events, so that an
 * instance that dies costs a minute and no event. It ends by the clock of whoever looks; a clock
 * that is wrong makes an event come twice, or late.
 */
export const LEASE = 60 * SECOND;

/**
 * So many events of one row are sent under one claim, {@link LEASE} being enough for all of them.
 */
export const MAX_EVENTS = 8;
