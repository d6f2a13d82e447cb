import {
  attributes,
  flagAt,
  isoTime,
  numberAt,
  textAt,
  timeAt,
  type Item,
} from '../aws/attributes.ts';
import { signingKeyOf, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import { isSignedClosing, isSignedEntry, signLift } from './entry-signature.ts';
import type { Revocation, RevocationBook, RevocationTarget } from './revocation.ts';

/**
 * An entry of the log: a revocation, the lifting of one, or a number that says nothing (`void`).
 */
export type LogEntry =
  | ({ readonly what: 'revoke' } & Revocation)
  | {
      readonly what: 'lift';
      readonly n: number;
      readonly lifts: number;
      readonly signature: string;
    }
  | { readonly what: 'void'; readonly n: number };

/** What was read at a number of the log. */
export type ReadEntry = {
  readonly entry: LogEntry;
  /**
   * Whether the TVM signed it as it stands there. An entry that is not genuine may revoke, and
   * nothing else.
   */
  readonly genuine: boolean;
  /** Whether the TVM has closed it, because it was lifted. */
  readonly closed: boolean;
  /**
   * Whether it has a signature of a key that is no longer the one that signs, which rotation has to
   * replace.
   */
  readonly stale: boolean;
  readonly item: Item;
};

/** The id of the entry of a number. */
export function idOf(n: number): string {
  return `rev#${n}`;
}

/** The number in the id of an entry; undefined for any other id. */
function numberOf(id: string | undefined): number | undefined {
  const n = /^rev#([1-9]\d{0,14})$/u.exec(id ?? '')?.[1];
  return n === undefined ? undefined : Number(n);
}

/** The attributes of a target, of which each kind has its own. */
const NO_TARGET = { value: undefined, subject: undefined, user: undefined, profile: undefined };

/**
 * The item of an entry, still unsigned unless it is a lifting. `last` is the last number of the
 * batch that it begins.
 */
export function toItem(entry: LogEntry, last: number | undefined): Item {
  const { n, what } = entry;
  const common = attributes({ id: idOf(n), n, what, last });
  if (entry.what === 'void') return common;
  if (entry.what === 'lift')
    return { ...common, ...attributes({ lifts: entry.lifts, signature: entry.signature }) };
  const { target, reason, by, byPrincipal, createdAt, until, own } = entry;
  const { kind, value, subject, user, profile } = { ...NO_TARGET, ...target };
  return {
    ...common,
    ...attributes({
      kind,
      value,
      subject,
      user,
      profile,
      reason,
      by,
      by_principal: byPrincipal,
      created_at: isoTime(createdAt),
      until: until === undefined ? undefined : isoTime(until),
      own: own ? true : undefined,
    }),
  };
}

/** A lifting with its signature. */
export function toLift(
  n: number,
  lifts: number,
  sealing: SealingKey,
): Extract<LogEntry, { what: 'lift' }> {
  return {
    what: 'lift',
    n,
    lifts,
    signature: signLift(n, lifts, sealing),
  };
}

function toTarget(item: Item): RevocationTarget | undefined {
  const [kind, value = '', subject = '', user = '', profile = ''] = [
    'kind',
    'value',
    'subject',
    'user',
    'profile',
  ].map((name) => textAt(item, name));
  if (kind === 'all') return { kind };
  if (value === '') return undefined;
  if (kind === 'user' || kind === 'principal' || kind === 'profile') return { kind, value };
  if (kind === 'grant') return { kind, value, profile };
  const isWhole = profile !== '' && (subject !== '' || user !== '');
  return kind === 'session' && isWhole ? { kind, value, subject, user, profile } : undefined;
}

/**
 * Reads what anybody may have written. An item that makes no sense reads as `void`, so that nothing
 * stops a reader.
 */
function toEntry(item: Item, n: number, genuine: boolean): LogEntry {
  if (textAt(item, 'what') === 'lift') {
    const lifts = numberAt(item, 'lifts');
    // Only the TVM lifts.
    if (!genuine || lifts === undefined || !Number.isSafeInteger(lifts)) return { what: 'void', n };
    return { what: 'lift', n, lifts, signature: textAt(item, 'signature') ?? '' };
  }
  const target = toTarget(item);
  if (target === undefined || textAt(item, 'what') === 'void') return { what: 'void', n };
  // Only the TVM lets a revocation end by itself.
  const until = genuine ? timeAt(item, 'until') : undefined;
  return {
    what: 'revoke',
    n,
    target,
    reason: textAt(item, 'reason') ?? '',
    by: textAt(item, 'by') ?? '',
    byPrincipal: textAt(item, 'by_principal') ?? '',
    createdAt: timeAt(item, 'created_at') ?? 0,
    until,
    // An entry that the TVM did not sign must not end issued credentials of anybody but its
    // subject.
    own: flagAt(item, 'own') === true || !genuine,
  };
}

/**
 * Reads an item of the log.
 *
 * @param active the key that signs now
 * @param believed whether it counts as genuine without a signature: where the log has never been
 *   signed
 */
export function readEntry(
  item: Item,
  keys: SealingKeys,
  active: SealingKey | undefined,
  believed: boolean,
): ReadEntry | undefined {
  const n = numberOf(textAt(item, 'id'));
  if (n === undefined) return undefined;
  const [signature, closing] = [textAt(item, 'signature') ?? '', textAt(item, 'closing') ?? ''];
  const isNumbered = numberAt(item, 'n') === n;
  const isSigned = isNumbered && isSignedEntry(item, keys);
  const closed = isSignedClosing(item, n, keys);
  // Liftings have been signed since the first version.
  const genuine = isSigned || (believed && isNumbered && textAt(item, 'what') !== 'lift');
  function isOld(one: string): boolean {
    return active !== undefined && signingKeyOf(one) !== active.id;
  }
  const stale = (genuine && isOld(signature)) || (closed && isOld(closing));
  return {
    entry: isNumbered ? toEntry(item, n, genuine) : { what: 'void', n },
    genuine,
    closed,
    stale,
    item,
  };
}

/**
 * The last number of the batch that an entry begins, if the TVM signed the entry; otherwise its own
 * number.
 */
export function endOfBatch(read: ReadEntry): number {
  const last = numberAt(read.item, 'last');
  if (!read.genuine || last === undefined || !Number.isSafeInteger(last)) return read.entry.n;
  return Math.max(read.entry.n, last);
}

/** Applies an entry to a book. */
export function apply(read: ReadEntry, to: RevocationBook): void {
  const { entry, closed } = read;
  if (closed) to.lift(entry.n);
  if (entry.what === 'lift') to.lift(entry.lifts);
  if (entry.what === 'revoke') to.add(entry);
}
