import { randomBytes } from 'node:crypto';
import { type Clock, HOUR } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { Principal, StaticKey } from './account.ts';

/** Temporary credentials; `expiresAt` in epoch milliseconds. */
export type IssuedKey = StaticKey & { readonly sessionToken: string; readonly expiresAt: number };

/** Why a key and token are refused, by STS's names. */
export type KeyRefusal = 'InvalidClientTokenId' | 'ExpiredToken';

/** All access keys of the embedded AWS. */
export type Keyring = {
  /** The secret and principal of a key that was sent with this token, or without one. */
  readonly find: (
    accessKeyId: string,
    token: string | undefined,
  ) => Result<{ readonly secret: string; readonly principal: Principal }, KeyRefusal>;
  /** Issues temporary credentials for a session, which expire after `seconds`. */
  readonly issue: (principal: Principal, seconds: number) => IssuedKey;
};

/**
 * Issued credentials that are kept; the oldest are dropped first, so that a load test does not fill
 * the memory.
 */
const MAX_ISSUED = 50_000;

/** How long expired credentials are kept, so that their use gets ExpiredToken, as from AWS. */
const REMEMBERED = HOUR;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function upperCaseId(length: number): string {
  return [...randomBytes(length)].map((byte) => ALPHABET.charAt(byte % 32)).join('');
}

type Held = {
  readonly secret: string;
  readonly principal: Principal;
  readonly token: string | undefined;
  readonly expiresAt: number | undefined;
};

/** Starts with the static keys, which have no token and never expire. */
export function createKeyring({
  clock,
  staticKeys,
}: {
  readonly clock: Clock;
  readonly staticKeys: readonly (StaticKey & { readonly principal: Principal })[];
}): Keyring {
  const fixed = new Map<string, Held>(
    staticKeys.map(({ accessKeyId, secretAccessKey, principal }) => [
      accessKeyId,
      { secret: secretAccessKey, principal, token: undefined, expiresAt: undefined },
    ]),
  );
  const issued = new Map<string, Held & { readonly expiresAt: number }>();

  function dropOld(now: number): void {
    for (const [accessKeyId, { expiresAt }] of issued) {
      if (issued.size < MAX_ISSUED && expiresAt + REMEMBERED > now) return;
      issued.delete(accessKeyId);
    }
  }

  function find(accessKeyId: string, token: string | undefined): ReturnType<Keyring['find']> {
    const held = fixed.get(accessKeyId) ?? issued.get(accessKeyId);
    if (held === undefined || held.token !== token) return refuse('InvalidClientTokenId');
    if (held.expiresAt !== undefined && held.expiresAt <= clock()) return refuse('ExpiredToken');
    return ok({ secret: held.secret, principal: held.principal });
  }

  function issue(principal: Principal, seconds: number): IssuedKey {
    const now = clock();
    dropOld(now);
    const key: IssuedKey = {
      accessKeyId: `ASIA${upperCaseId(16)}`,
      secretAccessKey: randomBytes(30).toString('base64'),
      sessionToken: `embedded//${randomBytes(180).toString('base64')}`,
      expiresAt: Math.floor(now / 1_000) * 1_000 + seconds * 1_000,
    };
    const { accessKeyId, secretAccessKey: secret, sessionToken: token, expiresAt } = key;
    issued.set(accessKeyId, { secret, principal, token, expiresAt });
    return key;
  }

  return { find, issue };
}
