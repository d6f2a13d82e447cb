import { randomBytes } from 'node:crypto';
import { type Clock, HOUR } from '../../lib/clock.ts';
import { ok, refuse, type Result } from '../../lib/result.ts';
import type { Principal, StaticKey } from './account.ts';

/** Temporary credentials, with their end in epoch milliseconds. */
export type IssuedKey = StaticKey & { readonly sessionToken: string; readonly expiresAt: number };

/** Why a key and token are not accepted, in STS's names. */
export type KeyRefusal = 'InvalidClientTokenId' | 'ExpiredToken';

/** Knows every access key of the embedded AWS. */
export type Keyring = {
  /** The secret and holder of a key that was sent with this token (undefined: with none). */
  readonly find: (
    accessKeyId: string,
    token: string | undefined,
  ) => Result<{ readonly secret: string; readonly principal: Principal }, KeyRefusal>;
  /** Makes temporary credentials for a session; they live `seconds` from now. */
  readonly issue: (principal: Principal, seconds: number) => IssuedKey;
};

/** Credentials are bounded in number, the oldest go first: a load test must not eat the machine's memory. */
const MAX_ISSUED = 50_000;

/** Expired credentials are remembered this long, so that their holder hears ExpiredToken, as from AWS. */
const REMEMBERED = HOUR;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function upperCaseId(length: number): string {
  return [...randomBytes(length)].map((byte) => ALPHABET.charAt(byte % 32)).join('');
}

type Held = {
  readonly secret: string;
  readonly principal: Principal;
  readonly token?: string;
  readonly expiresAt?: number;
};

/** A keyring that starts with the static keys, which are sent without a token and never expire. */
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
      { secret: secretAccessKey, principal },
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
