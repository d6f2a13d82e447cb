import type { AuditLog } from '../audit/log.ts';
import type { KeyEntry, KeyRecord } from '../audit/record.ts';
import { release } from '../audit/release.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import { KEY_SECONDS } from '../contract/bounds.ts';
import { mintKey, type KeySource, type MintedKey, type MintFrom } from '../identity/minted-key.ts';
import { formatInstant, SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Refused, type Result } from '../lib/result.ts';
import { activeSealingKey, type SealingKey } from '../lib/sealing.ts';
import { reserveClaim, type ReplayGuard } from '../replay/guard.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import { describeRequest, type KnownRequest } from './describe-request.ts';
import { causeOf, toGuardRefusal, unavailable, type VendRefusal } from './refusal.ts';
import { toRevokedRefusal } from './revoked.ts';

/** A request for a key of the TVM whose caller is known. */
export type MintRequest = KnownRequest & {
  /** What the key would come from; undefined for callers who get none. */
  readonly source: KeySource | undefined;
  /** What the guard is to remember; undefined where the caller's proof guards itself. */
  readonly replay: ReplayClaim | undefined;
  /** Seconds asked for. */
  readonly duration: number | undefined;
};

export type Mint = (
  request: MintRequest,
  snapshot: Snapshot,
) => Promise<Result<MintedKey, VendRefusal>>;

type Dependencies = {
  readonly clock: Clock;
  readonly guard: ReplayGuard;
  readonly revocations: Pick<Revocations, 'frozen' | 'ofCaller' | 'isUsable'>;
  readonly serverId: string | undefined;
  /** Milliseconds that no key outlives, whatever is asked. */
  readonly keyLife: number;
  readonly audit: AuditLog;
};

/** Why a request ended without a key. */
type Failure = { readonly refusal: VendRefusal; readonly outcome: 'denied' | 'failed' };

function denied(refusal: VendRefusal): Refused<Failure> {
  return refuse({ refusal, outcome: 'denied' });
}

function failed(refusal: VendRefusal): Refused<Failure> {
  return refuse({ refusal, outcome: 'failed' });
}

/** What a key is made of. */
type Ingredients = { readonly source: KeySource; readonly sealing: SealingKey };

/**
 * Mints a key for a caller who proved who they are. It lives an hour at most, no longer than the
 * operator lets keys live (`keyLife`), and never beyond the key it comes from where its end is
 * known. Whoever was revoked meanwhile gets none. The record is written before the key leaves.
 */
export function createMint(dependencies: Dependencies): Mint {
  const { clock, guard, revocations, serverId, keyLife, audit } = dependencies;

  async function prepare(
    { caller, source, replay }: MintRequest,
    snapshot: Snapshot,
    now: number,
  ): Promise<Result<Ingredients, Failure>> {
    // Refuse everybody under the freeze switch, and whoever has nothing to mint from.
    const frozen = revocations.frozen();
    if (frozen !== undefined) return denied(toRevokedRefusal(frozen, caller));
    if (source === undefined) return denied({ kind: 'no-key-from-a-key' });
    const sealing = activeSealingKey(snapshot.sealingKeys, now);
    if (sealing === undefined) return failed(unavailable('sealing_key'));
    // Use the request up: one of its copies mints.
    const reserved = await reserveClaim(guard, replay, now);
    if (!reserved.ok) {
      const refusal = toGuardRefusal(reserved.refusal);
      return reserved.refusal === 'replayed' ? denied(refusal) : failed(refusal);
    }
    // Refuse what was revoked while the guard was asked.
    const revoked = revocations.frozen() ?? revocations.ofCaller(caller);
    if (revoked !== undefined) return denied(toRevokedRefusal(revoked, caller));
    return revocations.isUsable() ? ok({ source, sealing }) : failed(unavailable('revocations'));
  }

  async function mint(
    request: MintRequest,
    snapshot: Snapshot,
  ): Promise<Result<MintedKey, VendRefusal>> {
    const now = clock();
    const { caller, duration } = request;
    function entry(what: Pick<KeyRecord, 'effect' | 'outcome'> & Partial<KeyRecord>): KeyEntry {
      return { event: 'key', ...describeRequest(request), ...what };
    }

    const prepared = await prepare(request, snapshot, now);
    if (!prepared.ok) {
      const { refusal, outcome } = prepared.refusal;
      const effect = outcome === 'denied' ? 'deny' : 'allow';
      await audit.append(entry({ effect, outcome, error: refusal.kind, cause: causeOf(refusal) }));
      return refuse(refusal);
    }
    const { source, sealing } = prepared.value;
    // A longer wish is cut, as a vend's is: clients ask for an hour without knowing what is
    // allowed.
    const wanted = now + Math.min((duration ?? KEY_SECONDS.usual) * SECOND, keyLife);
    const minted = mintKey(withSecret(source, snapshot), sealing, {
      serverId,
      expiresAt: Math.min(wanted, caller.keyExpiresAt ?? wanted),
    });
    const issued = {
      effect: 'allow',
      minted_access_key_id: minted.accessKeyId,
      expiration: formatInstant(minted.expiresAt),
    } as const;
    return release(audit, {
      value: minted,
      record: entry({ ...issued, outcome: 'minted' }),
      otherwise: entry({ ...issued, outcome: 'failed' }),
      refusal: unavailable('audit'),
    });
  }

  return mint;
}

/**
 * Adds the secret of a registered key, from the snapshot that this very request was authenticated
 * by.
 */
function withSecret(source: KeySource, { clients }: Snapshot): MintFrom {
  if (source.via !== 'key') return source;
  return { ...source, secret: clients.get(source.accessKeyId)?.secret ?? '' };
}
