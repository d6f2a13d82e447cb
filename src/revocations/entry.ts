import {
  attributes,
  flagAt,
  isoTime,
  numberAt,
  textAt,
  timeAt,
  type Item,
} from '../aws/attributes.ts';
import {
  isSignedRow,
  signingKeyOf,
  signRow,
  type SealingKey,
  type SealingKeys,
} from '../lib/sealing.ts';
import type { Revocation, RevocationTarget } from './revocation.ts';

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

/** What the parts of the log are signed for; see `subkey`. */
const ENTRY = 'revocation entry';
const LIFT = 'lifted revocation';
const CLOSED = 'closed revocation';
const HEAD = 'head of revocations';

/** The attributes that the signature of an entry covers: all but `attempt` and those of closing. */
const SIGNED =
  'id n what kind value subject user profile reason by by_principal created_at until own last'.split(
    ' ',
  );

/** The id of the entry of a number. */
export function idOf(n: number): string {
  return `rev#${n}`;
}

/** The number in the id of an entry; undefined for any other id. */
function numberOf(id: string | undefined): number | undefined {
  const n = /^rev#([1-9]\d{0,14})$/u.exec(id ?? '')?.[1];
  return n === undefined ? undefined : Number(n);
}

/** A value with its type: one that changes only its type must not pass for the same. */
function partOf(item: Item, name: string): string {
  const value = item[name];
  if (value?.S !== undefined) return `S${value.S}`;
  if (value?.N !== undefined) return `N${value.N}`;
  return value === undefined ? '' : JSON.stringify(value);
}

/**
 * Purpose and parts of an entry's signature; a lifting's are its number and the number that it
 * lifts.
 */
function signedOf(item: Item): readonly [purpose: string, parts: readonly (string | number)[]] {
  return textAt(item, 'what') === 'lift'
    ? [LIFT, [numberAt(item, 'n') ?? Number.NaN, numberAt(item, 'lifts') ?? Number.NaN]]
    : [ENTRY, SIGNED.map((name) => partOf(item, name))];
}

/** Signs an item as it stands; leaves it unsigned if there is no key to sign with. */
export function signEntry(item: Item, sealing: SealingKey | undefined): Item {
  if (sealing === undefined) return item;
  const [purpose, parts] = signedOf(item);
  return { ...item, ...attributes({ signature: signRow(sealing, purpose, parts) }) };
}

/** The signature that closes entry n, by the number of the entry that lifts it. */
export function signClosing(n: number, by: number, sealing: SealingKey): string {
  return signRow(sealing, CLOSED, [n, by]);
}

/** The attributes that close entry n: the number of the entry that lifts it, with its signature. */
export function toClosing(n: number, by: number, sealing: SealingKey): Item {
  return attributes({ closed_by: by, closing: signClosing(n, by, sealing) });
}

/** The signature of a head; undefined if there is no key to sign with. */
export function signHead(n: number, sealing: SealingKey | undefined): string | undefined {
  return sealing === undefined ? undefined : signRow(sealing, HEAD, [n]);
}

/** The head with its signature. */
export function toHead(n: number, sealing: SealingKey | undefined): Item {
  return attributes({ id: 'head', n, signature: signHead(n, sealing) });
}

/** The number of a head, and whether the TVM signed it; 0 if it holds no number. */
export function readHead(
  item: Item | undefined,
  keys: SealingKeys,
): { readonly n: number; readonly genuine: boolean } {
  const n = numberAt(item, 'n') ?? 0;
  if (!Number.isSafeInteger(n) || n < 0) return { n: 0, genuine: false };
  return { n, genuine: isSignedRow(textAt(item, 'signature') ?? '', keys, HEAD, [n]) };
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
    signature: signRow(sealing, LIFT, [n, lifts]),
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
  const by = numberAt(item, 'closed_by') ?? Number.NaN;
  const isNumbered = numberAt(item, 'n') === n;
  const [purpose, parts] = signedOf(item);
  const isSigned = isNumbered && isSignedRow(signature, keys, purpose, parts);
  const closed = closing !== '' && isSignedRow(closing, keys, CLOSED, [n, by]);
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
