import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** A key that only the TVM has. It recognises what it sealed or signed with this key as its own. */
export type SealingKey = {
  /** The `<kid>` of its parameter `keys/<kid>`. */
  readonly id: string;
  /** 32 random bytes. */
  readonly key: Uint8Array;
  /** Epoch milliseconds from which it seals and signs; it opens and verifies at any time. */
  readonly activeFrom: number;
};

/** The live sealing keys by id. */
export type SealingKeys = ReadonlyMap<string, SealingKey>;

/**
 * The key to seal with: the latest of those that are active at `now` (epoch milliseconds);
 * undefined if none is.
 */
export function activeSealingKey(keys: SealingKeys, now: number): SealingKey | undefined {
  return [...keys.values()]
    .filter(({ activeFrom }) => activeFrom <= now)
    .toSorted((a, b) => b.activeFrom - a.activeFrom || (a.id < b.id ? 1 : -1))[0];
}

/**
 * Cache of derived keys: a handful for each key, kept as long as the key; otherwise each row of a
 * table derives them.
 */
const derived = new WeakMap<Uint8Array, Map<string, Buffer>>();

/**
 * A key for one purpose, derived from a sealing key: a signature for one purpose proves nothing for
 * another.
 */
export function subkey({ key }: SealingKey, purpose: string): Buffer {
  const known = derived.get(key) ?? new Map<string, Buffer>();
  derived.set(key, known);
  const made =
    known.get(purpose) ?? Buffer.from(hkdfSync('sha256', key, '', `sentinel-tvm ${purpose}`, 32));
  known.set(purpose, made);
  return made;
}

/** The parts as one text that stands for no other parts. */
function joined(parts: readonly (string | number)[]): string {
  return JSON.stringify(parts);
}

/** Signs the parts of a stored row that grant something: `<kid>.<64 hexadecimal digits>`. */
export function signRow(
  sealing: SealingKey,
  purpose: string,
  parts: readonly (string | number)[],
): string {
  return `${sealing.id}.${createHmac('sha256', subkey(sealing, purpose)).update(joined(parts)).digest('hex')}`;
}

/** The id of the key that a signature says it was made with. */
export function signingKeyOf(signature: string): string {
  return signature.slice(0, signature.lastIndexOf('.'));
}

/** Whether this TVM, or another instance of it, signed exactly these parts. */
export function isSignedRow(
  signature: string,
  keys: SealingKeys,
  purpose: string,
  parts: readonly (string | number)[],
): boolean {
  const sealing = keys.get(signingKeyOf(signature));
  if (sealing === undefined) return false;
  const expected = Buffer.from(signRow(sealing, purpose, parts));
  const given = Buffer.from(signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
