import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { updateIf, type Condition, type Item } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';

const DEADLINE = 3 * SECOND;

/** Why a row was not changed: it is not there, or not active any more. */
export type NotActive = 'not-active';

function iso(ms: number): AttributeValue {
  return { S: new Date(ms).toISOString() };
}

/** Changes of a session's row, each under the condition that it is active. */
export function createSessionUpdates(client: DynamoDBClient, sessions: string) {
  const table = { client, name: sessions, deadline: DEADLINE };

  /** Updates an active row; `not-active` where it is none. */
  async function update(
    id: string,
    expression: string,
    { condition = '#status = :active', names = {}, values }: Partial<Condition> & { readonly values: Item },
  ): Promise<'updated' | NotActive> {
    const outcome = await updateIf(table, id, expression, {
      condition,
      names: { '#status': 'status', ...names },
      values: { ':active': { S: 'active' }, ...values },
    });
    return outcome === 'done' ? 'updated' : 'not-active';
  }

  /** Writes when the session was last used, and how often since the last time. */
  function touch(id: string, at: number, more: number) {
    return update(id, 'SET last_access_at = :at, updated_at = :at ADD request_count :more', {
      values: { ':at': iso(at), ':more': { N: String(more) } },
    });
  }

  /** Writes that a session has ended by itself or by its owner's wish. */
  function expire(id: string, at: number, more: number) {
    return update(id, 'SET #status = :expired, updated_at = :at ADD request_count :more', {
      values: { ':expired': { S: 'expired' }, ':at': iso(at), ':more': { N: String(more) } },
    });
  }

  /** Writes that a session was revoked, by which entry of the log. */
  function revoke(
    id: string,
    at: number,
    revocation: { readonly n: number; readonly by: string; readonly reason: string },
  ) {
    return update(id, 'SET #status = :revoked, updated_at = :at, revoked_by = :by, revoked_reason = :reason, #r = :n', {
      // One that was lifted may be revoked again.
      condition: '#status = :active OR (#status = :revoked AND #r < :n)',
      names: { '#r': 'revocation' },
      values: {
        ':revoked': { S: 'revoked' },
        ':at': iso(at),
        ':by': { S: revocation.by },
        ':reason': { S: revocation.reason },
        ':n': { N: String(revocation.n) },
      },
    });
  }

  return { touch, expire, revoke };
}
