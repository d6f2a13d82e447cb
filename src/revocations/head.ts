import { attributes, numberAt, textAt, type Item } from '../aws/attributes.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';

/** What the signature of a head is for; see `subkey`. */
const HEAD = 'head of revocations';

/** The signature of a head; undefined if there is no key to sign with. */
export function signHead(n: number, sealing: SealingKey | undefined): string | undefined {
  return sealing === undefined ? undefined : signRow(sealing, HEAD, [n]);
}

/** The head with its signature. */
export function toHead(n: number, sealing: SealingKey | undefined): Item {
  return attributes({ id: 'head', n, signature: signHead(n, sealing) });
}

/** The number of a head, and whether the TVM signed it; 0 if it holds no number. */
export function readHead(
  item: Item | undefined,
  keys: SealingKeys,
): { readonly n: number; readonly genuine: boolean } {
  const n = numberAt(item, 'n') ?? 0;
  if (!Number.isSafeInteger(n) || n < 0) return { n: 0, genuine: false };
  return { n, genuine: isSignedRow(textAt(item, 'signature') ?? '', keys, HEAD, [n]) };
}
