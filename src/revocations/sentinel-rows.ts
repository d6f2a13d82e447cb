import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, isoTime, textAt, timeAt, type Item } from '../aws/attributes.ts';
import { queryPages } from '../aws/table.ts';
import { HOUR, SECOND } from '../lib/clock.ts';
import type { Revocation, RevocationSubject } from './revocation.ts';

/** Sessions live a day at most, so that older rows block nobody. */
const LONGEST_SESSION = 24 * HOUR;

const DEADLINE = 5 * SECOND;

/** Sessions that somebody other than the TVM marked as revoked, Sentinel's own CLI first of all. */
export type ForeignRevocations = {
  /** Reads them anew; rejects if that fails. `now` in epoch milliseconds. */
  readonly read: (now: number) => Promise<void>;
  readonly ofVend: (subject: RevocationSubject, profile: string, now: number) => Revocation | undefined;
};

/**
 * A row that the TVM wrote names the subject; one that it did not, only the user, by the name that Sentinel has for them.
 */
function toRevocation(item: Item): readonly [key: string, revocation: Revocation] | undefined {
  const [id, user, profile, subject, expires, reason, by] = [
    'id',
    'user',
    'profile',
    'subject',
    'expires_at',
    'revoked_reason',
    'revoked_by',
  ].map((name) => textAt(item, name));
  const until = Date.parse(expires ?? '');
  // What the TVM itself revoked stands in the log, where it can be lifted again.
  const isLogged = item['revocation'] !== undefined;
  if (isLogged || id === undefined || profile === undefined || Number.isNaN(until)) return undefined;
  const whom = subject ?? user;
  if (whom === undefined) return undefined;
  const revocation: Revocation = {
    n: 0,
    target: { kind: 'session', value: id, subject: subject ?? '', user: user ?? '', profile },
    reason: reason ?? '',
    by: by ?? '',
    byPrincipal: '',
    createdAt: timeAt(item, 'updated_at') ?? 0,
    until,
  };
  return [`${subject === undefined ? 'user' : 'subject'}\n${whom}\n${profile}`, revocation];
}

/** Reads the revoked rows of the sessions table by its index on status, to the last page. */
export function createForeignRevocations(client: DynamoDBClient, name: string): ForeignRevocations {
  const table = { client, name, deadline: DEADLINE };
  let blocked = new Map<string, Revocation>();

  function live(key: string, now: number): Revocation | undefined {
    const revocation = blocked.get(key);
    return revocation !== undefined && now < (revocation.until ?? 0) ? revocation : undefined;
  }

  async function read(now: number): Promise<void> {
    const found = new Map<string, Revocation>();
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
        const entry = toRevocation(item);
        // Of several rows for one caller and profile the one that lasts longest counts.
        if (entry !== undefined && (entry[1].until ?? 0) > (found.get(entry[0])?.until ?? 0)) found.set(...entry);
      }
    }
    blocked = found;
  }

  function ofVend(
    { name, storedName, subject }: RevocationSubject,
    profile: string,
    now: number,
  ): Revocation | undefined {
    return (
      live(`subject\n${subject}\n${profile}`, now) ??
      live(`user\n${storedName}\n${profile}`, now) ??
      live(`user\n${name}\n${profile}`, now)
    );
  }

  return { read, ofVend };
}
