import { isSignedRow, signRow, activeSealingKey, type SealingKeys } from '../lib/sealing.ts';
import type { Party } from './request.ts';

const PURPOSE = 'secret of a registered key';

/**
 * A tag of a registered key's secret, by which another secret under the same id is told apart;
 * undefined where there is no key to make it with. It tells nothing of the secret to whoever lacks
 * the sealing keys. `now` in epoch milliseconds.
 */
export function secretTag(
  id: string,
  secret: string,
  keys: SealingKeys,
  now: number,
): string | undefined {
  const sealing = activeSealingKey(keys, now);
  return sealing === undefined ? undefined : signRow(sealing, PURPOSE, [id, secret]);
}

/** Whether a tag is of this secret, whichever sealing key it was made with. */
export function isTagOf(tag: string, id: string, secret: string, keys: SealingKeys): boolean {
  return isSignedRow(tag, keys, PURPOSE, [id, secret]);
}

/** The id of the registered key that a party is; undefined for parties of AWS. */
export function keyIdOf({ principal }: Pick<Party, 'principal'>): string | undefined {
  return /^sentinel:key\/(.+)$/u.exec(principal)?.[1];
}
