import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, toTtl } from '../aws/attributes.ts';
import { claimNew, deleteIf } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';

/** Items outlive the signature by this much, so that a clock that is late cannot make DynamoDB forget too early. */
const TTL_MARGIN = 60 * SECOND;

/** What one reservation may take, its retry included, before the answer is "cannot tell". */
const DEADLINE = 5 * SECOND;

/**
 * The guard that all instances share: one conditional write per request. The item holds the id of the attempt that wrote
 * it: when the SDK repeats a write whose answer was lost, the item it finds is its own, and that is no replay.
 *
 *     A  make if absent ── written ── answer lost ── make again: mine ── ok
 *     B               make if absent ── there, of A ── replayed
 */
export function createDynamoDbGuard(
  client: DynamoDBClient,
  name: string,
  onFault: (error: unknown) => void,
): ReplayGuard {
  const table = { client, name, deadline: DEADLINE };

  async function release(id: string, attempt: string): Promise<void> {
    try {
      const released = await deleteIf(table, id, {
        condition: '#attempt = :attempt',
        names: { '#attempt': 'attempt' },
        values: attributes({ ':attempt': attempt }),
      });
      if (released === 'refused') throw new Error(`the hold ${id} was released, but is not this attempt's`);
    } catch (error) {
      // A hold that cannot be released costs its caller one more signature, nothing else.
      onFault(error);
    }
  }

  async function reserve({ key, forgetAt }: ReplayClaim): Promise<Result<Reservation, GuardRefusal>> {
    const attempt = newHexId();
    const id = `replay#${key}`;
    try {
      const written = await claimNew(table, id, toTtl(forgetAt + TTL_MARGIN), attempt);
      return written === 'done' ? ok({ release: () => release(id, attempt) }) : refuse('replayed');
    } catch (error) {
      onFault(error);
      return refuse('unavailable');
    }
  }

  return { reserve };
}
