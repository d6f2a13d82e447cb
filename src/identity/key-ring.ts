import type { SealingKeys } from '../lib/sealing.ts';
import type { OwnIdentity } from './aws-identity.ts';

/** A key registered for a caller that has no AWS identity, as the catalog holds it. */
export type RegisteredKey = {
  readonly secret: string;
  readonly name: string;
  /** Epoch milliseconds; undefined for a key without an end. */
  readonly expiresAtMs: number | undefined;
  readonly disabled: boolean;
};

/** What the verifier needs to know of the world: the keys, and what the TVM is itself. */
export type KeyRing = OwnIdentity & {
  readonly findKey: (accessKeyId: string) => RegisteredKey | undefined;
  /** What keys are minted with, and what minted keys are opened with. */
  readonly sealingKeys: SealingKeys;
};
