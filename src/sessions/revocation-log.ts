import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { putNew, readItem, scanPages, updateIf, type Item } from '../aws/table.ts';
import { HOUR, SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';
import type { Revocation, RevocationTarget } from './revocation.ts';

/** An entry of the log: a revocation, or the lifting of one. */
export type LogEntry =
  | ({ readonly what: 'revoke' } & Revocation)
  | { readonly what: 'lift'; readonly n: number; readonly lifts: number; readonly signature: string };

/** What a new entry says; its number is the log's to give. */
export type NewEntry =
  | ({ readonly what: 'revoke' } & Omit<Revocation, 'n'>)
  | { readonly what: 'lift'; readonly lifts: number; readonly sealing: SealingKey };

/** Entries that end by themselves stay this much longer: whoever reads late must still find them. */
const KEPT = 24 * HOUR;

/** What one call may take. A reader that waits longer knows no more than one that failed. */
const DEADLINE = 3 * SECOND;
const READ_DEADLINE = 1.2 * SECOND;

const LIFT = 'lifted revocation';

/** Items of one page: what one answer may keep the process busy with. */
const PAGE = 500;

const idOf = (n: number): string => `rev#${n}`;

/**
 * The log of revocations in `sentinel-revocations`: entries `rev#<n>` without a gap, and `head`, which holds the number of
 * one of the last and is never deleted, so that no number is used twice. There is no index, no clock and no order to lose:
 * who has read n reads n + 1 next.
 *
 * An entry that others wrote may revoke; it may lift only if it carries the TVM's signature.
 */
export const createRevocationLog = (client: DynamoDBClient, name: string) => {
  const table = { client, name, deadline: DEADLINE };
  const get = (id: string): Promise<Item | undefined> => readItem({ ...table, deadline: READ_DEADLINE }, id);

  /** The head's number: 0 before there is one, undefined where what stands there is no number of an entry. */
  const readHead = async (): Promise<number | undefined> => {
    const n = Number((await get('head'))?.['n']?.N ?? 0);
    return Number.isSafeInteger(n) && n >= 0 ? n : undefined;
  };

  /** Raises the head to n, unless it is there already. */
  const raiseHead = async (n: number): Promise<void> => {
    await updateIf(table, 'head', 'SET #n = :n', {
      condition: 'attribute_not_exists(#n) OR #n < :n',
      names: { '#n': 'n' },
      values: { ':n': { N: String(n) } },
    });
  };

  /** Puts an entry at n; false if somebody else's is there. An entry of our own, put twice by the SDK, is ours. */
  const put = async (n: number, item: Item, attempt: string): Promise<boolean> => {
    const numbered = { ...item, id: { S: idOf(n) }, n: { N: String(n) } };
    return (await putNew(table, numbered, attempt)) === 'done';
  };

  return {
    readHead,
    raiseHead,
    /** The entry at n, read consistently; undefined if there is none (yet, or any more). `null` if it cannot be read as one. */
    read: async (n: number): Promise<LogEntry | null | undefined> => {
      const item = await get(idOf(n));
      return item === undefined ? undefined : toEntry(item);
    },
    /** All entries that there are, read consistently to the last page. */
    readAll: async (): Promise<readonly LogEntry[]> => {
      const entries: LogEntry[] = [];
      for await (const items of scanPages(table, PAGE)) {
        for (const item of items) {
          const entry = toEntry(item);
          if (entry !== null) entries.push(entry);
        }
      }
      return entries;
    },
    /** Appends an entry behind all others and gives it with its number. */
    append: async (entry: NewEntry): Promise<LogEntry> => {
      const attempt = newHexId();
      for (let n = ((await readHead()) ?? 0) + 1; ; n += 1) {
        const numbered = toNumbered(entry, n);
        if (await put(n, toItem(numbered), attempt)) {
          // The entry stands, and whoever reads it raises a head that lags: it must not be told as failed.
          await raiseHead(n).catch(() => undefined);
          return numbered;
        }
      }
    },
  };
};

export type RevocationLog = ReturnType<typeof createRevocationLog>;

const toNumbered = (entry: NewEntry, n: number): LogEntry => {
  if (entry.what === 'revoke') return { ...entry, n };
  const { lifts, sealing } = entry;
  return { what: 'lift', n, lifts, signature: signRow(sealing, LIFT, [n, lifts]) };
};

/** Whether a lifting entry is the TVM's own word. */
export const isGenuineLift = (entry: Extract<LogEntry, { what: 'lift' }>, keys: SealingKeys): boolean =>
  isSignedRow(entry.signature, keys, LIFT, [entry.n, entry.lifts]);

const toItem = (entry: LogEntry): Item => {
  if (entry.what === 'lift') {
    return { what: { S: 'lift' }, lifts: { N: String(entry.lifts) }, signature: { S: entry.signature } };
  }
  const { target, reason, by, byPrincipal, createdAt, until } = entry;
  return {
    what: { S: 'revoke' },
    kind: { S: target.kind },
    ...(target.kind === 'all' ? {} : { value: { S: target.value } }),
    ...(target.kind === 'session'
      ? { subject: { S: target.subject }, user: { S: target.user }, profile: { S: target.profile } }
      : {}),
    reason: { S: reason },
    by: { S: by },
    by_principal: { S: byPrincipal },
    created_at: { S: new Date(createdAt).toISOString() },
    ...(until === undefined
      ? {}
      : { until: { S: new Date(until).toISOString() }, ttl: { N: String(Math.ceil((until + KEPT) / SECOND)) } }),
  };
};

const toTarget = (item: Item): RevocationTarget | undefined => {
  const [kind, value = '', subject = '', user = '', profile = ''] = ['kind', 'value', 'subject', 'user', 'profile'].map(
    (name) => item[name]?.S,
  );
  if (kind === 'all') return { kind };
  if (value === '') return undefined;
  if (kind === 'user' || kind === 'principal' || kind === 'profile') return { kind, value };
  const isWhole = profile !== '' && (subject !== '' || user !== '');
  return kind === 'session' && isWhole ? { kind, value, subject, user, profile } : undefined;
};

/** Reads an item that anybody may have written: null for what is neither entry nor head, so that nothing can stop a reader. */
const toEntry = (item: Item): LogEntry | null => {
  const n = Number(item['n']?.N);
  if (!Number.isSafeInteger(n) || item['id']?.S !== idOf(n)) return null;
  if (item['what']?.S === 'lift') {
    const lifts = Number(item['lifts']?.N);
    return Number.isSafeInteger(lifts) ? { what: 'lift', n, lifts, signature: item['signature']?.S ?? '' } : null;
  }
  const target = toTarget(item);
  if (target === undefined) return null;
  const until = Date.parse(item['until']?.S ?? '');
  return {
    what: 'revoke',
    n,
    target,
    reason: item['reason']?.S ?? '',
    by: item['by']?.S ?? '',
    byPrincipal: item['by_principal']?.S ?? '',
    createdAt: Date.parse(item['created_at']?.S ?? '') || 0,
    ...(Number.isNaN(until) ? {} : { until }),
  };
};
