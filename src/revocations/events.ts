import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Clock } from '../lib/clock.ts';
import type { Event, Matter } from '../notify/event.ts';
import { createLogSource } from '../notify/log-source.ts';
import type { Source } from '../notify/source.ts';
import type { LogEntry } from './entry.ts';
import type { RevocationLog } from './log.ts';
import type { Revocation } from './revocation.ts';

type Options = {
  readonly client: DynamoDBClient;
  readonly guard: string;
  readonly clock: Clock;
  readonly log: Pick<RevocationLog, 'read' | 'readHead' | 'understand'>;
};

/** Who or what is revoked, in one text. */
function revokedIn({ target }: Revocation): string {
  return target.kind === 'all' ? 'everything' : target.value;
}

function toMatter(n: number, revocation: Revocation | undefined): Matter {
  const target = revocation?.target;
  return {
    kind: 'revocation',
    id: String(n),
    profile: target !== undefined && 'profile' in target ? target.profile : undefined,
    requester: revocation === undefined ? undefined : revokedIn(revocation),
    actor: revocation?.by,
    justification: revocation?.reason,
    comment: undefined,
    ticket: undefined,
    reasonCode: undefined,
    status: target?.kind,
    seconds: undefined,
    endsAt: revocation?.until,
    isDrill: false,
  };
}

/** The events of one entry of the log. */
function toEvents(entry: LogEntry, now: number): readonly Event[] {
  switch (entry.what) {
    case 'revoke':
      return [
        {
          version: entry.n,
          type: 'revocation.created',
          at: entry.createdAt,
          matter: toMatter(entry.n, entry),
        },
      ];
    case 'lift':
      return [
        {
          version: entry.n,
          type: 'revocation.lifted',
          at: now,
          matter: toMatter(entry.lifts, undefined),
        },
      ];
    case 'void':
      return [];
  }
}

/** The outbox of the log of revocations: what the TVM wrote there is told, entry by entry. */
export function createRevocationOutbox({ client, guard, clock, log }: Options): Source {
  async function last(): Promise<number> {
    return (await log.readHead()).n;
  }

  /**
   * What nobody vouches for, and what is gone, is told to nobody, and keeps nothing that comes
   * after it waiting.
   */
  async function eventsOf(n: number): Promise<readonly Event[]> {
    const item = await log.read(n);
    const read = item === undefined ? undefined : log.understand(item);
    return read?.genuine === true ? toEvents(read.entry, clock()) : [];
  }

  return createLogSource({ client, guard, name: 'revocations', clock, last, toEvents: eventsOf });
}
