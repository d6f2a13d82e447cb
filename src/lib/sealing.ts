import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** A key that only the TVM has: what it seals or signs with it, it recognises as its own. */
export type SealingKey = {
  /** The `<kid>` of its parameter `keys/<kid>`. */
  readonly id: string;
  /** 32 random bytes. */
  readonly key: Uint8Array;
  /** Epoch milliseconds from which it seals; it opens and verifies always. */
  readonly activeFrom: number;
};

/** The live sealing keys by id. */
export type SealingKeys = ReadonlyMap<string, SealingKey>;

/** The key to seal with: of those that are active (epoch milliseconds), the latest; undefined if there is none. */
export function activeSealingKey(keys: SealingKeys, now: number): SealingKey | undefined {
  return [...keys.values()]
    .filter(({ activeFrom }) => activeFrom <= now)
    .toSorted((a, b) => b.activeFrom - a.activeFrom || (a.id < b.id ? 1 : -1))[0];
}

/** Derived keys by the key that they come from; gone with it. Tables of many rows would derive them anew for each. */
const derived = new WeakMap<Uint8Array, Map<string, Buffer>>();

/** A key for one purpose, derived from a sealing key, so that what is made for one proves nothing for another. */
export function subkey({ key }: SealingKey, purpose: string): Buffer {
  const known = derived.get(key) ?? new Map<string, Buffer>();
  derived.set(key, known);
  const made = known.get(purpose) ?? Buffer.from(hkdfSync('sha256', key, '', `sentinel-tvm ${purpose}`, 32));
  known.set(purpose, made);
  return made;
}

/** Unambiguous whatever the parts hold. */
function joined(parts: readonly (string | number)[]): string {
  return JSON.stringify(parts);
}

/** Signs the parts of a stored row that grant something: `<kid>.<64 hexadecimal digits>`. */
export function signRow(sealing: SealingKey, purpose: string, parts: readonly (string | number)[]): string {
  return `${sealing.id}.${createHmac('sha256', subkey(sealing, purpose)).update(joined(parts)).digest('hex')}`;
}

/** The id of the key that a signature says it was made with. */
export function signingKeyOf(signature: string): string {
  return signature.slice(0, signature.lastIndexOf('.'));
}

/** Whether a row's parts are as this TVM, or another instance of it, once signed them. */
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
