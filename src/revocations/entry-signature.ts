import { attributes, numberAt, textAt, type Item } from '../aws/attributes.ts';
import { isSignedRow, signRow, type SealingKey, type SealingKeys } from '../lib/sealing.ts';

/** What the parts of the log are signed for; see `subkey`. */
const ENTRY = 'revocation entry';
const LIFT = 'lifted revocation';
const CLOSED = 'closed revocation';

/** The attributes that the signature of an entry covers: all but `attempt` and those of closing. */
const SIGNED =
  'id n what kind value subject user profile reason by by_principal created_at until own last'.split(
    ' ',
  );

/** A value with its type: one that changes only its type must not pass for the same. */
function partOf(item: Item, name: string): string {
  const value = item[name];
  if (value?.S !== undefined) return `S${value.S}`;
  if (value?.N !== undefined) return `N${value.N}`;
  return value === undefined ? '' : JSON.stringify(value);
}

/**
 * Purpose and parts of an entry's signature; a lifting's are its number and the number that it
 * lifts.
 */
function signedOf(item: Item): readonly [purpose: string, parts: readonly (string | number)[]] {
  return textAt(item, 'what') === 'lift'
    ? [LIFT, [numberAt(item, 'n') ?? Number.NaN, numberAt(item, 'lifts') ?? Number.NaN]]
    : [ENTRY, SIGNED.map((name) => partOf(item, name))];
}

/** Signs an item as it stands; leaves it unsigned if there is no key to sign with. */
export function signEntry(item: Item, sealing: SealingKey | undefined): Item {
  if (sealing === undefined) return item;
  const [purpose, parts] = signedOf(item);
  return { ...item, ...attributes({ signature: signRow(sealing, purpose, parts) }) };
}

/** The signature that closes entry n, by the number of the entry that lifts it. */
export function signClosing(n: number, by: number, sealing: SealingKey): string {
  return signRow(sealing, CLOSED, [n, by]);
}

/** The attributes that close entry n: the number of the entry that lifts it, with its signature. */
export function toClosing(n: number, by: number, sealing: SealingKey): Item {
  return attributes({ closed_by: by, closing: signClosing(n, by, sealing) });
}

/** The signature of a lifting: entry n lifts the entry of the other number. */
export function signLift(n: number, lifts: number, sealing: SealingKey): string {
  return signRow(sealing, LIFT, [n, lifts]);
}

/** Whether the TVM signed an entry as it stands there. */
export function isSignedEntry(item: Item, keys: SealingKeys): boolean {
  const [purpose, parts] = signedOf(item);
  return isSignedRow(textAt(item, 'signature') ?? '', keys, purpose, parts);
}

/** Whether the TVM closed entry n. */
export function isSignedClosing(item: Item, n: number, keys: SealingKeys): boolean {
  const closing = textAt(item, 'closing') ?? '';
  const by = numberAt(item, 'closed_by') ?? Number.NaN;
  return closing !== '' && isSignedRow(closing, keys, CLOSED, [n, by]);
}
