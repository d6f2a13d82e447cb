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

/** What the verifier knows of one snapshot: the keys, and which identities are the TVM's own. */
export type KeyRing = OwnIdentity & {
  readonly findKey: (accessKeyId: string) => RegisteredKey | undefined;
  /** The keys that seal and open minted keys. */
  readonly sealingKeys: SealingKeys;
};
