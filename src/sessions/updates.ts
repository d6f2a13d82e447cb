import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, isoTime } from '../aws/attributes.ts';
import { updateIf, type Condition, type WriteOutcome } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';

/** How long one call of DynamoDB may take, its retries included. */
const DEADLINE = 3 * SECOND;

/** Why a row was not changed: it is not there, or it is no longer active. */
export type NotActive = 'not-active';

/** The condition that a row is active, with these values beside those of the condition. */
function whileActive(values: Readonly<Record<string, string | number>>): Condition {
  return {
    condition: '#status = :active',
    names: { '#status': 'status' },
    values: attributes({ ...values, ':active': 'active' }),
  };
}

function toUpdated(outcome: WriteOutcome): 'updated' | NotActive {
  return outcome === 'done' ? 'updated' : 'not-active';
}

/** Changes of a session's row, each on the condition that it is active. */
export function createSessionUpdates(client: DynamoDBClient, sessions: string) {
  const table = { client, name: sessions, deadline: DEADLINE };

  /**
   * Writes how often a session was used since that was last written, and when the last time was.
   */
  async function touch(id: string, at: number, more: number): Promise<'updated' | NotActive> {
    const outcome = await updateIf(
      table,
      id,
      'SET last_access_at = :at, updated_at = :at ADD request_count :more',
      whileActive({ ':at': isoTime(at), ':more': more }),
    );
    return toUpdated(outcome);
  }

  /** Writes that a session has ended, by itself or because its owner wished so. */
  async function expire(id: string, at: number, more: number): Promise<'updated' | NotActive> {
    const outcome = await updateIf(
      table,
      id,
      'SET #status = :expired, updated_at = :at ADD request_count :more',
      whileActive({ ':expired': 'expired', ':at': isoTime(at), ':more': more }),
    );
    return toUpdated(outcome);
  }

  /**
   * Writes which entry of the log revoked a session; a later entry may do so again after the first
   * was lifted.
   */
  async function revoke(
    id: string,
    at: number,
    revocation: { readonly n: number; readonly by: string; readonly reason: string },
  ): Promise<'updated' | NotActive> {
    const { n, by, reason } = revocation;
    const update =
      'SET #status = :revoked, updated_at = :at, revoked_by = :by, revoked_reason = :reason, #r = :n';
    const outcome = await updateIf(table, id, update, {
      condition: '#status = :active OR (#status = :revoked AND #r < :n)',
      names: { '#status': 'status', '#r': 'revocation' },
      values: attributes({
        ':active': 'active',
        ':revoked': 'revoked',
        ':at': isoTime(at),
        ':by': by,
        ':reason': reason,
        ':n': n,
      }),
    });
    return toUpdated(outcome);
  }

  return { touch, expire, revoke };
}
