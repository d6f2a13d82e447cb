import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { attributes, toTtl } from '../aws/attributes.ts';
import { claimNew } from '../aws/change.ts';
import { deleteIf } from '../aws/table.ts';
import { SECOND } from '../lib/clock.ts';
import { newHexId } from '../lib/ids.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import type { GuardRefusal, ReplayGuard, Reservation } from './guard.ts';

/**
 * How long items outlive their signature, so that no clock that is behind lets DynamoDB delete them
 * too early.
 */
const TTL_MARGIN = 60 * SECOND;

/**
 * How long one reservation may take, its retries included; then the request is refused as
 * `unavailable`.
 */
const DEADLINE = 5 * SECOND;

/**
 * The guard that all instances share: one conditional write per request. The item holds the id of
 * the attempt that wrote it. When the SDK repeats a write whose answer was lost, it finds its own
 * item, and that is no replay.
 *
 *     A  make if absent ── written ── answer lost ── make again: mine ── ok
 *     B               make if absent ── there, of A ── replayed
 *
 * @param onFault is told of each error of DynamoDB
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
      if (released === 'refused')
        throw new Error(`the hold ${id} was released, but is not this attempt's`);
    } catch (error) {
      // A hold that cannot be released costs its caller one more signature, and nothing else.
      onFault(error);
    }
  }

  async function reserve({
    key,
    forgetAt,
  }: ReplayClaim): Promise<Result<Reservation, GuardRefusal>> {
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
