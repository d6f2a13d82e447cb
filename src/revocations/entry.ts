import type { Item } from '../aws/table.ts';
import { isSignedRow, signingKeyOf, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import type { Revocation, RevocationTarget } from './revocation.ts';

/** An entry of the log: a revocation, the lifting of one, or a number that says nothing. */
export type LogEntry =
  | ({ readonly what: 'revoke' } & Revocation)
  | { readonly what: 'lift'; readonly n: number; readonly lifts: number; readonly signature: string }
  | { readonly what: 'void'; readonly n: number };

/** What was read at a number of the log. */
export type ReadEntry = {
  readonly entry: LogEntry;
  /** Whether the TVM itself wrote it as it stands there. What is not genuine may revoke, and nothing else. */
  readonly genuine: boolean;
  /** Whether the TVM has closed it: it is lifted, or was put aside by an operator. */
  readonly closed: boolean;
  /** Signatures of a key that is there, but is not the one that signs now; what rotation has to sign anew. */
  readonly stale: boolean;
  readonly item: Item;
};

const ENTRY = 'revocation entry';
const LIFT = 'lifted revocation';
const CLOSED = 'closed revocation';
const HEAD = 'head of revocations';

/** All that an entry says; `attempt` and `closing` are not among it. */
const SIGNED = 'id n what kind value subject user profile reason by by_principal created_at until own last'.split(' ');

export function idOf(n: number): string {
  return `rev#${n}`;
}

/** The number in an id; undefined for what is no entry's. */
function numberOf(id: string | undefined): number | undefined {
  const n = /^rev#([1-9]\d{0,14})$/u.exec(id ?? '')?.[1];
  return n === undefined ? undefined : Number(n);
}

/** With its type: a value that only changes its type must not be taken for the same. */
function partOf(item: Item, name: string): string {
  const value = item[name];
  if (value?.S !== undefined) return `S${value.S}`;
  if (value?.N !== undefined) return `N${value.N}`;
  return value === undefined ? '' : JSON.stringify(value);
}

/** Purpose and parts of an entry's signature; a lifting's are its number and the number that it lifts. */
function signedOf(item: Item): readonly [purpose: string, parts: readonly (string | number)[]] {
  return item['what']?.S === 'lift'
    ? [LIFT, [Number(item['n']?.N), Number(item['lifts']?.N)]]
    : [ENTRY, SIGNED.map((name) => partOf(item, name))];
}

/** Signs an item as it stands; unsigned where there is no key to sign with. */
export function signEntry(item: Item, sealing: SealingKey | undefined): Item {
  if (sealing === undefined) return item;
  const [purpose, parts] = signedOf(item);
  return { ...item, signature: { S: signRow(sealing, purpose, parts) } };
}

/** What closes entry n: the number of the entry that lifts it, and the TVM's word for it. */
export function toClosing(n: number, by: number, sealing: SealingKey): Item {
  return {
    closed_by: { N: String(by) },
    closing: { S: signRow(sealing, CLOSED, [n, by]) },
  };
}

/** The head with its signature. */
export function toHead(n: number, sealing: SealingKey | undefined): Item {
  return {
    id: { S: 'head' },
    n: { N: String(n) },
    ...(sealing === undefined ? {} : { signature: { S: signRow(sealing, HEAD, [n]) } }),
  };
}

/** The number of a head, and whether the TVM signed it; what is no number is 0. */
export function readHead(item: Item | undefined, keys: SealingKeys): { readonly n: number; readonly genuine: boolean } {
  const n = Number(item?.['n']?.N ?? 0);
  if (!Number.isSafeInteger(n) || n < 0) return { n: 0, genuine: false };
  return { n, genuine: isSignedRow(item?.['signature']?.S ?? '', keys, HEAD, [n]) };
}

/** An entry as the table has it, still without a signature. `last`: the last number of the batch that it begins. */
export function toItem(entry: LogEntry, last: number | undefined): Item {
  const { n } = entry;
  const common = {
    id: { S: idOf(n) },
    n: { N: String(n) },
    what: { S: entry.what },
    ...(last === undefined ? {} : { last: { N: String(last) } }),
  };
  if (entry.what === 'void') return common;
  if (entry.what === 'lift') return { ...common, lifts: { N: String(entry.lifts) }, signature: { S: entry.signature } };
  const { target, reason, by, byPrincipal, createdAt, until, own } = entry;
  return {
    ...common,
    kind: { S: target.kind },
    ...(target.kind === 'all' ? {} : { value: { S: target.value } }),
    ...(target.kind === 'session'
      ? { subject: { S: target.subject }, user: { S: target.user }, profile: { S: target.profile } }
      : {}),
    reason: { S: reason },
    by: { S: by },
    by_principal: { S: byPrincipal },
    created_at: { S: new Date(createdAt).toISOString() },
    ...(until === undefined ? {} : { until: { S: new Date(until).toISOString() } }),
    ...(own === true ? { own: { BOOL: true } } : {}),
  };
}

/** A lifting with its signature. */
export function toLift(n: number, lifts: number, sealing: SealingKey): Extract<LogEntry, { what: 'lift' }> {
  return {
    what: 'lift',
    n,
    lifts,
    signature: signRow(sealing, LIFT, [n, lifts]),
  };
}

function toTarget(item: Item): RevocationTarget | undefined {
  const [kind, value = '', subject = '', user = '', profile = ''] = ['kind', 'value', 'subject', 'user', 'profile'].map(
    (name) => item[name]?.S,
  );
  if (kind === 'all') return { kind };
  if (value === '') return undefined;
  if (kind === 'user' || kind === 'principal' || kind === 'profile') return { kind, value };
  const isWhole = profile !== '' && (subject !== '' || user !== '');
  return kind === 'session' && isWhole ? { kind, value, subject, user, profile } : undefined;
}

/** Reads what anybody may have written: what is no entry says nothing, so that nothing can stop a reader. */
function toEntry(item: Item, n: number, genuine: boolean): LogEntry {
  if (item['what']?.S === 'lift') {
    const lifts = Number(item['lifts']?.N);
    // Only the TVM lifts.
    const isLift = genuine && Number.isSafeInteger(lifts);
    return isLift ? { what: 'lift', n, lifts, signature: item['signature']?.S ?? '' } : { what: 'void', n };
  }
  const target = toTarget(item);
  if (target === undefined || item['what']?.S === 'void') return { what: 'void', n };
  // Whoever may not lift may not let a revocation end, either.
  const until = genuine ? Date.parse(item['until']?.S ?? '') : Number.NaN;
  return {
    what: 'revoke',
    n,
    target,
    reason: item['reason']?.S ?? '',
    by: item['by']?.S ?? '',
    byPrincipal: item['by_principal']?.S ?? '',
    createdAt: Date.parse(item['created_at']?.S ?? '') || 0,
    ...(Number.isNaN(until) ? {} : { until }),
    // What nobody vouches for reaches nobody but its subject where issued credentials are ended.
    ...(item['own']?.BOOL === true || !genuine ? { own: true } : {}),
  };
}

/**
 * Reads an item of the log.
 *
 * @param active the key that signs now
 * @param believed whether it counts as genuine without a signature: where the log has never been signed
 */
export function readEntry(
  item: Item,
  keys: SealingKeys,
  active: SealingKey | undefined,
  believed: boolean,
): ReadEntry | undefined {
  const n = numberOf(item['id']?.S);
  if (n === undefined) return undefined;
  const [signature, closing] = [item['signature']?.S ?? '', item['closing']?.S ?? ''];
  const by = Number(item['closed_by']?.N);
  const isNumbered = Number(item['n']?.N) === n;
  const [purpose, parts] = signedOf(item);
  const isSigned = isNumbered && isSignedRow(signature, keys, purpose, parts);
  const closed = closing !== '' && isSignedRow(closing, keys, CLOSED, [n, by]);
  // Liftings were signed from the first.
  const genuine = isSigned || (believed && isNumbered && item['what']?.S !== 'lift');
  function isOld(one: string): boolean {
    return active !== undefined && signingKeyOf(one) !== active.id;
  }
  const stale = (genuine && isOld(signature)) || (closed && isOld(closing));
  return { entry: isNumbered ? toEntry(item, n, genuine) : { what: 'void', n }, genuine, closed, stale, item };
}

/** The last number of the batch that an item begins, as the TVM says; else its own. */
export function endOfBatch(read: ReadEntry): number {
  const last = Number(read.item['last']?.N);
  return read.genuine && Number.isSafeInteger(last) ? Math.max(read.entry.n, last) : read.entry.n;
}
