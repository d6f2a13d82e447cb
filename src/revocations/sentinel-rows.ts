import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, isoTime, textAt, timeAt, type Item } from '../aws/attributes.ts';
import { queryPages } from '../aws/table.ts';
import { HOUR, SECOND } from '../lib/clock.ts';
import type { Block, RevocationSubject } from './revocation.ts';

/** How old a row is looked at: sessions live at most a day, so older rows refuse nobody. */
const LONGEST_SESSION = 24 * HOUR;

/** How long one page of the index may take, its retries included. */
const DEADLINE = 5 * SECOND;

/**
 * The sessions that somebody other than the TVM marked as revoked, usually with Sentinel's own CLI.
 */
export type ForeignRevocations = {
  /** Reads them again; rejects if that fails. `now` in epoch milliseconds. */
  readonly read: (now: number) => Promise<void>;
  /** The session by which this caller is refused this profile, if there is one. */
  readonly ofVend: (subject: RevocationSubject, profile: string, now: number) => Block | undefined;
};

/**
 * A session that was revoked, until it would have ended. `by` is who revoked it, as Sentinel names
 * them.
 */
type Ended = Block & { readonly until: number; readonly by: string | undefined };

/**
 * What a row refuses, and to whom. A row that the TVM wrote names the subject; any other names only
 * the user, by the name that Sentinel has for them.
 */
function toEnded(item: Item): readonly [key: string, ended: Ended] | undefined {
  const [id, user, profile, subject] = ['id', 'user', 'profile', 'subject'].map((name) =>
    textAt(item, name),
  );
  const until = timeAt(item, 'expires_at');
  // What the TVM itself revoked stands in the log, where it can be lifted again.
  const isLogged = item['revocation'] !== undefined;
  if (isLogged || id === undefined || profile === undefined || until === undefined)
    return undefined;
  const whom = subject ?? user;
  if (whom === undefined) return undefined;
  const target = {
    kind: 'session',
    value: id,
    subject: subject ?? '',
    user: user ?? '',
    profile,
  } as const;
  return [
    `${subject === undefined ? 'user' : 'subject'}\n${whom}\n${profile}`,
    { target, until, by: textAt(item, 'revoked_by') },
  ];
}

/** Reads the revoked rows of the sessions table by its index on status, to the last page. */
export function createForeignRevocations(client: DynamoDBClient, name: string): ForeignRevocations {
  const table = { client, name, deadline: DEADLINE };
  /**
   * Cache: subject or user, and profile → the session that refuses them; replaced by each reading.
   */
  let blocked = new Map<string, Ended>();

  function live(key: string, now: number): Ended | undefined {
    const ended = blocked.get(key);
    return ended !== undefined && now < ended.until ? ended : undefined;
  }

  async function read(now: number): Promise<void> {
    const found = new Map<string, Ended>();
    const pages = queryPages(table, {
      index: 'gsi-status',
      condition: '#s = :revoked AND created_at > :since',
      names: { '#s': 'status' },
      values: attributes({ ':revoked': 'revoked', ':since': isoTime(now - LONGEST_SESSION) }),
      order: 'rising',
      limit: undefined,
    });
    for await (const items of pages) {
      for (const item of items) {
        const entry = toEnded(item);
        if (entry === undefined) continue;
        const [key, ended] = entry;
        // Of several rows for one caller and profile the one that lasts longest counts.
        if (ended.until > (found.get(key)?.until ?? 0)) found.set(key, ended);
      }
    }
    blocked = found;
  }

  function ofVend(
    { name, storedName, subject }: RevocationSubject,
    profile: string,
    now: number,
  ): Block | undefined {
    return (
      live(`subject\n${subject}\n${profile}`, now) ??
      live(`user\n${storedName}\n${profile}`, now) ??
      live(`user\n${name}\n${profile}`, now)
    );
  }

  return { read, ofVend };
}
