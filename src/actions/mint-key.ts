import type { AuditLog } from '../audit/log.ts';
import type { AuditEntry, KeyRecord } from '../audit/record.ts';
import type { Snapshot } from '../catalog/snapshot.ts';
import type { Caller } from '../identity/caller.ts';
import { mintKey, type KeySource, type MintedKey, type MintFrom } from '../identity/minted-key.ts';
import { formatInstant, SECOND, type Clock } from '../lib/clock.ts';
import { ok, refuse, type Result } from '../lib/result.ts';
import { activeSealingKey } from '../lib/sealing.ts';
import { reserveClaim, type ReplayGuard } from '../replay/guard.ts';
import type { Revocations } from '../revocations/feed.ts';
import type { ReplayClaim } from '../sigv4/verify.ts';
import { describeCaller } from './describe-caller.ts';
import { causeOf, type VendRefusal } from './refusal.ts';
import { toRevokedRefusal } from './revoked.ts';
import { AUDIT_FAILURE, NO_AUDIT, NO_GUARD, NO_LIST } from './vend/vend.ts';

/** A request for a key of the TVM whose caller is known. */
export type MintRequest = {
  readonly caller: Caller;
  /** What the key would come from; undefined for callers who get none. */
  readonly source: KeySource | undefined;
  readonly replay: ReplayClaim | undefined;
  /** Seconds asked for. */
  readonly duration?: number;
  readonly address?: string;
  readonly httpRequestId: string;
};

export type Mint = (request: MintRequest, snapshot: Snapshot) => Promise<Result<MintedKey, VendRefusal>>;

/** Seconds that a minted key may live, and does unless asked. */
export const KEY_SECONDS = { shortest: 60, longest: 3_600, usual: 900 } as const;

type Dependencies = {
  readonly clock: Clock;
  readonly guard: ReplayGuard;
  readonly revocations: Pick<Revocations, 'frozen' | 'ofCaller' | 'isUsable'>;
  readonly serverId: string | undefined;
  /** Milliseconds that no key outlives, whatever is asked. */
  readonly keyLife: number;
  readonly audit: AuditLog;
};

/**
 * Mints a key for whoever proved who they are: an hour at most, no longer than the operator lets keys live (`keyLife`),
 * never beyond the key it comes from where its end is known. Whoever was revoked meanwhile gets none.
 * Its record is written before the key leaves.
 */
export function createMint({ clock, guard, revocations, serverId, keyLife, audit }: Dependencies): Mint {
  async function mint(
    { caller, source, replay, duration, address, httpRequestId }: MintRequest,
    snapshot: Snapshot,
  ): Promise<Result<MintedKey, VendRefusal>> {
    const now = clock();
    function entry(what: Pick<KeyRecord, 'effect' | 'outcome'> & Partial<KeyRecord>): AuditEntry {
      return {
        event: 'key',
        http_request_id: httpRequestId,
        ...(address === undefined ? {} : { source_ip: address }),
        ...describeCaller(caller),
        ...what,
      };
    }
    async function refuseWith(refusal: VendRefusal, effect: KeyRecord['effect']) {
      const outcome = effect === 'deny' ? 'denied' : 'failed';
      const cause = causeOf(refusal);
      await audit.append(entry({ effect, outcome, error: refusal.kind, ...(cause === undefined ? {} : { cause }) }));
      return refuse(refusal);
    }

    const frozen = revocations.frozen();
    if (frozen !== undefined) return refuseWith(toRevokedRefusal(frozen, caller), 'deny');
    if (source === undefined) return refuseWith({ kind: 'no-key-from-a-key' }, 'deny');
    const sealing = activeSealingKey(snapshot.sealingKeys, now);
    if (sealing === undefined) return refuseWith(NO_SEALING_KEY, 'allow');
    const reserved = await reserveClaim(guard, replay, now);
    if (!reserved.ok) {
      return reserved.refusal === 'replayed' ? refuseWith({ kind: 'replayed' }, 'deny') : refuseWith(NO_GUARD, 'allow');
    }
    // Refuse what was revoked while the guard was asked.
    const revoked = revocations.frozen() ?? revocations.ofCaller(caller);
    if (revoked !== undefined) return refuseWith(toRevokedRefusal(revoked, caller), 'deny');
    if (!revocations.isUsable()) return refuseWith(NO_LIST, 'allow');
    // A longer wish is cut, as a vend's is: clients ask for an hour without knowing what the operator allows.
    const wanted = now + Math.min((duration ?? KEY_SECONDS.usual) * SECOND, keyLife);
    const minted = mintKey(withSecret(source, snapshot), sealing, {
      serverId,
      expiresAt: Math.min(wanted, caller.keyExpiresAt ?? wanted),
    });
    const issued = { minted_access_key_id: minted.accessKeyId, expiration: formatInstant(minted.expiresAt) };
    if (await audit.append(entry({ ...issued, effect: 'allow', outcome: 'minted' }), true)) return ok(minted);
    void audit.append(entry({ ...issued, effect: 'allow', outcome: 'failed', ...AUDIT_FAILURE }));
    return refuse(NO_AUDIT);
  }

  return mint;
}

const NO_SEALING_KEY = {
  kind: 'unavailable',
  what: 'a sealing key (the operator puts one under keys/ of the secrets root)',
  cause: 'sealing_key',
} as const;

/** The registered key as the snapshot has it, by which this very request was authenticated. */
function withSecret(source: KeySource, { clients }: Snapshot): MintFrom {
  return source.via === 'key' ? { ...source, secret: clients.get(source.accessKeyId)?.secret ?? '' } : source;
}
