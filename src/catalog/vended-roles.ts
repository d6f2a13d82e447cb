import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, numberAt, textAt } from '../aws/attributes.ts';
import { putIf, readItem } from '../aws/table.ts';
import { HOUR, MINUTE, SECOND, type Clock } from '../lib/clock.ts';

/**
 * How long a role is remembered after a profile last named it. Credentials live an hour at most;
 * the rest allows for the time between two writes of the list and for the difference of two clocks.
 */
const REMEMBERED = HOUR + 30 * MINUTE;

/**
 * How often a role that is still vended is written again, so that the list has a recent time for
 * it.
 */
const REWRITE = 10 * MINUTE;

/** A call for the list. */
const DEADLINE = 3 * SECOND;

const ID = 'vended-roles';

/** Roles in the list, those that were vended last: an item of DynamoDB holds 400 KB. */
const MAX_ROLES = 3_000;

/**
 * Tries to write the list. An instance that lost a race reads what the other wrote, and adds to it.
 */
const MAX_ATTEMPTS = 5;

type Options = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
};

/** The roles that the TVM vends or recently vended. */
export type VendedRoles = {
  /**
   * Records the roles that are vended now, and gives them with all roles whose credentials may
   * still be valid. Rejects as long as the list of earlier roles has not been read once.
   */
  readonly remember: (roles: readonly string[]) => Promise<ReadonlySet<string>>;
};

type Seen = ReadonlyMap<string, number>;

/**
 * Remembers which roles were vended, also across restarts: sessions of a vended role are never
 * callers, even when its profile is gone. All instances share one item of the guard table:
 * principals, with the second at which a profile last named each. It is read once, and written when
 * a role is new or was last written ten minutes ago.
 */
export function createVendedRoles({ client, table: name, clock, onFault }: Options): VendedRoles {
  const table = { client, name, deadline: DEADLINE };
  let seen: Seen | undefined;
  let writtenAt = new Map<string, number>();

  async function read(): Promise<{ readonly stored: Seen; readonly version: number }> {
    const item = await readItem(table, ID);
    const version = numberAt(item, 'version') ?? 0;
    const stored = new Map(
      Object.entries(JSON.parse(textAt(item, 'roles') ?? '{}') as Record<string, number>),
    );
    return { stored, version };
  }

  /** Adds what is known here to the item. Gives the whole list. */
  async function write(mine: Seen): Promise<Seen> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const { stored, version } = await read();
      const merged = merge([stored, mine], clock());
      if (await put(merged, version)) return merged;
    }
    throw new Error(`the item ${ID} of ${name} is written by others again and again`);
  }

  async function put(roles: Seen, version: number): Promise<boolean> {
    const item = attributes({
      id: ID,
      roles: JSON.stringify(Object.fromEntries(roles)),
      version: version + 1,
    });
    const condition = 'attribute_not_exists(id) OR version = :version';
    const outcome = await putIf(table, item, {
      condition,
      values: attributes({ ':version': version }),
    });
    return outcome === 'done';
  }

  async function remember(roles: readonly string[]): Promise<ReadonlySet<string>> {
    const now = clock();
    seen ??= (await read()).stored;
    seen = merge([seen, new Map(roles.map((role) => [role, toSeconds(now)]))], now);
    function isDue(role: string): boolean {
      return now - (writtenAt.get(role) ?? Number.NEGATIVE_INFINITY) >= REWRITE;
    }
    if (roles.some(isDue)) {
      try {
        seen = await write(seen);
        writtenAt = new Map(roles.map((role) => [role, now]));
      } catch (error) {
        // This instance knows the roles. The next reading tries again to tell the others.
        onFault(error);
      }
    }
    return new Set(seen.keys());
  }

  return { remember };
}

function toSeconds(ms: number): number {
  return Math.floor(ms / SECOND);
}

/** The latest second of every role whose credentials may still be valid, the latest roles first. */
function merge(lists: readonly Seen[], now: number): Seen {
  const latest = new Map<string, number>();
  for (const [role, second] of lists.flatMap((list) => [...list])) {
    if (!Number.isSafeInteger(second) || now - second * SECOND > REMEMBERED) continue;
    latest.set(role, Math.max(second, latest.get(role) ?? 0));
  }
  return new Map([...latest].toSorted(([, a], [, b]) => b - a).slice(0, MAX_ROLES));
}
